/* OwnerReferencesPermissionEnforcement: whoever has an object go with its owner may delete it; whoever has it hold the
 * owner's deletion up may do that to the owner. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/admission/builtin.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/texts.h"
#include "lib/value.h"

#define GROUP_MAX 256

static const struct value *owners_of(const struct value *object) {
        return value_get(value_get(object, "metadata"), "ownerReferences");
}

static bool changes(const struct admission *a) {
        const struct value *owners = owners_of(a->r->next), *before = owners_of(a->r->current_tree);

        if (a->operation == ADMISSION_CREATE || value_count(owners) == 0 || value_count(before) == 0)
                return value_count(owners) != (a->operation == ADMISSION_CREATE ? 0 : value_count(before));
        return !value_equal(owners, before);
}

static bool blocks(const struct value *owner) {
        return value_bool_or(value_get(owner, "blockOwnerDeletion"), false);
}

static const char *text_of(const struct value *owner, const char *key) {
        return value_string_or(value_get(owner, key), "");
}

static enum api_step check_owner(struct admission *a, const struct value *owner) {
        const char *api_version = text_of(owner, "apiVersion"), *kind = text_of(owner, "kind"), *version, *reason;
        const struct kube_kind *of = NULL;
        char group[GROUP_MAX];

        if (kube_split_api_version(api_version, group, sizeof(group), &version) == 0)
                of = kube_registry_kind(a->r->server->config.registry, group, version, kind);
        if (!of || !of->resource)
                return admission_forbid(a,
                                        "cannot set blockOwnerDeletion in this case because cannot find RESTMapping "
                                        "for APIVersion %s Kind %s: no matches for kind \"%s\" in version \"%s\"",
                                        api_version, kind, kind, api_version);
        if (admission_may(a,
                          &(struct admission_question){ "update", of->group, of->version, of->resource, "finalizers",
                                                        of->namespaced ? a->namespace : "", text_of(owner, "name") },
                          &reason))
                return API_NEXT;
        return admission_forbid(a,
                                "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set "
                                "finalizers on: %s, <nil>",
                                reason);
}

/* The uids of the owners that were held up before, sorted. */
struct held {
        const char **uids;
        uint32_t n;
};

static int find_held(const struct admission *a, const struct value *before, struct held *ret_held) {
        struct held held = { .uids = arena_alloc_array(a->arena, value_count(before), sizeof(*held.uids)) };

        if (!held.uids)
                return -ENOMEM;
        for (uint32_t i = 0; i < value_count(before); i++)
                if (blocks(value_at(before, i)))
                        held.uids[held.n++] = text_of(value_at(before, i), "uid");
        if (held.n > 0)
                qsort(held.uids, held.n, sizeof(*held.uids), texts_order);
        *ret_held = held;
        return 0;
}

static bool was_held(const struct held *held, const char *uid) {
        return held->n > 0 && bsearch(&uid, held->uids, held->n, sizeof(*held->uids), texts_order);
}

static enum api_step check_blocking(struct admission *a) {
        static const struct admission_question anything = { "update", "*", "*", "*", "finalizers", "", "*" };
        const struct value *owners = owners_of(a->r->next),
                           *before = a->operation == ADMISSION_UPDATE ? owners_of(a->r->current_tree) : NULL;
        enum api_step step = API_NEXT;
        struct held held;
        int anyway = -1;

        if (find_held(a, before, &held) < 0)
                return api_fail(a->r, -ENOMEM, NULL);
        for (uint32_t i = 0; step == API_NEXT && i < value_count(owners); i++) {
                const struct value *owner = value_at(owners, i);

                if (!blocks(owner) || was_held(&held, text_of(owner, "uid")))
                        continue;
                if (anyway < 0)
                        anyway = admission_may(a, &anything, NULL);
                step = anyway ? API_NEXT : check_owner(a, owner);
        }
        return step;
}

enum api_step admission_owners(struct admission *a) {
        const struct kube_kind *kind = a->r->kind;
        const char *sub = a->r->sub ? a->r->sub->name : "", *reason;
        const struct admission_question own = { "delete", kind->group,  kind->version,   kind->resource,
                                                sub,      a->namespace, a->r->name ?: "" };

        if (strcmp(kind->resource, "pods") == 0 && strcmp(sub, "status") == 0)
                return API_NEXT;
        if (!changes(a))
                return API_NEXT;
        if (a->operation == ADMISSION_UPDATE && !admission_may(a, &own, &reason))
                return admission_forbid(a, "cannot set an ownerRef on a resource you can't delete: %s, <nil>", reason);
        return check_blocking(a);
}

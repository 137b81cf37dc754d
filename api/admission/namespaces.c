/* NamespaceLifecycle: nothing is made in a namespace that is not there or is going, and some namespaces never go. */
#include <errno.h>
#include <string.h>

#include "api/admission/builtin.h"
#include "api/cache/collection.h"
#include "api/cache/object.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static bool is_immortal(const char *name) {
        static const char *const names[] = { "default", "kube-system", "kube-public" };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}

static enum api_step refuse_going(struct admission *a) {
        const struct kube_kind *kind = a->r->kind;
        const char *name = admission_named(a),
                   *text = arena_printf(a->arena,
                                        "%s%s%s \"%s\" is forbidden: unable to create new content in namespace %s "
                                        "because it is being terminated",
                                        kind->resource, *kind->group ? "." : "", kind->group, name, a->namespace),
                   *why = arena_printf(a->arena, "namespace %s is being terminated", a->namespace);

        if (!text || !why)
                return api_fail(a->r, -ENOMEM, NULL);
        return api_forbid_cause(a->r, name, text,
                                &(struct api_cause){ "NamespaceTerminating", why, "metadata.namespace" });
}

enum api_step admission_namespace(struct admission *a) {
        struct api_resource *namespaces = api_state_find(a->r->server->config.state, "", "namespaces");
        _cleanup_object_ struct object *found = NULL;

        if (a->r->kind == namespaces->kind)
                return a->operation == ADMISSION_DELETE && is_immortal(a->name) ?
                               admission_forbid(a, "this namespace may not be deleted") :
                               API_NEXT;
        if (!*a->namespace || a->operation != ADMISSION_CREATE)
                return API_NEXT;
        found = collection_get(namespaces->collection, "", a->namespace);
        if (!found) {
                a->r->kind = namespaces->kind;
                return api_not_found(a->r, a->namespace);
        }
        return strcmp(api_resource_field(namespaces, found, "status.phase"), "Terminating") == 0 ? refuse_going(a) :
                                                                                                   API_NEXT;
}

/* Owners that are named twice: one of them is enough, as kube-apiserver has it (dedupOwnerReferencesAndAddWarning()).
 */
#include <errno.h>
#include <string.h>

#include "api/rest/rest.h"
#include "api/server/request.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/table.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define SAME_MAX 16 /* different owners of one uid that are compared, and uids that the warning names */

struct owner {
        struct table_node by_uid;
        const struct value *references[SAME_MAX];
        uint32_t n;
};

struct owners {
        struct api_request *request;
        struct table all;
        const char *twice; /* uids, for the warning */
        uint32_t n_twice;
};

static bool is_known(const struct owner *owner, const struct value *reference) {
        for (uint32_t i = 0; i < owner->n; i++)
                if (value_equal(owner->references[i], reference))
                        return true;
        return false;
}

static int note_twice(struct owners *o, const char *uid) {
        if (o->n_twice++ >= SAME_MAX)
                return 0;
        o->twice = arena_printf(o->request->arena, "%s%s%s", o->twice ?: "", o->twice ? ", " : "", uid);
        return o->twice ? 0 : -ENOMEM;
}

/* 1: it is another one; 0: it is there already. */
static int add(struct owners *o, const struct value *reference) {
        const char *uid = value_string_or(value_get(reference, "uid"), "");
        struct owner *owner = table_object(table_find(&o->all, uid), struct owner, by_uid);

        if (owner && is_known(owner, reference))
                return note_twice(o, uid);
        if (!owner) {
                owner = arena_new_of(o->request->arena, struct owner);
                if (!owner || table_add(&o->all, &owner->by_uid, uid) < 0)
                        return -ENOMEM;
        }
        if (owner->n < SAME_MAX)
                owner->references[owner->n++] = reference;
        return 1;
}

static int put(struct api_request *r, const struct value *list) {
        struct value_edit edit;
        int error;

        value_edit_begin(&edit, r->arena, r->next);
        error = value_edit_set(&edit, "/metadata/ownerReferences", list, NULL);
        r->next = value_edit_end(&edit);
        return error ?: r->next ? 0 : -ENOMEM;
}

static void warn(struct owners *o) {
        const char *text = arena_printf(
                o->request->arena,
                ".metadata.ownerReferences contains duplicate entries%s; API server dedups owner references in 1.20+, "
                "and "
                "may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: %s",
                o->request->verb == KUBE_VERB_PATCH ? " after mutating admission happens" : "", o->twice);

        if (text)
                api_warn(o->request, text);
}

int api_merge_owners(struct api_request *r) {
        const struct value *list = value_get(value_get(r->next, "metadata"), "ownerReferences");
        struct value kept = { .kind = VALUE_LIST }, *items;
        struct owners o = { .request = r };
        int error = 0;

        if (value_count(list) < 2 || !value_is(list, VALUE_LIST))
                return 0;
        items = arena_alloc_array(r->arena, value_count(list), sizeof(*items));
        if (!items)
                return -ENOMEM;
        for (uint32_t i = 0; error >= 0 && i < value_count(list); i++)
                if ((error = add(&o, value_at(list, i))) > 0)
                        items[kept.count++] = *value_at(list, i);
        table_clear(&o.all);
        if (error < 0 || o.n_twice == 0)
                return error < 0 ? error : 0;
        kept.items = items;
        error = put(r, &kept);
        if (error == 0)
                warn(&o);
        return error;
}

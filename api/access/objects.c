#include "api/access/objects.h"

#include <errno.h>
#include <string.h>

#include "api/auth/authenticate.h"
#include "api/auth/legacy.h"
#include "api/cache/collection.h"
#include "api/rest/put.h"
#include "api/rest/own.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static int read_secret(struct arena *arena, const struct object *object, struct auth_object *ret_object) {
        struct kube_secret *secret = arena_new_of(arena, struct kube_secret);
        int r = secret ? api_struct_of(arena, &kube_secret_type, object, secret) : -ENOMEM;

        ret_object->secret = secret;
        return r;
}

int api_objects_find(void *data, struct arena *arena, const char *resource, const char *namespace, const char *name,
                     struct auth_object *ret_object) {
        struct api_resource *of = api_state_find(data, "", resource);
        _cleanup_object_ struct object *object = of ? collection_get(of->collection, namespace, name) : NULL;
        struct auth_object found = { 0 };
        const struct value *tree, *meta;
        const char *created, *deleted;
        struct kube_time at;

        if (!object)
                return -ENOENT;
        if (api_tree_of(arena, object, &tree) < 0)
                return -ENOMEM;
        meta = value_get(tree, "metadata");
        found.uid = value_string_or(value_get(meta, "uid"), "");
        created = value_string_or(value_get(meta, "creationTimestamp"), "");
        if (kube_time_parse(created, strlen(created), false, &at))
                found.created = at.seconds;
        deleted = value_string_or(value_get(meta, "deletionTimestamp"), "");
        if (kube_time_parse(deleted, strlen(deleted), false, &at))
                found.deleted = at.seconds;
        if (strcmp(resource, "pods") == 0) {
                found.node = value_string(value_find(tree, "spec.nodeName"));
                found.account = value_string(value_find(tree, "spec.serviceAccountName"));
        }
        if (strcmp(resource, "serviceaccounts") == 0)
                found.secrets = value_get(tree, "secrets");
        if (strcmp(resource, "secrets") == 0 && read_secret(arena, object, &found) < 0)
                return -ENOMEM;
        *ret_object = found;
        return 0;
}

/* --- tokens of Secrets, when they are used --- */

static int label(struct arena *arena, const struct api_resource *of, const struct value *live, const char *date,
                 const struct value **ret_tree) {
        struct value_edit edit;
        const struct value *tree;
        int r = 0;

        value_edit_begin(&edit, arena, live);
        if (!value_is(value_find(live, "metadata.labels"), VALUE_MAP))
                r = value_edit_set(&edit, "/metadata/labels", &(struct value)VALUE_EMPTY(VALUE_MAP), NULL);
        r = r     ?:
                    value_edit_set(&edit, "/metadata/labels/kubernetes.io~1legacy-token-last-used",
                                   &(struct value)VALUE_TEXT(date), NULL);
        tree = value_edit_end(&edit);
        r = r ?: tree ? api_own_server(arena, of->kind, NULL, live, &tree) : -ENOMEM;
        if (r == 0)
                *ret_tree = tree;
        return r;
}

void api_objects_used(void *data, struct arena *arena, const char *namespace, const char *name, const char *uid,
                      const char *date) {
        struct api_resource *of = api_state_find(data, "", "secrets");
        _cleanup_object_ struct object *object = of ? collection_get(of->collection, namespace, name) : NULL;
        const struct value *tree;
        int r;

        if (!object)
                return;
        r = api_tree_of(arena, object, &tree);
        if (r == 0 && strcmp(value_string_or(value_find(tree, "metadata.uid"), ""), uid ?: "") != 0)
                return;
        r = r ?: label(arena, of, tree, date, &tree) ?: api_put_later(data, of, arena, tree, object->revision);
        if (r < 0)
                log_error("secret %s/%s: that its token was used cannot be noted: %s", namespace, name, strerror(-r));
}

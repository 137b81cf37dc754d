/* The ConfigMap by which other servers know whom this one trusts: kube-system/extension-apiserver-authentication. */
#include <errno.h>
#include <string.h>

#include "api/bootstrap/bootstrap.h"
#include "api/cache/collection.h"
#include "api/rest/put.h"
#include "api/rest/own.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define TRIES 5 /* against others who change it meanwhile */

static const struct value empty = VALUE_EMPTY(VALUE_MAP);

int api_bootstrap_trust_tree(struct arena *arena, const struct api_resource *maps, const char *authorities,
                             const struct value **ret_tree) {
        static const char first[] = "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" API_TRUST
                                    "\",\"namespace\":\"kube-system\"},\"data\":{}}";
        struct value_edit edit;
        const struct value *tree;
        int r = json_parse(arena, first, strlen(first), NULL, &tree, NULL);

        if (r < 0)
                return r;
        value_edit_begin(&edit, arena, tree);
        r = value_edit_set(&edit, "/data/" API_TRUST_KEY, &(struct value)VALUE_TEXT(authorities), NULL);
        tree = value_edit_end(&edit);
        r = r ?: tree ? api_put_stamp(arena, maps, &tree) : -ENOMEM;
        if (r == 0)
                *ret_tree = tree;
        return r;
}

/* What others have put beside it stays. */
static int update(struct arena *arena, const struct api_resource *maps, struct object *there, const char *authorities,
                  const struct value **ret_tree) {
        const struct value *tree, *live;
        struct value_edit edit;
        int r = api_tree_of(arena, there, &live);

        if (r < 0 || strcmp(value_string_or(value_get(value_get(live, "data"), API_TRUST_KEY), ""), authorities) == 0)
                return r;
        value_edit_begin(&edit, arena, live);
        if (!value_is(value_get(live, "data"), VALUE_MAP))
                r = value_edit_set(&edit, "/data", &empty, NULL);
        r = r ?: value_edit_set(&edit, "/data/" API_TRUST_KEY, &(struct value)VALUE_TEXT(authorities), NULL);
        tree = value_edit_end(&edit);
        r = r ?: tree ? api_own_server(arena, maps->kind, NULL, live, &tree) : -ENOMEM;
        if (r == 0)
                *ret_tree = tree;
        return r ?: 1;
}

static int write_once(struct api_state *state, const char *authorities) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct api_resource *maps = api_state_find(state, "", "configmaps");
        _cleanup_object_ struct object *there = collection_get(maps->collection, "kube-system", API_TRUST);
        const struct value *tree;
        int r;

        if (!arena)
                return -ENOMEM;
        r = there                                                     ? update(arena, maps, there, authorities, &tree) :
            api_bootstrap_trust_tree(arena, maps, authorities, &tree) ?:
                                                                        1;
        return r <= 0 ? r : api_put_tree(state, arena, maps, tree, there ? there->revision : STORE_ABSENT);
}

int api_bootstrap_trust(struct api_state *state, const char *authorities) {
        int r = -ESTALE;

        for (int i = 0; i < TRIES && (r == -ESTALE || r == -ENOENT); i++)
                r = write_once(state, authorities);
        return r;
}

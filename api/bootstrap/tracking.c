/* The ConfigMap that says since when the use of Secrets' tokens is noted: kube-system/
 * kube-apiserver-legacy-service-account-token-tracking. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/auth/legacy.h"
#include "api/bootstrap/bootstrap.h"
#include "api/cache/collection.h"
#include "api/rest/put.h"
#include "api/rest/own.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static int set_today(struct arena *arena, const struct value *map, const struct value **ret_tree) {
        char today[AUTH_DATE_SIZE];
        struct value_edit edit;
        const char *text;
        int r = 0;

        auth_date_format(time(NULL), today);
        text = arena_strdup(arena, today);
        if (!text)
                return -ENOMEM;
        value_edit_begin(&edit, arena, map);
        if (!value_is(value_get(map, "data"), VALUE_MAP))
                r = value_edit_set(&edit, "/data", &(struct value)VALUE_EMPTY(VALUE_MAP), NULL);
        r = r ?: value_edit_set(&edit, "/data/" AUTH_LEGACY_SINCE, &(struct value)VALUE_TEXT(text), NULL);
        *ret_tree = value_edit_end(&edit);
        return r ?: *ret_tree ? 0 : -ENOMEM;
}

int api_bootstrap_tracking_tree(struct arena *arena, const struct api_resource *maps, const struct value **ret_tree) {
        static const char first[] =
                "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" AUTH_LEGACY_TRACKING
                "\",\"namespace\":\"kube-system\"},\"data\":{}}";
        const struct value *tree;
        int r = json_parse(arena, first, strlen(first), NULL, &tree, NULL);

        r = r ?: set_today(arena, tree, &tree) ?: api_put_stamp(arena, maps, &tree);
        if (r == 0)
                *ret_tree = tree;
        return r;
}

int api_bootstrap_tracking_mend(struct arena *arena, const struct api_resource *maps, struct object *there,
                                const struct value **ret_tree) {
        const struct value *live, *tree;
        const char *since;
        int64_t seconds;
        int r = api_tree_of(arena, there, &live);

        if (r < 0)
                return r;
        since = value_string(value_get(value_get(live, "data"), AUTH_LEGACY_SINCE));
        if (since && auth_date_parse(since, &seconds))
                return 0;
        r = set_today(arena, live, &tree) ?: api_own_server(arena, maps->kind, NULL, live, &tree);
        if (r < 0)
                return r;
        *ret_tree = tree;
        return 1;
}

int api_bootstrap_tracking(struct api_state *state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct api_resource *maps = api_state_find(state, "", "configmaps");
        _cleanup_object_ struct object *there = collection_get(maps->collection, "kube-system", AUTH_LEGACY_TRACKING);
        const struct value *tree;
        int r;

        if (!arena)
                return -ENOMEM;
        r = there                                           ? api_bootstrap_tracking_mend(arena, maps, there, &tree) :
            api_bootstrap_tracking_tree(arena, maps, &tree) ?:
                                                              1;
        return r <= 0 ? r : api_put_tree(state, arena, maps, tree, there ? there->revision : STORE_ABSENT);
}

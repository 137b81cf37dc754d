/* What is there from the first start on, and clients may delete all the same, comes back: namespaces, and whom the
 * server trusts. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/legacy.h"
#include "api/bootstrap/bootstrap.h"
#include "api/cache/follower.h"
#include "api/rest/put.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/log.h"

struct kept {
        struct collection_follower base; /* first */
        struct api_keeper *keeper;
        struct api_resource *resource;
        /* 1: *ret_tree is what is to be there again in the place of @gone. */
        int (*make)(struct kept *kept, struct arena *arena, const struct object *gone, const struct value **ret_tree);
        /* 1: *ret_tree is what @now is to be. NULL: as clients want it. */
        int (*mend)(struct kept *kept, struct arena *arena, struct object *now, const struct value **ret_tree);
};

struct api_keeper {
        struct api_state *state;
        struct kept namespaces, maps;
        pthread_mutex_t lock; /* of @authorities */
        char *authorities;
};

static int make_namespace(struct kept *kept, struct arena *arena, const struct object *gone,
                          const struct value **ret_tree) {
        const char *text = api_bootstrap_namespace(gone->name);
        int r;

        if (!text)
                return 0;
        r = json_parse(arena, text, strlen(text), NULL, ret_tree, NULL);
        return r ?: api_put_stamp(arena, kept->resource, ret_tree) ?: 1;
}

static int make_map(struct kept *kept, struct arena *arena, const struct object *gone, const struct value **ret_tree) {
        const char *authorities;

        if (strcmp(gone->namespace, "kube-system") != 0)
                return 0;
        if (strcmp(gone->name, AUTH_LEGACY_TRACKING) == 0)
                return api_bootstrap_tracking_tree(arena, kept->resource, ret_tree) ?: 1;
        if (strcmp(gone->name, API_TRUST) != 0)
                return 0;
        pthread_mutex_lock(&kept->keeper->lock);
        authorities = arena_strdup(arena, kept->keeper->authorities);
        pthread_mutex_unlock(&kept->keeper->lock);
        return authorities ? api_bootstrap_trust_tree(arena, kept->resource, authorities, ret_tree) ?: 1 : -ENOMEM;
}

static int mend_map(struct kept *kept, struct arena *arena, struct object *now, const struct value **ret_tree) {
        if (strcmp(now->name, AUTH_LEGACY_TRACKING) != 0 || strcmp(now->namespace, "kube-system") != 0)
                return 0;
        return api_bootstrap_tracking_mend(arena, kept->resource, now, ret_tree);
}

/* On the writer's thread, which waits for nobody: what cannot be made now is made at the next start. */
static int told(struct collection_follower *base, struct object *now, struct object *before) {
        struct kept *kept = (struct kept *)base;
        _cleanup_arena_ struct arena *arena = NULL;
        const struct value *tree;
        int r;

        if (now && !kept->mend)
                return 0;
        arena = arena_new();
        if (!arena)
                r = -ENOMEM;
        else
                r = now ? kept->mend(kept, arena, now, &tree) : kept->make(kept, arena, before, &tree);
        if (r > 0)
                r = api_put_later(kept->keeper->state, kept->resource, arena, tree, now ? now->revision : STORE_ABSENT);
        if (r < 0)
                log_error("no memory to make %s %s again: restart the service", kept->resource->name,
                          (now ?: before)->name);
        return 0;
}

static int follow(struct api_keeper *keeper, struct kept *kept) {
        kept->keeper = keeper;
        kept->base.told = told;
        return collection_follow(kept->resource->collection, &kept->base);
}

int api_keeper_new(struct api_state *state, const char *authorities, struct api_keeper **ret_keeper, struct err **err) {
        struct api_keeper *keeper = calloc(1, sizeof(*keeper));
        int r;

        if (!keeper)
                return err_set(err, ENOMEM, "no memory for what keeps the system's objects");
        keeper->state = state;
        pthread_mutex_init(&keeper->lock, NULL);
        keeper->namespaces.resource = api_state_find(state, "", "namespaces");
        keeper->namespaces.make = make_namespace;
        keeper->maps.resource = api_state_find(state, "", "configmaps");
        keeper->maps.make = make_map;
        keeper->maps.mend = mend_map;
        r = api_keeper_trust(keeper, authorities);
        r = r ?: api_bootstrap_tracking(state);
        r = r ?: follow(keeper, &keeper->namespaces);
        r = r ?: follow(keeper, &keeper->maps);
        if (r < 0) {
                api_keeper_free(keeper);
                return err_errno(err, -r, "cannot make the system's objects");
        }
        *ret_keeper = keeper;
        return 0;
}

int api_keeper_trust(struct api_keeper *keeper, const char *authorities) {
        char *copy = strdup(authorities);

        if (!copy)
                return -ENOMEM;
        pthread_mutex_lock(&keeper->lock);
        free(keeper->authorities);
        keeper->authorities = copy;
        pthread_mutex_unlock(&keeper->lock);
        return api_bootstrap_trust(keeper->state, authorities);
}

struct api_keeper *api_keeper_free(struct api_keeper *keeper) {
        if (!keeper)
                return NULL;
        collection_unfollow(&keeper->namespaces.base);
        collection_unfollow(&keeper->maps.base);
        pthread_mutex_destroy(&keeper->lock);
        free(keeper->authorities);
        free(keeper);
        return NULL;
}

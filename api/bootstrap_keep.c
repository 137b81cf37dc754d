/* Namespaces that are there from the first start on, and that clients may delete all the same, come back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/bootstrap.h"
#include "api/cache/collection.h"
#include "api/put.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/log.h"

#define BATCH 16

struct api_keeper {
        struct collection_listener listener;
        struct api_state *state;
        struct api_resource *namespaces;
        uint64_t next; /* number of the event to be looked at next */
};

static int make_again(struct api_keeper *keeper, const char *text) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree;
        int r = arena ? json_parse(arena, text, strlen(text), NULL, &tree, NULL) : -ENOMEM;

        if (r < 0 || (r = api_put_stamp(arena, keeper->namespaces, &tree)) < 0)
                return r;
        return api_put_later(keeper->state, keeper->namespaces, arena, tree, STORE_ABSENT);
}

/* On the writer's thread, which waits for nobody: what cannot be made now is made at the next start. */
static void on_changed(struct collection_listener *listener) {
        struct api_keeper *keeper = (struct api_keeper *)((char *)listener - offsetof(struct api_keeper, listener));
        struct collection_event events[BATCH];
        int64_t revision;
        int n;

        while ((n = collection_read(keeper->namespaces->collection, keeper->next, events, BATCH, &revision)) > 0)
                for (int i = 0; i < n; i++, keeper->next++) {
                        const char *name = events[i].object->name, *text = api_bootstrap_namespace(name);

                        if (events[i].type == COLLECTION_DELETED && text && make_again(keeper, text) < 0)
                                log_error("no memory to make namespace %s again: restart the service", name);
                        collection_event_clear(&events[i]);
                }
}

int api_keeper_new(struct api_state *state, struct api_keeper **ret_keeper, struct err **err) {
        struct api_keeper *keeper = calloc(1, sizeof(*keeper));
        int64_t last, revision;

        if (!keeper)
                return err_set(err, ENOMEM, "no memory for what keeps the system's namespaces");
        keeper->state = state;
        keeper->namespaces = api_state_find(state, "", "namespaces");
        keeper->listener.changed = on_changed;
        collection_look(keeper->namespaces->collection, &last, &revision);
        collection_seek(keeper->namespaces->collection, last, &keeper->next);
        collection_listen(keeper->namespaces->collection, &keeper->listener);
        *ret_keeper = keeper;
        return 0;
}

struct api_keeper *api_keeper_free(struct api_keeper *keeper) {
        if (!keeper)
                return NULL;
        collection_ignore(keeper->namespaces->collection, &keeper->listener);
        free(keeper);
        return NULL;
}

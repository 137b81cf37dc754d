/* Watches: on the collections' events, each resource's told at once for all who watch it. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/cache/watch.h"
#include "api/local/internal.h"
#include "api/local/local.h"
#include "api/rest/selector.h"
#include "api/server/server.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "client/backend.h"
#include "lib/arena.h"
#include "lib/list.h"

LIST_TYPE(broken_watches);

/* The watches of one resource. */
struct local_set {
        struct api_local *local;
        struct api_resource *resource;
        struct watch_set *set;
        struct broken_watches broken; /* that could not be told something: it is told by a new list */
        atomic_bool due;              /* set on the thread that makes changes */
        struct list_node in_local;
};

LIST_FUNCTIONS(local_sets, struct local_set, in_local)

struct local_watch {
        struct client_watch base; /* first */
        struct arena *arena;
        struct client_scope scope;
        const struct client_watch_events *events;
        void *data;
        struct api_selector selector;
        struct local_set *of;
        struct watcher *watcher;
        struct list_node in_broken;
};

LIST_FUNCTIONS(broken_watches, struct local_watch, in_broken)

void local_unwatch(struct client_watch *base) {
        struct local_watch *watch = (struct local_watch *)base;

        watcher_free(watch->watcher);
        if (broken_watches_contains(watch))
                broken_watches_remove(watch);
        if (watch->of)
                watch->of->local->n_watches--;
        arena_free(watch->arena);
        free(watch);
}

static void end_watch(struct local_watch *watch, int error) {
        const struct client_watch_events *events = watch->events;
        void *data = watch->data;

        local_unwatch(&watch->base);
        events->ended(data, error, strerror(-error));
}

static void run_set(struct local_set *set) {
        struct local_watch *broken;

        watch_set_run(set->set);
        while ((broken = broken_watches_first(&set->broken)))
                end_watch(broken, -ESTALE);
}

static void run_sets(struct api_local *local) {
        local->told_ms = uv_now(local->loop->uv);
        LIST_EACH (local_sets, set, &local->sets)
                if (atomic_exchange(&set->due, false))
                        run_set(set);
}

static void on_gather(uv_timer_t *timer) {
        run_sets(timer->data);
}

void local_wake(uv_async_t *wake) {
        struct api_local *local = wake->data;
        uint64_t past = uv_now(local->loop->uv) - local->told_ms;

        if (local->closed || uv_is_active((uv_handle_t *)&local->gather))
                return;
        local->at_once += past / API_LOCAL_GATHER_MS;
        if (local->at_once == 0) {
                uv_timer_start(&local->gather, on_gather, API_LOCAL_GATHER_MS - past, 0);
                return;
        }
        local->at_once = (local->at_once < API_LOCAL_AT_ONCE_MAX ? local->at_once : API_LOCAL_AT_ONCE_MAX) - 1;
        run_sets(local);
}

/* On the thread that makes the changes. */
static void on_set_due(void *data) {
        struct local_set *set = data;

        atomic_store(&set->due, true);
        uv_async_send(&set->local->wake);
}

static struct local_set *set_of(struct api_local *local, struct api_resource *resource) {
        struct local_set *set;

        LIST_EACH (local_sets, known, &local->sets)
                if (known->resource == resource)
                        return known;
        set = calloc(1, sizeof(*set));
        if (!set)
                return NULL;
        set->local = local;
        set->resource = resource;
        set->set = watch_set_new(resource->collection, on_set_due, set);
        if (!set->set) {
                free(set);
                return NULL;
        }
        local_sets_append(&local->sets, set);
        return set;
}

static bool on_event(void *data, const struct watch_event *event) {
        static const enum client_change changes[] = { [COLLECTION_ADDED] = CLIENT_ADDED,
                                                      [COLLECTION_MODIFIED] = CLIENT_MODIFIED,
                                                      [COLLECTION_DELETED] = CLIENT_DELETED };
        struct local_watch *watch = data;
        _cleanup_client_object_ struct client_object *object =
                local_object(&watch->scope, watch->of->resource, event->object, event->revision);

        if (object)
                watch->events->changed(watch->data, changes[event->type], object);
        else
                broken_watches_append(&watch->of->broken, watch);
        return object;
}

static void on_gone(void *data) {
        end_watch(data, -ESTALE);
}

static int begin_watch(struct local_watch *watch, struct api_local *local, const struct client_scope *scope,
                       int64_t revision) {
        struct api_resource *resource = api_state_resource(local->server->config.state, scope->kind);
        struct watch_config config = { .on_event = on_event, .on_gone = on_gone, .data = watch, .field = -1 };
        int r;

        if (!resource)
                return -ENOENT;
        watch->arena = arena_new_small(64);
        if (!watch->arena)
                return -ENOMEM;
        if ((r = local_scope_copy(watch->arena, scope, &watch->scope)) < 0 ||
            (r = local_scope_filter(watch->arena, &watch->scope, resource, &watch->selector, &config.filter)) < 0)
                return r;
        config.field = api_selector_topic(&watch->selector, &config.value);
        watch->of = set_of(local, resource);
        if (!watch->of)
                return -ENOMEM;
        local->n_watches++;
        if ((r = watcher_new(watch->of->set, &config, revision, &watch->watcher)) < 0)
                return r;
        on_set_due(watch->of);
        return 0;
}

int local_watch(struct client *client, const struct client_scope *scope, int64_t revision,
                const struct client_watch_events *events, void *data, struct client_watch **ret_watch) {
        struct api_local *local = local_of(client);
        struct local_watch *made;
        int r;

        if (local->n_watches == API_LOCAL_WATCHES_MAX)
                return -EBUSY;
        made = calloc(1, sizeof(*made));
        if (!made)
                return -ENOMEM;
        made->base.client = client;
        made->events = events;
        made->data = data;
        r = begin_watch(made, local, scope, revision);
        if (r < 0) {
                local_unwatch(&made->base);
                return r;
        }
        *ret_watch = &made->base;
        return 0;
}

void local_forget_sets(struct api_local *local) {
        struct local_set *set;

        while ((set = local_sets_pop(&local->sets))) {
                watch_set_free(set->set);
                free(set);
        }
}

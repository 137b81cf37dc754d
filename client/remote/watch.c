#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/remote/internal.h"
#include "kube/stream/watch.h"
#include "lib/cleanup.h"

struct watched {
        struct client_watch base;
        struct http_exchange *x;
        void *data;
        const struct client_watch_events *events;
        struct remote_gathered answer; /* that is no stream */
        struct kube_watch_reader reader;
        int error; /* that an event told */
};

static int on_event(void *data, enum kube_watch_type type, const struct value *object, struct err **err) {
        static const enum client_change changes[] = { [KUBE_WATCH_ADDED] = CLIENT_ADDED,
                                                      [KUBE_WATCH_MODIFIED] = CLIENT_MODIFIED,
                                                      [KUBE_WATCH_DELETED] = CLIENT_DELETED };
        struct watched *watch = data;
        const char *version = value_string_or(value_find(object, "metadata.resourceVersion"), "0");
        _cleanup_client_object_ struct client_object *made = NULL;
        int64_t code = 0;

        if (type == KUBE_WATCH_ERROR) {
                value_integer(value_get(object, "code"), &code);
                return remote_errno((int)code);
        }
        if (type == KUBE_WATCH_BOOKMARK) {
                watch->events->bookmark(watch->data, strtoll(version, NULL, 10));
                return 0;
        }
        made = remote_object(object, NULL, 0);
        if (!made)
                return -ENOMEM;
        watch->events->changed(watch->data, changes[type], made);
        return 0;
}

static void on_watch_head(struct http_exchange *x, const struct http_response *response) {
        struct watched *watch = http_data(x);

        watch->answer.status = response->status;
        remote_count(remote_of(watch->base.client), "GET", response->status);
}

/* What cannot be told, or is wrong, ends the watch: what was missed is listed anew. */
static void on_watch_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct watched *watch = http_data(x);

        if (watch->error < 0)
                return;
        if (watch->answer.status != 200)
                return remote_gather(&watch->answer, bytes, n);
        watch->error = kube_watch_reader_feed(&watch->reader, (const char *)bytes, n, NULL);
        if (watch->error < 0)
                http_reset(x, watch->error == -ENOMEM ? -ESTALE : watch->error);
}

static void free_watch(struct watched *watch) {
        kube_watch_reader_done(&watch->reader);
        free(watch->answer.data);
        free(watch);
}

static void on_watch_closed(struct http_exchange *x, int error, const char *why) {
        struct watched *watch = http_data(x);
        const struct client_watch_events *events = watch->events;
        void *data = watch->data;

        if (watch->answer.status == 0)
                remote_count(remote_of(watch->base.client), "GET", 0);
        if (error == 0 && watch->answer.status != 200)
                error = remote_errno(watch->answer.status);
        else if (watch->error < 0)
                error = watch->error == -ENOMEM || watch->error == -EINVAL ? -ESTALE : watch->error;
        free_watch(watch);
        events->ended(data, error, why ?: strerror(-error));
}

static const char *watch_target(struct arena *arena, const struct client_scope *scope, int64_t revision) {
        const char *path = remote_scope_path(arena, scope), *query = remote_scope_query(arena, scope);
        unsigned random = 0;

        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
                random = 0;
        if (!path || !query)
                return NULL;
        return arena_printf(arena, "%s?watch=1&allowWatchBookmarks=true&resourceVersion=%lld&timeoutSeconds=%u%s", path,
                            (long long)revision, CLIENT_WATCH_SECONDS + random % CLIENT_WATCH_SECONDS, query);
}

int remote_watch(struct client *client, const struct client_scope *scope, int64_t revision,
                 const struct client_watch_events *events, void *data, struct client_watch **ret_watch) {
        static const struct http_events http = { .head = on_watch_head,
                                                 .data = on_watch_data,
                                                 .closed = on_watch_closed };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct remote_asking asking = { .method = "GET" };
        struct watched *made = arena ? calloc(1, sizeof(*made)) : NULL;
        int r = made ? kube_watch_reader_init(&made->reader, on_event, made) : -ENOMEM;

        if (r < 0) {
                free(made);
                return r;
        }
        made->base.client = client;
        made->events = events;
        made->data = data;
        asking.target = watch_target(arena, scope, revision);
        r = asking.target ? remote_ask(remote_of(client), &asking, &http, made, &made->x) : -ENOMEM;
        if (r < 0)
                free_watch(made);
        else
                *ret_watch = &made->base;
        return r;
}

void remote_unwatch(struct client_watch *base) {
        struct watched *watch = (struct watched *)base;

        http_set_events(watch->x, NULL, NULL);
        http_reset(watch->x, -ECANCELED);
        free_watch(watch);
}

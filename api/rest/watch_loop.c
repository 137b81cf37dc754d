#include <errno.h>
#include <stdlib.h>

#include "api/rest/rest.h"
#include "api/rest/watch.h"
#include "api/server/server.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "lib/http/exchange.h"

#define WATCH_SECONDS 1800 /* and up to as much again, where the client does not say */
#define WATCH_BOOKMARK_MS 60000
#define WATCH_LAST_BOOKMARK_MS 2000 /* before the end: the next watch begins there */
#define WATCH_TICK_MS 1000
#define WATCH_LINGER_MS 5000 /* for a WebSocket's client to close, as HTTP_LINGER_MS */

LIST_DEFINE(resource_watches_list, struct resource_watches, in_loop)

struct api_watches {
        struct resource_watches_list all;
        struct open_watches open;
        uv_timer_t timer; /* for what any of them has to do next */
        uint64_t timer_ms;
};

int api_watches_start(struct api_loop *loop) {
        struct api_watches *watches = calloc(1, sizeof(*watches));

        loop->data = watches;
        if (!watches)
                return -ENOMEM;
        uv_timer_init(loop->uv, &watches->timer);
        watches->timer.data = watches;
        return 0;
}

static void on_timer_closed(uv_handle_t *handle) {
        free(handle->data);
}

/* What all of them get goes out together, by connection: clients have many watches on one. */
void api_watches_run(struct api_loop *loop) {
        struct api_watches *watches = loop->data;
        struct watch *any = open_watches_first(&watches->open);
        struct http_hub *hub = any ? http_hold(any->x) : NULL;

        LIST_EACH (resource_watches_list, of, &watches->all)
                if (atomic_exchange(&of->due, false)) {
                        watch_set_run(of->set);
                        watch_forget_told(of);
                }
        if (hub)
                http_release(hub);
}

void api_watches_stop(struct api_loop *loop) {
        struct api_watches *watches = loop->data;
        struct resource_watches *of;

        while ((of = resource_watches_list_pop(&watches->all))) {
                watch_set_free(of->set);
                watch_forget_told(of);
                free(of);
        }
        uv_close((uv_handle_t *)&watches->timer, on_timer_closed);
        loop->data = NULL;
}

void api_watches_leave(struct api_loop *loop) {
        struct api_watches *watches = loop->data;

        LIST_EACH (open_watches, w, &watches->open)
                watch_end(w);
}

/* --- what there is to watch --- */

static void on_set_due(void *data) {
        struct resource_watches *of = data;

        atomic_store(&of->due, true);
        api_loop_wake(of->loop);
}

struct resource_watches *watch_loop_of(struct api_loop *loop, struct api_resource *resource) {
        struct api_watches *watches = loop->data;
        struct resource_watches *of;

        LIST_EACH (resource_watches_list, known, &watches->all)
                if (known->resource == resource)
                        return known;
        of = calloc(1, sizeof(*of));
        if (!of)
                return NULL;
        of->resource = resource;
        of->loop = loop;
        of->set = watch_set_new(resource->collection, on_set_due, of);
        if (!of->set) {
                free(of);
                return NULL;
        }
        resource_watches_list_append(&watches->all, of);
        return of;
}

/* --- bookmarks and ends: one timer for all of a loop's, which goes off once a second at most --- */

static void plan(struct watch *w, uint64_t now) {
        uint64_t left = w->end_ms > now ? w->end_ms - now : 0;

        w->due_ms = now + left;
        if (w->bookmarks && left > WATCH_LAST_BOOKMARK_MS)
                w->due_ms = left - WATCH_LAST_BOOKMARK_MS > WATCH_BOOKMARK_MS ? now + WATCH_BOOKMARK_MS :
                                                                                w->due_ms - WATCH_LAST_BOOKMARK_MS;
}

static void on_due(struct watch *w, uint64_t now) {
        int64_t revision = w->watcher ? watcher_revision(w->watcher) : 0;

        if (w->ends) {
                w->due_ms = UINT64_MAX;
                if (w->socket && w->x)
                        http_reset(w->x, -ETIMEDOUT);
                return;
        }
        if (now >= w->end_ms)
                return watch_end(w);
        if (revision > 0 && revision <= api_state_revision(w->of->loop->server->config.state) && w->bookmarks)
                watch_tell(w, watch_bookmark_bytes(w, revision, false));
        plan(w, now);
}

static void on_timer(uv_timer_t *timer);

static void stand_at(struct api_watches *watches, uint64_t ms, uint64_t wait) {
        watches->timer_ms = ms;
        uv_timer_start(&watches->timer, on_timer, wait, 0);
}

static void on_timer(uv_timer_t *timer) {
        struct api_watches *watches = timer->data;
        struct watch *any = open_watches_first(&watches->open);
        struct http_hub *hub = any ? http_hold(any->x) : NULL;
        uint64_t now = uv_now(timer->loop), next = UINT64_MAX;

        LIST_EACH (open_watches, w, &watches->open) {
                if (w->due_ms <= now)
                        on_due(w, now);
                if ((!w->ends || w->socket) && w->due_ms < next)
                        next = w->due_ms;
        }
        if (hub)
                http_release(hub);
        if (next < UINT64_MAX)
                stand_at(watches, next, next > now + WATCH_TICK_MS ? next - now : WATCH_TICK_MS);
}

void watch_loop_add(struct api_loop *loop, struct watch *w, int64_t seconds) {
        struct api_watches *watches = loop->data;
        uint64_t now = uv_now(watches->timer.loop);

        open_watches_append(&watches->open, w);
        if (seconds == 0)
                seconds = WATCH_SECONDS + rand() % WATCH_SECONDS;
        seconds = seconds < 0 ? 0 : seconds > INT32_MAX ? INT32_MAX : seconds;
        w->end_ms = now + (uint64_t)seconds * 1000;
        plan(w, now);
        if (!uv_is_active((uv_handle_t *)&watches->timer) || w->due_ms < watches->timer_ms)
                stand_at(watches, w->due_ms, w->due_ms - now);
}

void watch_loop_linger(struct watch *w) {
        struct api_watches *watches = w->of->loop->data;

        w->due_ms = uv_now(watches->timer.loop) + WATCH_LINGER_MS;
        if (!uv_is_active((uv_handle_t *)&watches->timer) || w->due_ms < watches->timer_ms)
                stand_at(watches, w->due_ms, WATCH_LINGER_MS);
}

void watch_loop_remove(struct watch *w) {
        open_watches_remove(w);
}

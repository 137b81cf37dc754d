#include "api/rest/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/rest/query.h"
#include "api/rest/rest.h"
#include "api/rest/watch_socket.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"

#define WATCH_TOGETHER_MAX ((size_t)16 << 10) /* bytes that wait for more of the same turn: a record of TLS */

static void give_up(struct watch *w) {
        if (w->x)
                http_reset(w->x, -ENOMEM);
}

void watch_tell(struct watch *w, struct bytes *bytes) {
        int r;

        if (!bytes || !w->x) {
                bytes_unref(bytes);
                return give_up(w);
        }
        api_long_event(&w->counted, bytes->size);
        r = w->socket ? watch_socket_tell(w, bytes) : http_send_bytes(w->x, bytes);
        bytes_unref(bytes);
        if (r < 0)
                return give_up(w);
        if (http_pending(w->x) >= WATCH_TOGETHER_MAX)
                http_push(w->x);
}

/* If not, on_drained() is called once it does. */
static bool takes_more(const struct watch *w) {
        if (!w->x || w->ends)
                return false;
        if (http_pending(w->x) < WATCH_PENDING_MAX)
                return true;
        http_again(w->x);
        return false;
}

void watch_end(struct watch *w) {
        if (w->ends || !w->x)
                return;
        w->ends = true;
        if (!w->socket) {
                http_end(w->x, NULL, 0);
                return;
        }
        watch_socket_close(w);
        watch_loop_linger(w);
}

static void forget_beginning(struct watch *w) {
        if (w->beginning)
                collection_page_clear(&w->beginning->first);
        free(w->beginning);
        w->beginning = NULL;
}

/* A watch that was begun, or was not, is no more. */
static void watch_free(struct watch *w) {
        watcher_free(w->watcher);
        forget_beginning(w);
        if (w->request)
                api_request_free(w->request);
        else if (w->of)
                api_long_end(&w->counted, w->of->loop->server);
        arena_free(w->selector);
        watch_socket_free(w);
        free(w);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct watch *w = http_data(x);

        w->x = NULL;
        watch_loop_remove(w);
        watch_free(w);
}

static bool on_event(void *data, const struct watch_event *event) {
        struct watch *w = data;

        watch_tell(w, watch_event_bytes(w, event->type, event->object));
        return takes_more(w);
}

static void on_gone(void *data) {
        struct watch *w = data;

        watcher_free(w->watcher);
        w->watcher = NULL;
        watch_tell(w, watch_error_bytes(w, API_EXPIRED, "too old resource version"));
        watch_end(w);
}

/* What it asks for was gone before it began. */
static void refuse_past(struct watch *w, int64_t revision) {
        char text[96];

        snprintf(text, sizeof(text), "too old resource version: %lld (%lld)", (long long)revision,
                 (long long)collection_gone(w->of->resource->collection));
        watch_tell(w, watch_error_bytes(w, API_EXPIRED, text));
        watch_end(w);
}

/* Tells what was there first, as far as the reader takes it, then what comes. */
static void go_on(struct watch *w) {
        struct watch_beginning *b = w->beginning;

        while (b && b->next < b->first.n && takes_more(w)) {
                watch_tell(w, watch_event_bytes(w, COLLECTION_ADDED, b->first.objects[b->next]));
                b->next++;
        }
        if (b)
                watch_forget_told(w->of);
        if ((b && b->next < b->first.n) || w->ends || !w->x)
                return;
        if (b && b->marks_end)
                watch_tell(w, watch_bookmark_bytes(w, b->first.revision, true));
        forget_beginning(w);
        if (w->watcher)
                watcher_resume(w->watcher);
}

static void on_drained(struct http_exchange *x) {
        struct watch *w = http_data(x);
        struct http_hub *hub = http_hold(x);

        go_on(w);
        http_release(hub);
}

bool watch_is_protobuf(const struct watch *w) {
        return w->view.media.form == API_PROTOBUF && w->view.media.shape == API_WHOLE;
}

/* The request has what it needs no more, and goes; an audited one with its end. */
static void let_go(struct api_request *r, struct watch *w) {
        w->counted.series = r->series;
        if (r->audit) {
                r->taken = true;
                w->request = r;
                return;
        }
        api_long_take(&w->counted, r);
        if (!w->socket)
                http_forget_head(w->x);
}

static int answer(struct api_request *r, struct watch *w) {
        const struct http_field own[] = { { "cache-control", "no-cache, private" },
                                          { "content-type", watch_is_protobuf(w) ?
                                                                    "application/vnd.kubernetes.protobuf;stream=watch" :
                                                                    "application/json" } };
        size_t n = 0;
        const struct http_field *fields = api_answer_fields(r, 200, 0, own, ELEMENTS(own), &n);

        return fields ? http_respond(w->x, 200, fields, n, -1) : -ENOMEM;
}

/* One that is refused ends by itself. */
static int accept_socket(struct api_request *r, struct watch *w, const char *protocol) {
        static const struct http_field none;
        size_t n = 0;
        int error = api_answer_fields(r, 101, 0, &none, 0, &n) ? watch_socket_accept(w, protocol) : -ENOMEM;

        w->ends = error == -EPROTO;
        return w->ends ? 0 : error;
}

static void on_socket_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        watch_socket_take(http_data(x), bytes, n);
}

static void on_socket_end(struct http_exchange *x, const struct http_fields *trailers) {
        watch_end(http_data(x));
}

/* The answer begins, and what was there comes with it. @protocol: of a WebSocket; NULL: it is none. */
static void begin(struct api_request *r, struct watch *w, const char *protocol, int error) {
        static const struct http_events plain = { .drained = on_drained, .closed = on_closed }, socket = {
                .data = on_socket_data, .end = on_socket_end, .drained = on_drained, .closed = on_closed
        };
        struct http_hub *hub = http_hold(w->x);
        int64_t revision = w->beginning->first.revision;
        int answered = protocol ? accept_socket(r, w, protocol) : answer(r, w);

        r->x = NULL;
        api_count_begun(r);
        if (answered < 0)
                give_up(w);
        watch_loop_add(r->loop, w, r->options.timeout_s);
        http_set_events(w->x, protocol && !w->ends ? &socket : &plain, w);
        let_go(r, w);
        if (error < 0 && !w->ends)
                refuse_past(w, revision);
        else
                go_on(w);
        if (w->of->loop->leaves)
                watch_end(w);
        http_release(hub);
}

/* From now on, with what is there as events first; or from a revision on. */
static int look_at_first(struct api_request *r, struct watch_beginning *b, const struct api_query *query) {
        struct collection_query now = query->query;
        bool asked = r->options.initial_events_set,
             wanted = asked ? r->options.initial_events : query->query.revision == 0;

        if (!wanted) {
                b->first.revision = query->query.revision ?: api_state_revision(r->server->config.state);
                return 0;
        }
        now.revision = 0;
        now.limit = 0;
        b->marks_end = r->options.bookmarks; /* also where nobody asked what it begins with */
        return collection_list(r->resource->collection, &now, &b->first);
}

/* Has the cache tell what changes from the beginning on. -ESTALE: some of that is gone. */
static int listen_for(struct api_request *r, struct watch *w, const struct api_query *query) {
        struct watch_config config = {
                .filter = query->query.filter, .waits = true, .on_event = on_event, .on_gone = on_gone, .data = w
        };
        struct api_selector *selector = query->selector;

        config.field = api_selector_topic(selector, &config.value);
        if (config.field >= 0 && api_selector_is_term(selector)) /* the field says it all */
                config.filter.matches = NULL;
        if (config.filter.matches && !(w->selector = api_selector_keep(r, &selector)))
                return -ENOMEM;
        config.filter.data = selector;
        return watcher_new(w->of->set, &config, w->beginning->first.revision, &w->watcher);
}

static int prepare(struct watch *w, struct api_request *r, const struct api_query *query) {
        int error;

        *w = (struct watch){ .x = r->x,
                             .of = watch_loop_of(r->loop, r->resource),
                             .beginning = calloc(1, sizeof(*w->beginning)),
                             .view = api_view_of(r),
                             .bookmarks = r->options.bookmarks };
        if (!w->of || !w->beginning)
                return -ENOMEM;
        error = look_at_first(r, w->beginning, query);
        return error < 0 ? error : listen_for(r, w, query);
}

enum api_step api_watch(struct api_request *r) {
        struct api_query query;
        enum api_step step = api_query_read(r, &query);
        const char *protocol;
        struct watch *w;
        int error;

        if (step != API_NEXT)
                return step;
        if (!r->x)
                return API_END;
        error = watch_socket_wanted(r, &protocol);
        if (error == -EINVAL) {
                api_respond_text(r, 400, "a watch over a WebSocket has one subprotocol, or none\n");
                return API_END;
        }
        if (error < 0)
                return api_fail(r, error, NULL);
        w = malloc(sizeof(*w));
        error = w ? prepare(w, r, &query) : -ENOMEM;
        if (error == 0 || error == -ESTALE) {
                begin(r, w, protocol, error);
                return API_END;
        }
        if (w)
                watch_free(w);
        return api_fail(r, error, NULL);
}

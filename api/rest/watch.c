/* Watches: a stream of events, each made once for all who want it in the same form. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/watch.h"
#include "api/print/print.h"
#include "api/rest/frame.h"
#include "api/rest/query.h"
#include "api/rest/rest.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/stream/watch.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/json.h"

#define WATCH_PENDING_MAX ((size_t)1 << 20) /* bytes that wait for a slow reader; then it has a place, not a queue */
#define WATCH_SECONDS 1800                  /* and up to as much again, where the client does not say */
#define WATCH_BOOKMARK_MS 60000
#define WATCH_TICK_MS 1000

#define SLIM_SPARE 64 /* of an arena: what a chunk's head and the alignment of two objects take */

#define WATCH_TOGETHER HTTP_RANGES_MAX /* events that go as one piece: one record of TLS, one system call */

#define WATCH_TOGETHER_BYTES ((size_t)16 << 10)

struct watch;
LIST_TYPE(watch_list);
LIST_TYPE(open_watches);

/* The watches of one resource on one loop. */
struct resource_watches {
        struct api_resource *resource;
        struct watch_set *set;
        atomic_bool due;
        struct api_loop *loop;
        struct list_node in_loop;

        /* The event that was told last, in the form in which it was: the next watcher wants the same. */
        struct object *told;
        enum collection_event_type told_type;
        const struct kube_kind *told_kind;
        enum api_form told_form;
        struct bytes *told_bytes;

        bool gathers; /* events wait until the run has ended: several of one watch go together */
        struct watch_list gathered;
};

LIST_DEFINE(resource_watches_list, struct resource_watches, in_loop)

struct api_watches {
        struct resource_watches_list all;
        struct open_watches open;
        uv_timer_t timer; /* for what any of them has to do next */
        uint64_t timer_ms;
};

struct watch {
        struct api_request *request; /* its arena has the watch with all the texts; freed with it */
        struct http_exchange *x;
        struct resource_watches *of;
        struct watcher *watcher;
        struct watch_config config;
        struct collection_page first; /* what was there at the beginning, */
        size_t first_next;            /* and how much of it was told */
        bool marks_end;               /* of it, by a bookmark */
        bool ends, began_table;
        uint64_t due_ms, end_ms; /* of the loop's clock: a bookmark or the end, and the end */
        struct bytes *gathered[WATCH_TOGETHER];
        unsigned n_gathered;
        size_t gathered_size;
        struct list_node in_gathered;
        struct list_node in_open;
};

LIST_FUNCTIONS(watch_list, struct watch, in_gathered)
LIST_FUNCTIONS(open_watches, struct watch, in_open)

/* --- of a loop --- */

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

static void forget_told(struct resource_watches *w) {
        w->told = object_unref(w->told);
        w->told_bytes = bytes_unref(w->told_bytes);
}

static void gather(struct resource_watches *of) {
        of->gathers = true;
}

static void send_gathered(struct watch *w);

static void send_all_gathered(struct resource_watches *of) {
        struct watch *w;

        of->gathers = false;
        while ((w = watch_list_pop(&of->gathered)))
                send_gathered(w);
}

void api_watches_run(struct api_loop *loop) {
        struct api_watches *watches = loop->data;

        LIST_EACH (resource_watches_list, w, &watches->all)
                if (atomic_exchange(&w->due, false)) {
                        gather(w);
                        watch_set_run(w->set);
                        send_all_gathered(w);
                        forget_told(w);
                }
}

void api_watches_stop(struct api_loop *loop) {
        struct api_watches *watches = loop->data;
        struct resource_watches *w;

        while ((w = resource_watches_list_pop(&watches->all))) {
                watch_set_free(w->set);
                forget_told(w);
                free(w);
        }
        uv_close((uv_handle_t *)&watches->timer, on_timer_closed);
        loop->data = NULL;
}

static void on_set_due(void *data) {
        struct resource_watches *w = data;

        atomic_store(&w->due, true);
        api_loop_wake(w->loop);
}

static struct resource_watches *watches_of(struct api_loop *loop, struct api_resource *resource) {
        struct api_watches *watches = loop->data;
        struct resource_watches *w;

        LIST_EACH (resource_watches_list, known, &watches->all)
                if (known->resource == resource)
                        return known;
        w = calloc(1, sizeof(*w));
        if (!w)
                return NULL;
        w->resource = resource;
        w->loop = loop;
        w->set = watch_set_new(resource->collection, on_set_due, w);
        if (!w->set) {
                free(w);
                return NULL;
        }
        resource_watches_list_append(&watches->all, w);
        return w;
}

/* --- events as bytes --- */

static const enum kube_watch_type types[] = {
        [COLLECTION_ADDED] = KUBE_WATCH_ADDED,
        [COLLECTION_MODIFIED] = KUBE_WATCH_MODIFIED,
        [COLLECTION_DELETED] = KUBE_WATCH_DELETED,
};

static struct bytes *frame(enum api_form form, const struct kube_type *type, enum kube_watch_type event,
                           const char *json, size_t length) {
        return form == API_PROTOBUF ? api_frame_protobuf(type, event, json, length) :
                                      kube_watch_event_bytes(event, json, length);
}

static struct bytes *make_whole(struct watch *w, enum collection_event_type type, struct object *object) {
        struct api_request *r = w->request;
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_bytes_ struct bytes *json = NULL;

        if (!arena || api_json_as(arena, r->kind, r->resource->kind, object, &json) < 0)
                return NULL;
        return frame(r->media.form, r->kind->type, types[type], (const char *)json->data, json->size - 1);
}

static struct bytes *make_printed(struct watch *w, enum kube_watch_type type, const struct object *object) {
        _cleanup_bytes_ struct bytes *json = api_print_event(w->request, object, !w->began_table);

        w->began_table = true;
        return json ? kube_watch_event_bytes(type, (const char *)json->data, json->size - 1) : NULL;
}

static struct bytes *event_bytes(struct watch *w, enum collection_event_type type, struct object *object) {
        struct resource_watches *of = w->of;
        const struct api_request *r = w->request;

        if (r->media.shape != API_WHOLE)
                return make_printed(w, types[type], object);
        if (of->told != object || of->told_type != type || of->told_kind != r->kind || of->told_form != r->media.form) {
                forget_told(of);
                of->told_bytes = make_whole(w, type, object);
                of->told = object_ref(object);
                of->told_type = type;
                of->told_kind = r->kind;
                of->told_form = r->media.form;
        }
        return of->told_bytes ? bytes_ref(of->told_bytes) : NULL;
}

static void give_up(struct watch *w) {
        if (w->x)
                http_reset(w->x, -ENOMEM);
}

static void forget_gathered(struct watch *w) {
        for (unsigned i = 0; i < w->n_gathered; i++)
                bytes_unref(w->gathered[i]);
        w->n_gathered = 0;
        w->gathered_size = 0;
}

/* Small ones are copied into one piece, large ones go from where they are. */
static int send_together(struct watch *w) {
        struct iovec ranges[WATCH_TOGETHER];
        int r = 0;

        for (unsigned i = 0; i < w->n_gathered; i++)
                ranges[i] = (struct iovec){ w->gathered[i]->data, w->gathered[i]->size };
        if (w->n_gathered > 1 && w->gathered_size <= WATCH_TOGETHER_BYTES)
                return http_send_ranges(w->x, ranges, w->n_gathered);
        for (unsigned i = 0; i < w->n_gathered && r == 0; i++)
                r = http_send_bytes(w->x, w->gathered[i]);
        return r;
}

static void send_gathered(struct watch *w) {
        int r = w->x && w->n_gathered > 0 ? send_together(w) : 0;

        forget_gathered(w);
        if (r < 0)
                give_up(w);
}

/* Takes over the reference. */
static void tell(struct watch *w, struct bytes *bytes) {
        if (!bytes)
                return give_up(w);
        api_count_event(w->request, bytes->size);
        w->gathered[w->n_gathered++] = bytes;
        w->gathered_size += bytes->size;
        if (!w->of->gathers || w->n_gathered == WATCH_TOGETHER)
                send_gathered(w);
        else if (!list_linked(&w->in_gathered))
                watch_list_append(&w->of->gathered, w);
}

static bool takes_more(const struct watch *w) {
        return w->x && !w->ends && http_pending(w->x) + w->gathered_size < WATCH_PENDING_MAX;
}

/* A bookmark's object, in the shape of the other events' objects. */
static struct bytes *make_bookmark(struct watch *w, int64_t revision, const struct api_json *text) {
        const struct api_request *r = w->request;
        _cleanup_bytes_ struct bytes *json = NULL;

        if (r->media.shape == API_WHOLE)
                return frame(r->media.form, r->kind->type, KUBE_WATCH_BOOKMARK, text->text, text->length);
        json = bytes_new(text->length + 1);
        if (!json)
                return NULL;
        memcpy(json->data, text->text, text->length);
        json->data[text->length] = '\n';
        return make_printed(w, KUBE_WATCH_BOOKMARK, &(struct object){ .revision = revision, .json.plain = json });
}

/* @end: of the initial events. */
static void send_bookmark(struct watch *w, int64_t revision, bool end) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct kube_kind *kind = w->request->kind;
        struct problems problems;
        const struct value *tree;
        struct api_json json = { 0 };
        struct bytes *bytes = NULL;
        char *text =
                arena ? arena_printf(arena,
                                     "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",\"metadata\":{\"resourceVersion\":"
                                     "\"%lld\"%s}}",
                                     kind->kind, kind->group, *kind->group ? "/" : "", kind->version,
                                     (long long)revision,
                                     end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "") :
                        NULL;

        if (text && json_parse(arena, text, strlen(text), NULL, &tree, NULL) == 0) {
                problems_init(&problems, arena, NULL, NULL);
                if (api_settle(arena, kind->type, tree, false, &problems, &json) == 0 && json.text)
                        bytes = make_bookmark(w, revision, &json);
        }
        tell(w, bytes);
}

static void send_error(struct watch *w, enum api_reason reason, const char *message) {
        const char *json = api_status_json(w->request, reason, message);

        tell(w, json ? frame(w->request->media.form, api_status_type(), KUBE_WATCH_ERROR, json, strlen(json)) : NULL);
}

/* --- a watch's life --- */

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct watch *w = http_data(x);

        w->x = NULL;
        open_watches_remove(w);
        watcher_free(w->watcher);
        w->watcher = NULL;
        forget_gathered(w);
        if (list_linked(&w->in_gathered))
                watch_list_remove(w);
        collection_page_clear(&w->first);
        api_request_free(w->request);
}

static void end(struct watch *w) {
        if (w->ends || !w->x)
                return;
        w->ends = true;
        send_gathered(w);
        http_end(w->x, NULL, 0);
}

void api_watches_leave(struct api_loop *loop) {
        struct api_watches *watches = loop->data;

        LIST_EACH (open_watches, w, &watches->open)
                end(w);
}

static bool on_event(void *data, const struct watch_event *event) {
        struct watch *w = data;

        tell(w, event_bytes(w, event->type, event->object));
        return takes_more(w);
}

static void on_gone(void *data) {
        struct watch *w = data;

        watcher_free(w->watcher);
        w->watcher = NULL;
        send_error(w, API_EXPIRED, "too old resource version");
        end(w);
}

/* What it asks for was gone before it began. */
static void refuse_past(struct watch *w) {
        char text[96];

        snprintf(text, sizeof(text), "too old resource version: %lld (%lld)", (long long)w->first.revision,
                 (long long)collection_gone(w->request->resource->collection));
        send_error(w, API_EXPIRED, text);
        end(w);
}

/* Tells what was there first, as far as the reader takes it, then begins to watch. */
static void go_on_gathering(struct watch *w) {
        int r;

        while (w->first_next < w->first.n && takes_more(w)) {
                tell(w, event_bytes(w, COLLECTION_ADDED, w->first.objects[w->first_next]));
                w->first_next++;
        }
        forget_told(w->of);
        if (w->first_next < w->first.n || w->watcher || w->ends || !w->x)
                return;
        if (w->marks_end)
                send_bookmark(w, w->first.revision, true);
        r = watcher_new(w->of->set, &w->config, w->first.revision, &w->watcher);
        if (r == -ESTALE)
                refuse_past(w);
        else if (r < 0)
                give_up(w);
        else
                watcher_resume(w->watcher);
}

static void go_on(struct watch *w) {
        gather(w->of);
        go_on_gathering(w);
        send_all_gathered(w->of);
}

static void on_drained(struct http_exchange *x) {
        struct watch *w = http_data(x);

        if (!w->watcher || w->ends)
                return go_on(w);
        gather(w->of);
        watcher_resume(w->watcher);
        send_all_gathered(w->of);
}

/* --- bookmarks and ends: one timer for all of a loop's, which goes off once a second at most --- */

static void plan(struct watch *w, uint64_t now) {
        uint64_t left = w->end_ms > now ? w->end_ms - now : 0;

        w->due_ms = now + (w->request->options.bookmarks && left > WATCH_BOOKMARK_MS ? WATCH_BOOKMARK_MS : left);
}

static void on_due(struct watch *w, uint64_t now) {
        int64_t revision = w->watcher ? watcher_revision(w->watcher) : 0;

        if (now >= w->end_ms)
                return end(w);
        if (revision > 0 && w->request->options.bookmarks)
                send_bookmark(w, revision, false);
        plan(w, now);
}

static void on_timer(uv_timer_t *timer);

static void stand_at(struct api_watches *watches, uint64_t ms, uint64_t wait) {
        watches->timer_ms = ms;
        uv_timer_start(&watches->timer, on_timer, wait, 0);
}

static void on_timer(uv_timer_t *timer) {
        struct api_watches *watches = timer->data;
        uint64_t now = uv_now(timer->loop), next = UINT64_MAX;

        LIST_EACH (open_watches, w, &watches->open) {
                if (w->due_ms <= now)
                        on_due(w, now);
                if (!w->ends && w->due_ms < next)
                        next = w->due_ms;
        }
        if (next < UINT64_MAX)
                stand_at(watches, next, next > now + WATCH_TICK_MS ? next - now : WATCH_TICK_MS);
}

static void start_timer(struct watch *w, struct api_watches *watches) {
        int64_t seconds = w->request->options.timeout_s;
        uint64_t now = uv_now(watches->timer.loop);

        if (seconds <= 0)
                seconds = WATCH_SECONDS + rand() % WATCH_SECONDS;
        w->end_ms = now + (uint64_t)seconds * 1000;
        plan(w, now);
        if (!uv_is_active((uv_handle_t *)&watches->timer) || w->due_ms < watches->timer_ms)
                stand_at(watches, w->due_ms, w->due_ms - now);
}

static const char *stream_type(const struct api_media *media) {
        return media->form == API_PROTOBUF && media->shape == API_WHOLE ?
                       "application/vnd.kubernetes.protobuf;stream=watch" :
                       "application/json";
}

static bool is_plain(const struct api_request *r, const struct watch *w) {
        return !r->audit && !r->held && r->media.shape == API_WHOLE && !w->config.filter.matches;
}

static bool keep_text(struct arena *arena, const char **text) {
        if (!*text)
                return true;
        *text = arena_strdup(arena, *text);
        return *text;
}

/* What of @r is needed until the watch ends, where that is little: a request without texts, the watch in its own arena.
 * NULL: there is no memory, or all may be needed. */
static struct watch *slim(const struct api_request *r, const struct watch *was) {
        const struct collection_filter *filter = &was->config.filter;
        size_t texts =
                strlen(filter->namespace ?: "") + strlen(filter->name ?: "") + strlen(was->config.value ?: "") + 3;
        struct arena *arena = is_plain(r, was) ? arena_new_small(sizeof(*r) + sizeof(*was) + texts + SLIM_SPARE) : NULL;
        struct api_request *request = arena ? arena_new_of(arena, struct api_request) : NULL;
        struct watch *w = request ? arena_new_of(arena, struct watch) : NULL;

        if (!w) {
                arena_free(arena);
                return NULL;
        }
        *request = (struct api_request){ .server = r->server,
                                         .loop = r->loop,
                                         .arena = arena,
                                         .began_ns = r->began_ns,
                                         .code = r->code,
                                         .path.is_resource = true,
                                         .kind = r->kind,
                                         .sub = r->sub,
                                         .type = r->type,
                                         .resource = r->resource,
                                         .verb = r->verb,
                                         .series = r->series,
                                         .load = r->load,
                                         .entered = r->entered,
                                         .taken = true,
                                         .media = { .form = r->media.form, .shape = r->media.shape },
                                         .options = { .timeout_s = r->options.timeout_s,
                                                      .bookmarks = r->options.bookmarks } };
        *w = *was;
        w->request = request;
        w->config.data = w;
        w->config.filter.data = NULL;
        if (keep_text(arena, &w->config.filter.namespace) && keep_text(arena, &w->config.filter.name) &&
            keep_text(arena, &w->config.value))
                return w;
        arena_free(arena);
        return NULL;
}

/* From now on the watch is another request's, and what @r still has is given back when it ends: at once. */
static struct watch *go_on_slim(struct api_request *r, struct watch *was) {
        struct watch *w = slim(r, was);

        if (!w)
                return was;
        r->series = NULL;
        r->entered = false;
        r->code = 0;
        r->taken = false;
        http_forget_head(w->x);
        return w;
}

static enum api_step begin(struct api_request *r, struct watch *w) {
        static const struct http_events events = { .drained = on_drained, .closed = on_closed };
        const struct http_field own[] = { { "cache-control", "no-cache, private" },
                                          { "content-type", stream_type(&r->media) } };
        struct api_watches *watches = r->loop->data;
        size_t n = 0;
        const struct http_field *fields = api_answer_fields(r, 200, 0, own, ELEMENTS(own), &n);
        int error;

        r->taken = true;
        r->x = NULL;
        api_count_begun(r);
        error = fields ? http_respond(w->x, 200, fields, n, -1) : -ENOMEM;
        w = go_on_slim(r, w);
        open_watches_append(&watches->open, w);
        http_set_events(w->x, &events, w);
        start_timer(w, watches);
        if (error < 0)
                give_up(w);
        else
                go_on(w);
        return API_END;
}

/* From now on, with what is there as events first; or from a revision on. */
static int look_at_first(struct api_request *r, struct watch *w, const struct api_query *query) {
        struct collection_query now = query->query;
        bool asked = r->options.initial_events_set,
             wanted = asked ? r->options.initial_events : query->query.revision == 0;

        if (!wanted) {
                w->first.revision = query->query.revision ?: api_state_revision(r->server->config.state);
                return 0;
        }
        now.revision = 0;
        now.limit = 0;
        w->marks_end = asked && r->options.bookmarks;
        return collection_list(r->resource->collection, &now, &w->first);
}

enum api_step api_watch(struct api_request *r) {
        struct api_query query;
        struct watch *w = arena_new_of(r->arena, struct watch);
        enum api_step step = w ? api_query_read(r, &query) : api_fail(r, -ENOMEM, NULL);
        int error;

        if (step != API_NEXT)
                return step;
        if (!r->x)
                return API_END;
        w->request = r;
        w->x = r->x;
        w->of = watches_of(r->loop, r->resource);
        w->config = (struct watch_config){
                .filter = query.query.filter, .on_event = on_event, .on_gone = on_gone, .data = w
        };
        w->config.field = api_selector_topic(query.selector, &w->config.value);
        if (w->config.field >= 0 && api_selector_is_term(query.selector)) /* the topic says it all */
                w->config.filter.matches = NULL;
        error = w->of ? look_at_first(r, w, &query) : -ENOMEM;
        return error < 0 ? api_fail(r, error, NULL) : begin(r, w);
}

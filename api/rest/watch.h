/* Watches, within api/rest.
 *
 *     watch.c         a watch's life, from its request to its end
 *     watch_event.c   events as bytes, each made once for all who want it in the same form
 *     watch_socket.c  watches over a WebSocket
 *     watch_loop.c    all watches of a loop: who is told when, bookmarks, ends
 *
 * Thousands may wait for years without an event: once it has begun, a watch is a struct watch, its place in the cache
 * (api/cache/watch.h) and its exchange. Its request is given back; an audited one alone keeps it, for its last entry.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "api/cache/collection.h"
#include "api/cache/watch.h"
#include "api/print/print.h"
#include "api/server/count.h"
#include "api/server/status.h"
#include "lib/list.h"

struct api_loop;
struct http_exchange;
struct watch_set;

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
};

/* What was there when a watch began, and is told before anything else. */
struct watch_beginning {
        struct collection_page first;
        size_t next;    /* of @first: so much was told */
        bool marks_end; /* of it, by a bookmark */
};

struct watch {
        struct http_exchange *x;
        struct resource_watches *of;
        struct watcher *watcher;           /* NULL: there is nothing to be heard any more */
        struct watch_beginning *beginning; /* NULL: all of it was told */
        struct arena *selector;            /* what @watcher selects by; NULL: nothing that needs memory */
        struct api_request *request;       /* NULL: nobody asks for it any more */
        struct watch_socket *socket;       /* NULL: it is no WebSocket */
        struct api_view view;
        struct api_long counted;
        uint64_t due_ms, end_ms; /* of the loop's clock: a bookmark or the end, and the end */
        bool bookmarks, began_table, ends;
        struct list_node in_open;
};

#define WATCH_PENDING_MAX ((size_t)1 << 20) /* bytes that wait for a slow reader; then it has a place, not a queue */

#define WATCH_SIZE_MAX 184 /* bytes: with all else that is kept for one it is less than 1 KB */
_Static_assert(sizeof(struct watch) <= WATCH_SIZE_MAX, "an idle watch has grown");

LIST_DEFINE(open_watches, struct watch, in_open)

/* --- watch.c --- */

/* Takes over the reference. */
void watch_tell(struct watch *w, struct bytes *bytes);

/* The last that it was told was the last. */
void watch_end(struct watch *w);

bool watch_is_protobuf(const struct watch *w);

/* --- watch_event.c; one reference each, NULL without memory --- */

struct bytes *watch_event_bytes(struct watch *w, enum collection_event_type type, struct object *object);

/* @end: of the initial events. */
struct bytes *watch_bookmark_bytes(struct watch *w, int64_t revision, bool end);
struct bytes *watch_error_bytes(const struct watch *w, enum api_reason reason, const char *message);

/* The next event is another one. */
void watch_forget_told(struct resource_watches *of);

/* --- watch_loop.c --- */

/* NULL without memory. */
struct resource_watches *watch_loop_of(struct api_loop *loop, struct api_resource *resource);

/* It is open from now on, for @seconds (0: for as long as the loop decides); and no more. */
void watch_loop_add(struct api_loop *loop, struct watch *w, int64_t seconds);
void watch_loop_remove(struct watch *w);

/* One that has ended, whose client has to close: not for ever. */
void watch_loop_linger(struct watch *w);

/* Watches of one loop: each hears of every change that its filter wants, once and in order, for as long as it keeps up
 * with the ring of its collection.
 *
 * A watcher has no queue: it has a place in the ring. Those that take what they are given are told of an event when
 * it comes, found by what they watch (everything, a namespace, a name, the value of a field), so that an event costs
 * nothing for those whom it does not concern. One that takes no more is left at its place and goes on from there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/cache/collection.h"
#include "lib/list.h"

struct watch_set;
struct watcher;

/* What a watcher sees: a change of what it wants, which may be another than the collection's (an object whose labels
 * match no more is DELETED for it). @object is the state to tell: of a deletion the last one that it wanted. */
struct watch_event {
        enum collection_event_type type;
        int64_t revision; /* to be told instead of @object's own where @type is COLLECTION_DELETED */
        struct object *object;
};

struct watch_config {
        struct collection_filter filter; /* its data lives as long as the watcher; its texts are copied */
        int field;                       /* of objects, by number, that is to have @value; -1: no such wish */
        const char *value;               /* copied */
        bool waits;                      /* it takes nothing before watcher_resume() */

        /* Returns whether it takes another event now. Told on the loop; may call watcher_free() for itself only from
         * on_gone. */
        bool (*on_event)(void *data, const struct watch_event *event);
        void (*on_gone)(void *data); /* what comes next is not in the ring any more: 410 */
        void *data;
};

/* Calls @wake(@data) on the applying thread when watch_set_run() has something to do, once until it is run. NULL
 * without memory. */
struct watch_set *watch_set_new(struct collection *collection, void (*wake)(void *data), void *data);
void watch_set_free(struct watch_set *set); /* no watcher is left; NULL is fine */

/* Tells all watchers what they have not been told yet. On the loop. */
void watch_set_run(struct watch_set *set);

/* Begins after @revision, which may be yet to come. -ESTALE: what comes next is gone; -ENOMEM. Nothing is told before
 * watch_set_run() or watcher_resume(). */
int watcher_new(struct watch_set *set, const struct watch_config *config, int64_t revision,
                struct watcher **ret_watcher);
void watcher_free(struct watcher *watcher); /* NULL is fine */

/* It takes events again. */
void watcher_resume(struct watcher *watcher);

/* The revision up to which it has been told all: for a bookmark. 0 while it is behind; where it began, if that is yet
 * to come. */
int64_t watcher_revision(const struct watcher *watcher);

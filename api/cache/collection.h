/* All objects of one resource as they are now, and the events that led there: what lists and watches are served from,
 * by any thread, without asking the store.
 *
 * One thread applies changes, in the order of their revisions. Readers take references under a lock and use them
 * without it. The past is a ring of the last events: a list as of an earlier revision is the present with the events
 * since undone; a watch goes on from any event that is still in the ring (api/cache/watch.h). What is older is gone:
 * 410 Expired.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/cache/object.h"
#include "lib/list.h"

struct collection;

#define COLLECTION_EVENTS_MIN 128 /* of the ring, which doubles while what is in it is young */
#define COLLECTION_EVENTS_MAX 65536
#define COLLECTION_COMPACT_EVENTS 1024         /* that are forgotten before readers and changes have their turn */
#define COLLECTION_EVENTS_YOUNG_MS (75 * 1000) /* as kube-apiserver's watch cache */

enum collection_event_type { COLLECTION_ADDED, COLLECTION_MODIFIED, COLLECTION_DELETED };

/* A change. @object is what was made; of a deletion, the last state with the deletion's revision. */
struct collection_event {
        enum collection_event_type type;
        int64_t revision, at_ms;          /* of the monotonic clock */
        struct object *object, *previous; /* previous NULL: COLLECTION_ADDED */
};

/* Whether an object is wanted; NULL: all are. */
struct collection_filter {
        const char *namespace, *name;                             /* NULL: any */
        bool (*matches)(void *data, const struct object *object); /* may be NULL */
        void *data;
        /* For a list with a limit: which objects behind a full page are worth another, whether they match or not.
         * NULL: all of the namespace. */
        bool (*among)(void *data, const struct object *object);
};

/* Told on the applying thread, without any lock, that there is a new event. */
struct collection_listener {
        void (*changed)(struct collection_listener *listener);
        struct list_node in_collection;
};

/* NULL without memory. *@told is the revision up to which every collection of the store was told all changes; it
 * outlives the collection. */
struct collection *collection_new(const _Atomic int64_t *told);
void collection_free(struct collection *collection); /* NULL is fine; nobody listens any more */

/* Before all else: an object that was there already. What is kept is the same object packed. 0 or -ENOMEM. */
int collection_load(struct collection *collection, struct object *object);

/* After the last of them: of what was before @revision, what was deleted among it, nothing is known. */
void collection_loaded(struct collection *collection, int64_t revision);

/* Events up to @revision that are older than @young_ms are forgotten, but for the last COLLECTION_EVENTS_MIN, and the
 * ring becomes as small as what is left asks for. */
void collection_compact(struct collection *collection, int64_t revision, int64_t young_ms);

/* What was changed: @object is in place of the one of its name, or with @deleted that one is gone, and @object is what
 * it was last; packed, too. Revisions rise. 0 or -ENOMEM: readers would never see the change, so whoever made it
 * elsewhere for good has to begin anew from there. */
int collection_apply(struct collection *collection, struct object *object, bool deleted);

void collection_listen(struct collection *collection, struct collection_listener *listener);
void collection_ignore(struct collection *collection, struct collection_listener *listener);

/* The object of that name, one reference; NULL when there is none. */
struct object *collection_get(struct collection *collection, const char *namespace, const char *name);

size_t collection_count(struct collection *collection);

/* The revision of the last change, and that up to which there are no others. */
void collection_look(struct collection *collection, int64_t *ret_last, int64_t *ret_revision);

struct collection_query {
        struct collection_filter filter;
        int64_t revision;                         /* as of which; 0: now */
        const char *after_namespace, *after_name; /* only what stands behind this one; NULL: from the start */
        size_t limit;                             /* 0: all */
        bool uncounted;                           /* nobody asks how much the limit left out */
};

/* Objects in the order of namespace and name. */
struct collection_page {
        struct object **objects; /* a reference each */
        size_t n;
        int64_t revision; /* as of which it is: at least that of each change that was told before the query */
        int64_t last;     /* revision of the last change in it, where the query is of no revision */
        bool more; /* there is something behind it, which need not match: as kube-apiserver, which looks no further */
        size_t remaining; /* how much; not known, and 0, where a filter counts */
};

/* 0, -ENOMEM, or -ESTALE: the past that is asked for is gone. */
int collection_list(struct collection *collection, const struct collection_query *query,
                    struct collection_page *ret_page);
void collection_page_clear(struct collection_page *page);

/* For api/cache/watch.c: events by number, from 1 on. */

/* Of events up to this revision some are gone. */
int64_t collection_gone(struct collection *collection);

/* The number of the first event after @revision; it may not be there yet. -ESTALE: events after it are gone. */
int collection_seek(struct collection *collection, int64_t revision, uint64_t *ret_number);

/* Copies up to @max events from @number on, with references. Returns how many; -ESTALE when @number is gone. When they
 * are less than @max, *ret_revision is the revision up to which there are no others. */
int collection_read(struct collection *collection, uint64_t number, struct collection_event *events, size_t max,
                    int64_t *ret_revision);
void collection_event_clear(struct collection_event *event);

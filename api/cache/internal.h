/* What the files of a collection share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "api/cache/collection.h"
#include "lib/index.h"

INDEX_PAIR_ORDER(place, struct object, namespace, name)
LIST_DEFINE(listeners, struct collection_listener, in_collection)

struct collection {
        const _Atomic int64_t *told;
        pthread_rwlock_t lock; /* of all but the listeners */
        struct index objects;
        struct packer *packer;         /* of who applies changes */
        struct collection_event *ring; /* event NUMBER is at NUMBER % size */
        size_t size;                   /* a power of two */
        uint64_t first, next;          /* numbers of the oldest event and of the next one */
        int64_t gone;                  /* of events up to this revision some are not in the ring */
        int64_t last;                  /* revision of the newest event, or of what was loaded */
        pthread_mutex_t listening;     /* of listeners */
        struct listeners listeners;
};

static inline struct collection_event *collection_event_at(const struct collection *c, uint64_t number) {
        return &c->ring[number & (c->size - 1)];
}

/* The number of the first event after @revision, with the lock held. */
uint64_t collection_first_after(const struct collection *c, int64_t revision);

/* What has been told by now, with the lock held. A change may be in the collection before *told says so. */
static inline int64_t collection_told(const struct collection *c) {
        int64_t all = atomic_load(c->told);

        return all > c->last ? all : c->last;
}

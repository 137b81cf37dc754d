#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/internal.h"
#include "api/cache/pack.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/rwlock.h"

struct collection *collection_new(const _Atomic int64_t *told) {
        struct collection *c = calloc(1, sizeof(*c));

        if (!c || !(c->ring = calloc(COLLECTION_EVENTS_MIN, sizeof(*c->ring))) || !(c->packer = packer_new())) {
                if (c)
                        free(c->ring);
                free(c);
                return NULL;
        }
        c->told = told;
        c->size = COLLECTION_EVENTS_MIN;
        c->first = c->next = 1;
        c->objects = (struct index)INDEX_INIT(place_order);
        rwlock_init(&c->lock);
        pthread_mutex_init(&c->listening, NULL);
        return c;
}

void collection_event_clear(struct collection_event *event) {
        object_unref(event->object);
        object_unref(event->previous);
}

void collection_free(struct collection *collection) {
        struct index_cursor at;

        if (!collection)
                return;
        assert(listeners_is_empty(&collection->listeners));
        for (uint64_t n = collection->first; n < collection->next; n++)
                collection_event_clear(collection_event_at(collection, n));
        at = index_seek(&collection->objects, NULL, NULL);
        for (struct object *o = index_at(&at); o; o = index_next(&at))
                object_unref(o);
        index_clear(&collection->objects);
        pthread_rwlock_destroy(&collection->lock);
        pthread_mutex_destroy(&collection->listening);
        packer_free(collection->packer);
        free(collection->ring);
        free(collection);
}

int collection_load(struct collection *c, struct object *object) {
        struct object *kept = object_pack(object, c->packer);
        int r = index_add(&c->objects, kept);

        assert(r != -EEXIST && c->first == c->next);
        if (r < 0) {
                object_unref(kept);
                return r;
        }
        if (object->revision > c->last)
                c->last = c->gone = object->revision;
        return 0;
}

void collection_loaded(struct collection *c, int64_t revision) {
        assert(c->first == c->next && revision >= c->gone);
        c->gone = revision;
}

/* Room for @size events, at least as many as there are. Without memory the old room does. */
static void resize(struct collection *c, size_t size) {
        struct collection_event *ring = malloc(size * sizeof(*ring));

        if (!ring)
                return;
        for (uint64_t n = c->first; n < c->next; n++)
                ring[n & (size - 1)] = *collection_event_at(c, n);
        free(c->ring);
        c->ring = ring;
        c->size = size;
}

static bool is_younger(const struct collection_event *event, int64_t ms) {
        return event->at_ms >= clock_ms(CLOCK_MONOTONIC_COARSE) - ms;
}

static void drop_oldest(struct collection *c) {
        struct collection_event *oldest = collection_event_at(c, c->first++);

        c->gone = oldest->revision;
        collection_event_clear(oldest);
}

static void add_event(struct collection *c, const struct collection_event *event) {
        if (c->next - c->first == c->size && c->size < COLLECTION_EVENTS_MAX &&
            is_younger(collection_event_at(c, c->first), COLLECTION_EVENTS_YOUNG_MS))
                resize(c, 2 * c->size);
        if (c->next - c->first == c->size)
                drop_oldest(c);
        *collection_event_at(c, c->next++) = *event;
        c->last = event->revision;
}

/* Whether there may be more to forget. */
static bool compact_some(struct collection *c, int64_t revision, int64_t young_ms) {
        for (size_t n = 0; n < COLLECTION_COMPACT_EVENTS; n++) {
                const struct collection_event *oldest = collection_event_at(c, c->first);

                if (c->next - c->first <= COLLECTION_EVENTS_MIN || oldest->revision > revision ||
                    is_younger(oldest, young_ms))
                        return false;
                drop_oldest(c);
        }
        return true;
}

/* To a half of the ring at most: one that is full would grow again at the next event. */
static void shrink(struct collection *c) {
        size_t size = c->size;

        while (size > COLLECTION_EVENTS_MIN && c->next - c->first <= size / 4)
                size /= 2;
        if (size < c->size)
                resize(c, size);
}

void collection_compact(struct collection *c, int64_t revision, int64_t young_ms) {
        bool more;

        do {
                pthread_rwlock_wrlock(&c->lock);
                more = compact_some(c, revision, young_ms);
                if (!more)
                        shrink(c);
                pthread_rwlock_unlock(&c->lock);
        } while (more);
}

/* Puts @object in the place of @previous in the index, or takes it out. */
static int change_index(struct collection *c, struct object *previous, struct object *object, bool deleted) {
        int r;

        if (previous)
                index_remove(&c->objects, previous);
        if (deleted)
                return 0;
        r = index_add(&c->objects, object);
        if (r == 0)
                object_ref(object);
        return r;
}

int collection_apply(struct collection *c, struct object *changed, bool deleted) {
        _cleanup_object_ struct object *object = object_pack(changed, c->packer);
        struct collection_event event = { .revision = object->revision, .at_ms = clock_ms(CLOCK_MONOTONIC_COARSE) };
        int r;

        pthread_rwlock_wrlock(&c->lock);
        assert(object->revision > c->last);
        event.previous = index_find(&c->objects, place_order, object); /* with the index's reference */
        assert(event.previous || !deleted);
        event.type = deleted ? COLLECTION_DELETED : event.previous ? COLLECTION_MODIFIED : COLLECTION_ADDED;
        r = change_index(c, event.previous, object, deleted);
        if (r == 0) {
                event.object = object_ref(object);
                add_event(c, &event);
        }
        pthread_rwlock_unlock(&c->lock);
        if (r < 0)
                return r;
        pthread_mutex_lock(&c->listening);
        LIST_EACH (listeners, listener, &c->listeners)
                listener->changed(listener);
        pthread_mutex_unlock(&c->listening);
        return 0;
}

void collection_listen(struct collection *collection, struct collection_listener *listener) {
        pthread_mutex_lock(&collection->listening);
        listeners_append(&collection->listeners, listener);
        pthread_mutex_unlock(&collection->listening);
}

void collection_ignore(struct collection *collection, struct collection_listener *listener) {
        pthread_mutex_lock(&collection->listening);
        listeners_remove(listener);
        pthread_mutex_unlock(&collection->listening);
}

struct object *collection_get(struct collection *c, const char *namespace, const char *name) {
        const struct index_pair place = { namespace, name };
        struct object *o;

        pthread_rwlock_rdlock(&c->lock);
        o = index_find(&c->objects, place_key, &place);
        if (o)
                object_ref(o);
        pthread_rwlock_unlock(&c->lock);
        return o;
}

size_t collection_count(struct collection *c) {
        size_t n;

        pthread_rwlock_rdlock(&c->lock);
        n = index_count(&c->objects);
        pthread_rwlock_unlock(&c->lock);
        return n;
}

void collection_look(struct collection *c, int64_t *ret_last, int64_t *ret_revision) {
        pthread_rwlock_rdlock(&c->lock);
        *ret_last = c->last;
        *ret_revision = collection_told(c);
        pthread_rwlock_unlock(&c->lock);
}

uint64_t collection_first_after(const struct collection *c, int64_t revision) {
        uint64_t low = c->first, high = c->next;

        while (low < high) {
                uint64_t middle = low + (high - low) / 2;

                if (collection_event_at(c, middle)->revision > revision)
                        high = middle;
                else
                        low = middle + 1;
        }
        return low;
}

int64_t collection_gone(struct collection *c) {
        int64_t gone;

        pthread_rwlock_rdlock(&c->lock);
        gone = c->gone;
        pthread_rwlock_unlock(&c->lock);
        return gone;
}

int collection_seek(struct collection *c, int64_t revision, uint64_t *ret_number) {
        int r = 0;

        pthread_rwlock_rdlock(&c->lock);
        if (revision < c->gone)
                r = -ESTALE;
        else
                *ret_number = collection_first_after(c, revision);
        pthread_rwlock_unlock(&c->lock);
        return r;
}

int collection_read(struct collection *c, uint64_t number, struct collection_event *events, size_t max,
                    int64_t *ret_revision) {
        size_t n = 0;

        pthread_rwlock_rdlock(&c->lock);
        if (number < c->first) {
                pthread_rwlock_unlock(&c->lock);
                return -ESTALE;
        }
        for (; n < max && number < c->next; n++, number++) {
                events[n] = *collection_event_at(c, number);
                object_ref(events[n].object);
                if (events[n].previous)
                        object_ref(events[n].previous);
        }
        *ret_revision = collection_told(c);
        pthread_rwlock_unlock(&c->lock);
        return (int)n;
}

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/cache/internal.h"

static int64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct collection *collection_new(const _Atomic int64_t *told) {
        struct collection *c = calloc(1, sizeof(*c));
        pthread_rwlockattr_t writers_first;

        if (!c || !(c->ring = calloc(COLLECTION_EVENTS_MIN, sizeof(*c->ring)))) {
                free(c);
                return NULL;
        }
        c->told = told;
        c->size = COLLECTION_EVENTS_MIN;
        c->first = c->next = 1;
        c->objects = (struct index)INDEX_INIT(place_order);
        /* Lists that follow one another without a pause would keep changes out for as long as they like. */
        pthread_rwlockattr_init(&writers_first);
        pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
        pthread_rwlock_init(&c->lock, &writers_first);
        pthread_rwlockattr_destroy(&writers_first);
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
        free(collection->ring);
        free(collection);
}

int collection_load(struct collection *c, struct object *object) {
        int r = index_add(&c->objects, object);

        assert(r != -EEXIST && c->first == c->next);
        if (r < 0)
                return r;
        object_ref(object);
        if (object->revision > c->last)
                c->last = c->gone = object->revision;
        return 0;
}

void collection_loaded(struct collection *c, int64_t revision) {
        assert(c->first == c->next && revision >= c->gone);
        c->gone = revision;
}

/* Twice the room, when what would be lost is young. Without memory the old room does. */
static void grow(struct collection *c) {
        struct collection_event *larger;

        if (c->size == COLLECTION_EVENTS_MAX ||
            collection_event_at(c, c->first)->at_ms < now_ms() - COLLECTION_EVENTS_YOUNG_MS)
                return;
        larger = malloc(2 * c->size * sizeof(*larger));
        if (!larger)
                return;
        for (uint64_t n = c->first; n < c->next; n++)
                larger[n & (2 * c->size - 1)] = *collection_event_at(c, n);
        free(c->ring);
        c->ring = larger;
        c->size *= 2;
}

static void add_event(struct collection *c, const struct collection_event *event) {
        if (c->next - c->first == c->size)
                grow(c);
        if (c->next - c->first == c->size) {
                struct collection_event *oldest = collection_event_at(c, c->first++);

                c->gone = oldest->revision;
                collection_event_clear(oldest);
        }
        *collection_event_at(c, c->next++) = *event;
        c->last = event->revision;
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

int collection_apply(struct collection *c, struct object *object, bool deleted) {
        struct collection_event event = { .revision = object->revision, .at_ms = now_ms() };
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

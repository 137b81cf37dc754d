#include "client/informer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uv.h>

#include "client/backend.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"

#define WATCH_LIVED_MS 1000 /* one that ended sooner, and had told nothing, has failed */

LIST_DEFINE(handlers, struct informer_handler, in_informer)
INDEX_PAIR_ORDER(place, struct client_object, namespace, name)

struct informer {
        struct informers *informers;
        struct client_scope scope;
        bool keeps, started, synced;
        struct handlers handlers;
        struct index store, fresh; /* what is there; what the list under way has brought */
        struct client_call *list;
        struct client_watch *watch;
        uv_timer_t *timer;
        bool lists_next; /* when the timer comes */
        bool again;      /* the next timer lists, whatever it was set for */
        bool lost;       /* there was no memory for a change */
        bool told;       /* the watch has told something */
        bool unreadable; /* the last list was, and that is in the log */
        int64_t revision;
        uint64_t began_ms; /* when the watch began */
        unsigned retry_ms;
        struct list_node in_informers;
};

LIST_DEFINE(informer_list, struct informer, in_informers)

struct informers {
        struct client *client;
        struct informer_list all;
        bool do_without; /* what the server does not have has no objects */
        void (*synced)(void *data);
        void *data;
};

/* --- telling --- */

static void tell(struct informer *i, enum client_change change, struct client_object *object,
                 struct client_object *old) {
        LIST_EACH (handlers, h, &i->handlers)
                if (h->changed)
                        h->changed(h, change, object, old);
}

static void tell_synced(struct informer *i) {
        struct informers *all = i->informers;

        if (i->synced)
                return;
        i->synced = true;
        if (all->synced && informers_synced(all))
                all->synced(all->data);
}

/* --- the store --- */

static void clear(struct index *index) {
        struct index_cursor at = index_seek(index, NULL, NULL);

        for (struct client_object *o = index_at(&at); o; o = index_next(&at))
                client_object_unref(o);
        index_clear(index);
}

static struct client_object *find(const struct index *index, const struct client_object *object) {
        const struct index_pair pair = { object->namespace, object->name };

        return index_find(index, place_key, &pair);
}

/* What has gone, and what is new or another than before. The store is the new one when handlers hear of it. */
static void take_fresh(struct informer *i) {
        struct index old = i->store;
        struct index_cursor at;

        i->store = i->fresh;
        i->fresh = (struct index)INDEX_INIT(place_order);
        at = index_seek(&old, NULL, NULL);
        for (struct client_object *o = index_at(&at); o; o = index_next(&at))
                if (!find(&i->store, o))
                        tell(i, CLIENT_DELETED, o, o);
        at = index_seek(&i->store, NULL, NULL);
        for (struct client_object *o = index_at(&at); o; o = index_next(&at)) {
                struct client_object *before = find(&old, o);

                if (!before || before->revision != o->revision)
                        tell(i, before ? CLIENT_MODIFIED : CLIENT_ADDED, o, before);
        }
        clear(&old);
}

/* --- list, watch, and again --- */

static void on_timer(uv_timer_t *timer);

static unsigned jitter(unsigned ms) {
        unsigned random = 0;

        return getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random) ? ms + random % (ms + 1) : ms;
}

static void wait(struct informer *i, bool lists, unsigned ms) {
        i->lists_next = lists || i->again;
        uv_timer_start(i->timer, on_timer, ms, 0);
}

/* Waits for @first_ms after the first failure in a row. */
static void back_off_from(struct informer *i, bool lists, unsigned first_ms) {
        i->retry_ms = i->retry_ms == 0                        ? first_ms :
                      i->retry_ms * 2 > INFORMER_RETRY_MAX_MS ? INFORMER_RETRY_MAX_MS :
                                                                i->retry_ms * 2;
        wait(i, lists, jitter(i->retry_ms));
}

static void back_off(struct informer *i, bool lists) {
        back_off_from(i, lists, INFORMER_RETRY_MIN_MS);
}

static void on_listed_object(void *data, struct client_object *object) {
        struct informer *i = data;

        if (!i->keeps)
                return tell(i, CLIENT_ADDED, object, NULL);
        if (i->lost)
                return;
        if (index_add(&i->fresh, object) < 0)
                i->lost = true;
        else
                client_object_ref(object);
}

static void on_changed(void *data, enum client_change change, struct client_object *object) {
        struct informer *i = data;
        struct client_object *old = NULL;

        i->told = true;
        i->revision = object->revision;
        if (i->lost)
                return;
        if (i->keeps) {
                old = index_remove(&i->store, object);
                if (change != CLIENT_DELETED && index_add(&i->store, object) < 0) {
                        i->lost = true;
                        wait(i, true, INFORMER_RETRY_MIN_MS);
                } else if (change != CLIENT_DELETED)
                        client_object_ref(object);
        }
        tell(i, change, object, old);
        client_object_unref(old);
}

static void on_bookmark(void *data, int64_t revision) {
        struct informer *i = data;

        i->told = true;
        i->revision = revision;
}

static void on_ended(void *data, int error, const char *why) {
        struct informer *i = data;
        bool lived = i->told || uv_now(i->informers->client->loop) - i->began_ms >= WATCH_LIVED_MS;

        i->watch = NULL;
        if (lived)
                i->retry_ms = 0;
        if (error < 0 && error != -ESTALE)
                log_debug("watch of %s: %s", i->scope.kind->resource, why);
        if (lived && (error == 0 || error == -ESTALE))
                wait(i, error == -ESTALE, 0);
        else
                back_off(i, error == -ESTALE);
}

static const struct client_watch_events watch_events = { .changed = on_changed,
                                                         .bookmark = on_bookmark,
                                                         .ended = on_ended };

static void begin_watch(struct informer *i) {
        int r;

        i->told = false;
        i->began_ms = uv_now(i->informers->client->loop);
        r = client_watch(i->informers->client, &i->scope, i->revision, &watch_events, i, &i->watch);
        if (r < 0) {
                i->watch = NULL;
                back_off(i, r == -ESTALE);
        }
}

static void end_list(struct informer *i) {
        if (i->keeps)
                take_fresh(i);
        LIST_EACH (handlers, h, &i->handlers)
                if (!i->keeps && h->list_ends)
                        h->list_ends(h);
}

/* A server that is away comes back; what is there and cannot be read is for somebody to mend, as is a 404. */
static void tell_failure(struct informer *i, int error, const char *why) {
        bool unreadable = error == -EINVAL || error == -E2BIG || error == -ENOENT;

        log_write(unreadable && !i->unreadable ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG, "list of %s: %s%s",
                  i->scope.kind->resource, why, unreadable ? "; what was known before stays as it is" : "");
        i->unreadable |= unreadable;
}

/* A kind that the server does not have may come. */
static void on_listed(void *data, int error, int64_t revision, const char *why) {
        struct informer *i = data;

        i->list = NULL;
        if (error == 0 && i->lost)
                error = -ENOMEM;
        if (error < 0 && !(error == -ENOENT && i->informers->do_without)) {
                tell_failure(i, error, why);
                clear(&i->fresh);
                i->lost = false;
                return back_off_from(i, true, error == -EACCES ? INFORMER_DENIED_MS : INFORMER_RETRY_MIN_MS);
        }
        i->unreadable = false;
        end_list(i);
        tell_synced(i);
        if (error == -ENOENT)
                return wait(i, true, jitter(INFORMER_RETRY_MAX_MS));
        i->revision = revision;
        begin_watch(i);
}

static const struct client_list_events list_events = { .object = on_listed_object, .done = on_listed };

static void begin_list(struct informer *i) {
        int r;

        i->lost = i->again = false;
        r = client_list(i->informers->client, &i->scope, &list_events, i, &i->list);
        if (r < 0) {
                i->list = NULL;
                return back_off(i, true);
        }
        LIST_EACH (handlers, h, &i->handlers)
                if (!i->keeps && h->list_begins)
                        h->list_begins(h);
}

static void on_timer(uv_timer_t *timer) {
        struct informer *i = timer->data;

        if (i->watch) { /* it could not be kept up with */
                client_watch_free(i->watch);
                i->watch = NULL;
        }
        if (i->lists_next)
                begin_list(i);
        else
                begin_watch(i);
}

/* --- informers --- */

static int start(struct informer *i) {
        if (i->started)
                return 0;
        i->timer = handle_timer(i->informers->client->loop, i);
        if (!i->timer)
                return -ENOMEM;
        i->started = true;
        begin_list(i);
        return 0;
}

struct informers *informers_new(struct client *client, void (*synced)(void *data), void *data) {
        struct informers *informers = calloc(1, sizeof(*informers));

        if (informers)
                *informers = (struct informers){ .client = client, .synced = synced, .data = data };
        return informers;
}

void informers_do_without(struct informers *informers) {
        informers->do_without = true;
}

static void informer_free(struct informer *i) {
        struct informer_handler *h;

        while ((h = handlers_first(&i->handlers)))
                handlers_remove(h);
        client_cancel(i->list);
        client_watch_free(i->watch);
        handle_free(i->timer);
        clear(&i->store);
        clear(&i->fresh);
        free(i);
}

void informers_free(struct informers *informers) {
        struct informer *i;

        if (!informers)
                return;
        while ((i = informer_list_pop(&informers->all)))
                informer_free(i);
        free(informers);
}

struct informer *informers_add(struct informers *informers, const struct client_scope *scope, bool keeps) {
        struct informer *i = calloc(1, sizeof(*i));

        if (!i)
                return NULL;
        i->informers = informers;
        i->scope = *scope;
        i->keeps = keeps;
        i->store = i->fresh = (struct index)INDEX_INIT(place_order);
        informer_list_append(&informers->all, i);
        return i;
}

struct informer *informers_get(struct informers *informers, const struct kube_kind *kind, const char *fields,
                               bool keeps) {
        LIST_EACH (informer_list, known, &informers->all)
                if (known->scope.kind == kind && strcmp(known->scope.fields ?: "", fields ?: "") == 0) {
                        known->keeps |= keeps;
                        return known;
                }
        return informers_add(informers, &(struct client_scope){ .kind = kind, .fields = fields }, keeps);
}

int informers_start(struct informers *informers) {
        int r = 0;

        LIST_EACH (informer_list, i, &informers->all)
                r = r ?: start(i);
        return r;
}

bool informers_synced(const struct informers *informers) {
        LIST_EACH (informer_list, i, &informers->all)
                if (!i->synced)
                        return false;
        return true;
}

void informer_add(struct informer *informer, struct informer_handler *handler) {
        handlers_append(&informer->handlers, handler);
}

void informer_list_again(struct informer *informer, unsigned ms) {
        if (informer->again)
                return;
        informer->again = true;
        wait(informer, true, ms);
}

const struct kube_kind *informer_kind(const struct informer *informer) {
        return informer->scope.kind;
}

struct client_object *informer_find(const struct informer *informer, const char *namespace, const char *name) {
        const struct index_pair pair = { namespace, name };

        return index_find(&informer->store, place_key, &pair);
}

static void settle(struct informer_walk *walk) {
        walk->object = index_at(&walk->cursor);
        if (walk->object && walk->namespace && strcmp(walk->object->namespace, walk->namespace) != 0)
                walk->object = NULL;
}

struct informer_walk informer_first(const struct informer *informer, const char *namespace) {
        const struct index_pair pair = { namespace, NULL };
        struct informer_walk walk = { .namespace = namespace };

        walk.cursor = index_seek(&informer->store, place_key, &pair);
        settle(&walk);
        return walk;
}

void informer_next(struct informer_walk *walk) {
        index_next(&walk->cursor);
        settle(walk);
}

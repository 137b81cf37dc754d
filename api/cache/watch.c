#include "api/cache/watch.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/index.h"

#define BATCH 64

/* What a watcher wants beyond its topic; most want nothing. */
struct wish {
        struct watch_config config; /* its texts are here */
        char texts[];
};

struct watcher {
        struct topic *topic;
        struct wish *wish; /* NULL: all of the topic */
        bool (*on_event)(void *data, const struct watch_event *event);
        void (*on_gone)(void *data);
        void *data;
        int64_t begin; /* the revision it began after, which may be yet to come */
        uint64_t next; /* number of the next event to look at; where it is not behind, at least the set's */
        bool behind, takes;
        struct list_node in_list; /* of its topic, or of those that are behind */
};

LIST_DEFINE(watchers, struct watcher, in_list)

/* What watchers watch: all (FIELD_ALL), a namespace, a name in one, a name in any, a field's value. */
enum { TOPIC_ALL = -4, TOPIC_NAMESPACE, TOPIC_PLACE, TOPIC_NAME, _TOPIC_FIELDS };

struct topic_key {
        int kind; /* one of the above, or the number of a field */
        const char *first, *second;
};

struct topic {
        struct watch_set *set;
        struct topic_key key;
        uint32_t n_watchers;
        struct watchers current;
        char texts[]; /* of the key */
};

static int topic_key(const void *key, const void *object) {
        const struct topic_key *a = key, *b = &((const struct topic *)object)->key;
        int c = a->kind < b->kind ? -1 : a->kind > b->kind;

        if (c == 0)
                c = strcmp(a->first, b->first);
        return c ?: strcmp(a->second, b->second);
}

static int topic_order(const void *a, const void *b) {
        return topic_key(&((const struct topic *)a)->key, b);
}

struct watch_set {
        struct collection *collection;
        struct collection_listener listener;
        atomic_bool woken;
        void (*wake)(void *data);
        void *data;
        uint64_t next;    /* number of the next event to tell */
        int64_t revision; /* all up to it has been told */
        struct index topics;
        struct watchers behind;
};

static void on_changed(struct collection_listener *listener) {
        struct watch_set *set = (struct watch_set *)((char *)listener - offsetof(struct watch_set, listener));

        if (!atomic_exchange(&set->woken, true))
                set->wake(set->data);
}

struct watch_set *watch_set_new(struct collection *collection, void (*wake)(void *data), void *data) {
        struct watch_set *set = calloc(1, sizeof(*set));

        if (!set)
                return NULL;
        *set = (struct watch_set){ .collection = collection, .wake = wake, .data = data };
        set->topics = (struct index)INDEX_INIT(topic_order);
        set->listener.changed = on_changed;
        collection_listen(collection, &set->listener);
        collection_seek(collection, INT64_MAX, &set->next);
        return set;
}

void watch_set_free(struct watch_set *set) {
        if (!set)
                return;
        assert(index_count(&set->topics) == 0);
        collection_ignore(set->collection, &set->listener);
        free(set);
}

static bool is_of(const struct topic_key *key, const struct object *o) {
        switch (key->kind) {
        case TOPIC_ALL:
                return true;
        case TOPIC_NAMESPACE:
                return strcmp(key->first, o->namespace) == 0;
        case TOPIC_PLACE:
                return strcmp(key->first, o->namespace) == 0 && strcmp(key->second, o->name) == 0;
        case TOPIC_NAME:
                return strcmp(key->first, o->name) == 0;
        default:
                return key->kind < o->n_fields && strcmp(key->first, o->fields[key->kind]) == 0;
        }
}

static bool fulfils(const struct watch_config *c, const struct object *o) {
        const struct collection_filter *f = &c->filter;

        return (!f->namespace || strcmp(f->namespace, o->namespace) == 0) &&
               (c->field < 0 || (c->field < o->n_fields && strcmp(c->value, o->fields[c->field]) == 0)) &&
               (!f->matches || f->matches(f->data, o));
}

static bool wants(const struct watcher *w, const struct object *o) {
        return is_of(&w->topic->key, o) && (!w->wish || fulfils(&w->wish->config, o));
}

/* Tells @w of @event, as far as it concerns it. */
static void tell(struct watcher *w, const struct collection_event *event) {
        bool was = event->previous && wants(w, event->previous);
        bool is = event->type != COLLECTION_DELETED && wants(w, event->object);
        struct watch_event told = { .revision = event->revision, .object = event->object };

        if ((!was && !is) || event->revision <= w->begin)
                return;
        told.type = !was ? COLLECTION_ADDED : is ? COLLECTION_MODIFIED : COLLECTION_DELETED;
        if (told.type == COLLECTION_DELETED && event->type != COLLECTION_DELETED)
                told.object = event->previous; /* what it is now is not for this watcher's eyes */
        w->takes = w->on_event(w->data, &told);
}

static void tell_topic(struct watch_set *set, int kind, const char *first, const char *second, uint64_t number,
                       const struct collection_event *event) {
        const struct topic_key key = { kind, first, second };
        struct topic *topic = index_find(&set->topics, topic_key, &key);

        if (!topic)
                return;
        LIST_EACH (watchers, w, &topic->current) {
                if (number < w->next) /* it began after this one */
                        continue;
                tell(w, event);
                if (w->takes)
                        continue;
                w->next = number + 1;
                w->behind = true;
                watchers_remove(w);
                watchers_append(&set->behind, w);
        }
}

static void tell_fields(struct watch_set *set, uint64_t number, const struct collection_event *event) {
        const struct object *o = event->object, *before = event->previous;

        for (int i = 0; i < o->n_fields; i++) {
                bool moved = before && i < before->n_fields && strcmp(before->fields[i], o->fields[i]) != 0;

                tell_topic(set, i, o->fields[i], "", number, event);
                if (moved)
                        tell_topic(set, i, before->fields[i], "", number, event);
        }
}

static void tell_current(struct watch_set *set, uint64_t number, const struct collection_event *event) {
        const struct object *o = event->object;

        tell_topic(set, TOPIC_ALL, "", "", number, event);
        tell_topic(set, TOPIC_NAMESPACE, o->namespace, "", number, event);
        tell_topic(set, TOPIC_PLACE, o->namespace, o->name, number, event);
        tell_topic(set, TOPIC_NAME, o->name, "", number, event);
        tell_fields(set, number, event);
}

static void go_current(struct watcher *w) {
        w->behind = false;
        watchers_remove(w);
        watchers_append(&w->topic->current, w);
}

/* From its place in the ring to where the set is, or as far as it takes events. Returns false when it has to be told
 * that it lost some. */
static bool catch_up(struct watcher *w) {
        struct watch_set *set = w->topic->set;
        struct collection_event events[BATCH];

        while (w->takes && w->next < set->next) {
                size_t max = set->next - w->next < BATCH ? (size_t)(set->next - w->next) : BATCH;
                int64_t revision;
                int n = collection_read(set->collection, w->next, events, max, &revision);

                if (n < 0)
                        return false;
                for (int i = 0; i < n; i++) {
                        if (w->takes) {
                                tell(w, &events[i]);
                                w->next++;
                        }
                        collection_event_clear(&events[i]);
                }
        }
        if (w->takes)
                go_current(w);
        return true;
}

static void lose(struct watcher *w) {
        w->takes = false;
        w->on_gone(w->data);
}

static void lose_current(struct watch_set *set) {
        struct index_cursor at = index_seek(&set->topics, NULL, NULL);

        for (struct topic *t = index_at(&at); t; t = index_next(&at))
                for (struct watcher *w; (w = watchers_pop(&t->current));) {
                        w->next = w->next > set->next ? w->next : set->next;
                        w->behind = true;
                        watchers_append(&set->behind, w);
                }
}

/* Tells those that keep up of all that is new. */
static void run_current(struct watch_set *set) {
        struct collection_event events[BATCH];
        int64_t revision = 0;
        int n;

        do {
                n = collection_read(set->collection, set->next, events, BATCH, &revision);
                if (n == -ESTALE) { /* the loop itself was too slow for the ring */
                        lose_current(set);
                        collection_seek(set->collection, INT64_MAX, &set->next);
                        return;
                }
                for (int i = 0; i < n; i++) {
                        tell_current(set, set->next++, &events[i]);
                        collection_event_clear(&events[i]);
                }
        } while (n == BATCH);
        set->revision = revision;
}

void watch_set_run(struct watch_set *set) {
        struct watchers late = { 0 };

        atomic_store(&set->woken, false);
        run_current(set);
        watchers_take(&late, &set->behind); /* on_gone() may free any of them, or others */
        for (struct watcher *w; (w = watchers_pop(&late));) {
                watchers_append(&set->behind, w);
                if (w->takes && !catch_up(w))
                        lose(w);
        }
}

static struct topic_key choose_topic(const struct watch_config *c) {
        const struct collection_filter *f = &c->filter;

        if (f->name)
                return f->namespace ? (struct topic_key){ TOPIC_PLACE, f->namespace, f->name } :
                                      (struct topic_key){ TOPIC_NAME, f->name, "" };
        if (c->field >= 0)
                return (struct topic_key){ c->field, c->value, "" };
        return f->namespace ? (struct topic_key){ TOPIC_NAMESPACE, f->namespace, "" } :
                              (struct topic_key){ TOPIC_ALL, "", "" };
}

/* Whether that topic has others than those that are wanted. A name in it says which. */
static bool wishes_more(const struct watch_config *c, const struct topic_key *topic) {
        return c->filter.matches || (c->field >= 0 && topic->kind != c->field) ||
               (c->filter.namespace && topic->kind != TOPIC_NAMESPACE && topic->kind != TOPIC_PLACE);
}

/* Copies @text to *@to, moves that on, and returns the copy. */
static const char *put_text(char **to, const char *text) {
        char *copy = *to;

        *to = stpcpy(copy, text) + 1;
        return copy;
}

static struct wish *wish_new(const struct watch_config *c) {
        const char *namespace = c->filter.namespace, *value = c->field >= 0 ? c->value : NULL;
        struct wish *wish = malloc(sizeof(*wish) + strlen(namespace ?: "") + strlen(value ?: "") + 2);
        char *to = wish ? wish->texts : NULL;

        if (!wish)
                return NULL;
        wish->config = *c;
        wish->config.filter.name = NULL; /* the topic has it */
        if (namespace)
                wish->config.filter.namespace = put_text(&to, namespace);
        if (value)
                wish->config.value = put_text(&to, value);
        return wish;
}

static struct topic *topic_new(struct watch_set *set, const struct topic_key *key) {
        struct topic *t = calloc(1, sizeof(*t) + strlen(key->first) + strlen(key->second) + 2);
        char *to = t ? t->texts : NULL;

        if (!t)
                return NULL;
        t->set = set;
        t->key.kind = key->kind;
        t->key.first = put_text(&to, key->first);
        t->key.second = put_text(&to, key->second);
        if (index_add(&set->topics, t) == 0)
                return t;
        free(t);
        return NULL;
}

static struct topic *take_topic(struct watch_set *set, const struct topic_key *key) {
        struct topic *t = index_find(&set->topics, topic_key, key) ?: topic_new(set, key);

        if (t)
                t->n_watchers++;
        return t;
}

static void drop_topic(struct topic *t) {
        if (--t->n_watchers > 0)
                return;
        index_remove(&t->set->topics, t);
        free(t);
}

static int begin(struct watcher *w, struct watch_set *set, const struct watch_config *config) {
        const struct topic_key key = choose_topic(config);
        int r = collection_seek(set->collection, w->begin, &w->next);

        if (r < 0)
                return r;
        if (wishes_more(config, &key) && !(w->wish = wish_new(config)))
                return -ENOMEM;
        w->topic = take_topic(set, &key);
        return w->topic ? 0 : -ENOMEM;
}

int watcher_new(struct watch_set *set, const struct watch_config *config, int64_t revision,
                struct watcher **ret_watcher) {
        struct watcher *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        *w = (struct watcher){ .on_event = config->on_event,
                               .on_gone = config->on_gone,
                               .data = config->data,
                               .begin = revision,
                               .behind = true,
                               .takes = !config->waits };
        r = begin(w, set, config);
        if (r < 0) {
                free(w->wish);
                free(w);
                return r;
        }
        watchers_append(&set->behind, w);
        if (w->takes && w->next >= set->next)
                go_current(w);
        *ret_watcher = w;
        return 0;
}

void watcher_free(struct watcher *watcher) {
        if (!watcher)
                return;
        watchers_remove(watcher);
        drop_topic(watcher->topic);
        free(watcher->wish);
        free(watcher);
}

void watcher_resume(struct watcher *watcher) {
        watcher->takes = true;
        if (watcher->behind && !catch_up(watcher))
                lose(watcher);
}

int64_t watcher_revision(const struct watcher *watcher) {
        int64_t revision = watcher->topic->set->revision;

        if (watcher->behind)
                return 0;
        return revision > watcher->begin ? revision : watcher->begin;
}

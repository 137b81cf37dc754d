/* One ConfigMap or Secret and its watch. A watch is never ended from within what it tells: that waits for the turn. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/objects/internal.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

static const struct kube_kind kinds[] = {
        [POD_CONFIG_MAP] = { .group = "",
                             .version = "v1",
                             .kind = "ConfigMap",
                             .type = &kube_config_map_type,
                             .resource = "configmaps",
                             .namespaced = true },
        [POD_SECRET] = { .group = "",
                         .version = "v1",
                         .kind = "Secret",
                         .type = &kube_secret_type,
                         .resource = "secrets",
                         .namespaced = true },
};

static void look_later(struct watched *w) {
        if (!watched_due_contains(w))
                watched_due_append(&w->objects->watched_due, w);
        objects_turn(w->objects);
}

static void set(struct watched *w, enum pod_source_state state, struct pod_object *object, int64_t revision) {
        pod_object_unref(w->object);
        w->object = object;
        w->state = state;
        w->revision = revision;
        w->changed = true;
        look_later(w);
}

/* One that cannot be read is as it was before. */
static void take(struct watched *w, const struct client_object *from) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        struct pod_object *object = NULL;
        const struct value *tree = NULL;
        int r;

        if (w->state == POD_SOURCE_THERE && w->revision == from->revision)
                return;
        r = arena ? client_object_tree(arena, from, &tree) : -ENOMEM;
        if (r == 0)
                r = pod_object_read(w->kind, tree, &object, &err);
        if (r == -ENOMEM) {
                w->lost = true;
                look_later(w);
        }
        if (r < 0)
                log_error("%s %s/%s of the API service cannot be read: %s", kinds[w->kind].kind, w->namespace, w->name,
                          err ? err_text(err) : strerror(-r));
        else
                set(w, POD_SOURCE_THERE, object, from->revision);
}

static struct watched *watched_of(struct informer_handler *handler) {
        return (struct watched *)((char *)handler - offsetof(struct watched, heard));
}

static void on_changed(struct informer_handler *handler, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        struct watched *w = watched_of(handler);

        if (strcmp(object->name, w->name) != 0 || strcmp(object->namespace, w->namespace) != 0)
                return;
        w->listed = true;
        if (change == CLIENT_DELETED)
                set(w, POD_SOURCE_MISSING, NULL, object->revision);
        else
                take(w, object);
}

static void on_list_begins(struct informer_handler *handler) {
        watched_of(handler)->listed = false;
}

static void on_list_ends(struct informer_handler *handler) {
        struct watched *w = watched_of(handler);

        if (!w->listed && w->state != POD_SOURCE_MISSING)
                set(w, POD_SOURCE_MISSING, NULL, 0);
}

/* -- its watch --------------------------------------------------------------------------------------------- */

static int begin(struct watched *w) {
        const struct client_scope scope = { .kind = &kinds[w->kind], .namespace = w->namespace, .fields = w->fields };
        struct informer *informer;

        w->heard = (struct informer_handler){ .changed = on_changed,
                                              .list_begins = on_list_begins,
                                              .list_ends = on_list_ends };
        w->informers = informers_new(w->objects->client, NULL, NULL);
        informer = w->informers ? informers_add(w->informers, &scope, false) : NULL;
        if (informer)
                informer_add(informer, &w->heard);
        if (informer && informers_start(w->informers) == 0)
                return 0;
        informers_free(w->informers);
        w->informers = NULL;
        return -ENOMEM;
}

int watched_ask(struct watched *w) {
        if (w->informers || w->state == POD_SOURCE_THERE || !w->objects->asks)
                return 0;
        if (w->objects->watched.n > OBJECTS_WATCHED_MAX) {
                log_error("%s %s/%s is not watched: pods name more than %d objects", kinds[w->kind].kind, w->namespace,
                          w->name, OBJECTS_WATCHED_MAX);
                return 0;
        }
        return begin(w);
}

static void destroy(struct watched *w) {
        if (watched_due_contains(w))
                watched_due_remove(w);
        informers_free(w->informers);
        pod_object_unref(w->object);
        table_remove(&w->objects->watched, &w->by_key);
        free(w);
}

static bool is_held_by(const struct holder *holder, const struct watched *w) {
        for (size_t i = 0; i < holder->n_watched; i++)
                if (holder->watched[i] == w)
                        return true;
        return false;
}

static void tell(struct watched *w) {
        w->changed = false;
        LIST_EACH (holders, holder, &w->objects->holders)
                if (is_held_by(holder, w))
                        objects_tell_later(holder);
}

/* Its list and watch begin anew, now or later. */
static void find_again(struct watched *w) {
        informers_free(w->informers);
        w->informers = NULL;
        w->lost = begin(w) < 0;
        if (!w->lost)
                return;
        if (!watched_due_contains(w))
                watched_due_append(&w->objects->watched_due, w);
        objects_turn_in(w->objects, OBJECTS_MEMORY_MS);
}

void watched_turn(struct objects *o) {
        struct watched_due due = { 0 };
        struct watched *w;

        watched_due_take(&due, &o->watched_due);
        while ((w = watched_due_pop(&due))) {
                if (w->n_holders == 0) {
                        destroy(w);
                        continue;
                }
                if (w->changed)
                        tell(w);
                if (w->lost)
                        find_again(w);
                else if (w->object && w->object->immutable) {
                        informers_free(w->informers);
                        w->informers = NULL;
                }
        }
}

/* -- from its beginning to its end ------------------------------------------------------------------------- */

static struct watched *make(struct objects *o, enum pod_object_kind kind, const char *namespace, const char *name) {
        size_t n = strlen(namespace) + 1, n_name = strlen(name) + 1, n_key = n + n_name + 2,
               n_fields = n_name + sizeof("metadata.name=");
        struct watched *w = calloc(1, sizeof(*w) + n_key + n + n_name + n_fields);
        char *at;

        if (!w)
                return NULL;
        w->objects = o;
        w->kind = kind;
        snprintf(w->key, n_key, "%c%s/%s", kind == POD_SECRET ? 's' : 'c', namespace, name);
        at = w->key + n_key;
        w->namespace = memcpy(at, namespace, n);
        w->name = memcpy(at + n, name, n_name);
        at += n + n_name;
        snprintf(at, n_fields, "metadata.name=%s", name);
        w->fields = at;
        if (table_add(&o->watched, &w->by_key, w->key) < 0) {
                free(w);
                return NULL;
        }
        return w;
}

struct watched *watched_get(struct objects *o, enum pod_object_kind kind, const char *namespace, const char *name) {
        _cleanup_free_ char *key = NULL;
        struct watched *w;

        if (asprintf(&key, "%c%s/%s", kind == POD_SECRET ? 's' : 'c', namespace, name) < 0) {
                key = NULL;
                return NULL;
        }
        w = table_object(table_find(&o->watched, key), struct watched, by_key);
        if (!w && !(w = make(o, kind, namespace, name)))
                return NULL;
        w->n_holders++;
        if (watched_ask(w) == 0)
                return w;
        watched_put(w);
        return NULL;
}

void watched_put(struct watched *w) {
        if (--w->n_holders == 0)
                look_later(w);
}

/* None has a holder any more, so that all wait for the turn. */
void watched_free_all(struct objects *o) {
        struct watched *w;

        while ((w = watched_due_first(&o->watched_due)))
                destroy(w);
}

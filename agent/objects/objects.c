#include "agent/objects/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/objects/internal.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"

/* -- what is told ------------------------------------------------------------------------------------------ */

static void tell(struct objects *o) {
        struct holders_due due = { 0 };
        struct holder *holder;

        holders_due_take(&due, &o->due);
        while ((holder = holders_due_pop(&due)))
                o->events.changed(o->events.data, holder->uid);
}

static void on_turn(uv_timer_t *timer) {
        struct objects *o = timer->data;

        watched_turn(o);
        tell(o);
}

void objects_turn(struct objects *o) {
        uv_timer_start(o->turn, on_turn, 0, 0);
}

void objects_turn_in(struct objects *o, unsigned ms) {
        if (!uv_is_active((uv_handle_t *)o->turn))
                uv_timer_start(o->turn, on_turn, ms, 0);
}

void objects_tell_later(struct holder *holder) {
        if (!holders_due_contains(holder))
                holders_due_append(&holder->objects->due, holder);
        objects_turn(holder->objects);
}

void objects_tell_all_later(struct objects *o) {
        LIST_EACH (holders, holder, &o->holders)
                objects_tell_later(holder);
}

/* -- holders ----------------------------------------------------------------------------------------------- */

static int hold_one(void *data, enum pod_object_kind kind, const char *name) {
        struct holder *h = data;
        struct watched **more;

        for (size_t i = 0; i < h->n_watched; i++)
                if (h->watched[i]->kind == kind && strcmp(h->watched[i]->name, name) == 0)
                        return 0;
        if (h->n_watched == OBJECTS_PER_POD_MAX) {
                log_error("pod %s/%s names more than %d ConfigMaps and Secrets; the others are not there for it",
                          h->pod->metadata.namespace, h->pod->metadata.name, OBJECTS_PER_POD_MAX);
                return 1;
        }
        if (!(more = reallocarray(h->watched, h->n_watched + 1, sizeof(struct watched *))))
                return -ENOMEM;
        h->watched = more;
        if (!(more[h->n_watched] = watched_get(h->objects, kind, h->pod->metadata.namespace, name)))
                return -ENOMEM;
        h->n_watched++;
        return 0;
}

static void let_go(struct holder *h) {
        tokens_end(h);
        for (size_t i = 0; i < h->n_watched; i++)
                watched_put(h->watched[i]);
        if (holders_due_contains(h))
                holders_due_remove(h);
        if (holders_contains(h)) {
                holders_remove(h);
                table_remove(&h->objects->by_uid, &h->by_uid);
        }
        free(h->watched);
        pod_sources_unref(h->kept);
        pod_unref(h->pod);
        free(h);
}

struct holder *objects_find(const struct objects *o, const char *uid) {
        return table_object(table_find(&o->by_uid, uid), struct holder, by_uid);
}

int objects_hold(struct objects *o, struct pod *pod, struct pod_sources *kept) {
        struct holder *h;
        int r;

        if ((h = objects_find(o, pod->metadata.uid)))
                return pod_each_named(pod, hold_one, h) < 0 ? -ENOMEM : 0;
        if (!(h = calloc(1, sizeof(*h))))
                return -ENOMEM;
        *h = (struct holder){
                .objects = o, .pod = pod_ref(pod), .uid = pod->metadata.uid, .kept = kept ? pod_sources_ref(kept) : NULL
        };
        if ((r = pod_each_named(pod, hold_one, h) < 0 ? -ENOMEM : tokens_begin(h)) < 0 ||
            (r = table_add(&o->by_uid, &h->by_uid, h->uid)) < 0) {
                let_go(h);
                return r;
        }
        holders_append(&o->holders, h);
        return 0;
}

void objects_release(struct objects *o, const char *uid) {
        struct holder *h = objects_find(o, uid);

        if (h)
                let_go(h);
}

/* -- sources ----------------------------------------------------------------------------------------------- */

const struct pod_sources *objects_stand_in(const struct holder *h) {
        return h->objects->away ? h->kept : NULL;
}

/* NULL: it is not known, or not there. */
static struct pod_object *object_of(const struct holder *h, const struct watched *w) {
        const struct pod_object *object = NULL;

        if (w->state == POD_SOURCE_UNKNOWN && objects_stand_in(h))
                pod_sources_object(h->kept, w->kind, w->name, &object, NULL);
        return w->object ? w->object : (struct pod_object *)object;
}

static bool add_object(struct pod_sources *sources, size_t i, const struct holder *h) {
        const struct watched *w = h->watched[i];
        struct pod_object *object = object_of(h, w);

        sources->objects[i].kind = w->kind;
        sources->objects[i].state = object ? POD_SOURCE_THERE : w->state;
        sources->objects[i].name = arena_strdup(sources->arena, w->name);
        sources->objects[i].object = object ? pod_object_ref(object) : NULL;
        return sources->objects[i].name;
}

static bool add_token(struct pod_sources *sources, size_t i, const struct holder *h) {
        struct pod_source_token *to = &sources->tokens[i];
        const struct token *t = &h->tokens[i];

        *to = (struct pod_source_token){ .audience = arena_strdup(sources->arena, t->audience),
                                         .seconds = t->seconds,
                                         .text = arena_strdup(sources->arena, t->text),
                                         .why = arena_strdup(sources->arena, t->why ?: ""),
                                         .left_out = objects_stand_in(h) };
        return to->audience && to->why && (to->text || !t->text);
}

int objects_sources(const struct objects *o, const char *uid, struct pod_sources **ret_sources) {
        const struct holder *h = objects_find(o, uid);
        struct pod_sources *sources = h ? pod_sources_new(h->n_watched, h->n_tokens) : NULL;
        bool whole = sources;

        for (size_t i = 0; whole && i < h->n_watched; i++)
                whole = add_object(sources, i, h);
        for (size_t i = 0; whole && i < h->n_tokens; i++)
                whole = add_token(sources, i, h);
        *ret_sources = whole ? sources : pod_sources_unref(sources);
        return h && !whole ? -ENOMEM : 0;
}

bool objects_known(const struct objects *o, const char *uid) {
        const struct holder *h = objects_find(o, uid);

        if (!h)
                return true;
        for (size_t i = 0; i < h->n_watched; i++)
                if (h->watched[i]->state == POD_SOURCE_UNKNOWN && !object_of(h, h->watched[i]))
                        return false;
        for (size_t i = 0; i < h->n_tokens; i++)
                if (!h->tokens[i].text && !h->tokens[i].why && !objects_stand_in(h))
                        return false;
        return o->have_services || objects_stand_in(h);
}

/* -- from its beginning to its end ------------------------------------------------------------------------- */

struct objects *objects_new(uv_loop_t *loop, struct client *client, const struct objects_events *events) {
        struct objects *o = calloc(1, sizeof(*o));

        if (!o)
                return NULL;
        *o = (struct objects){ .loop = loop,
                               .client = client,
                               .events = *events,
                               .services = INDEX_INIT(service_order),
                               .turn = handle_timer(loop, o),
                               .patience = handle_timer(loop, o) };
        if (!o->turn || !o->patience) {
                objects_free(o);
                return NULL;
        }
        return o;
}

static void on_away(uv_timer_t *timer) {
        struct objects *o = timer->data;

        o->away = true;
        LIST_EACH (holders, holder, &o->holders)
                if (holder->kept)
                        objects_tell_later(holder);
}

void objects_start(struct objects *o) {
        uv_update_time(o->loop);
        uv_timer_start(o->patience, on_away, OBJECTS_AWAY_MS, 0);
}

int objects_ask(struct objects *o) {
        int r = services_begin(o);

        o->asks = true;
        LIST_EACH (holders, holder, &o->holders) {
                for (size_t i = 0; r == 0 && i < holder->n_watched; i++)
                        r = watched_ask(holder->watched[i]);
                tokens_ask(holder);
        }
        return r;
}

void objects_clock_set(struct objects *o) {
        LIST_EACH (holders, holder, &o->holders)
                tokens_age(holder);
}

void objects_free(struct objects *o) {
        struct holder *h;

        if (!o)
                return;
        while ((h = holders_first(&o->holders)))
                let_go(h);
        watched_free_all(o);
        services_end(o);
        table_clear(&o->by_uid);
        table_clear(&o->watched);
        handle_free(o->turn);
        handle_free(o->patience);
        free(o);
}

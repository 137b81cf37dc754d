#include "api/controllers/known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/project.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/index.h"
#include "lib/log.h"
#include "lib/value.h"

#define OBJECT_BYTES 512 /* about what is known of one */

LIST_DEFINE(assumptions, struct known_object, in_assumed)
INDEX_PAIR_ORDER(place, struct known_object, namespace, name)

struct known {
        struct informer *informer;
        struct informer_handler handler;
        struct index by_name, by_owner;
        struct assumptions assumed;
        struct known_object *before, *now; /* of the change that is being told; before is owned where it is gone */
        bool before_gone;
        bool pods, maps; /* they are pods; their selectors are plain maps */
        struct kube_wanted *wanted;
        struct arena *arena, *scratch;
};

/* --- by owner --- */

struct owned_key {
        const char *owner, *namespace, *name; /* NULL: whichever */
};

static int owned_key(const void *key, const void *object) {
        const struct owned_key *k = key;
        const struct known_object *o = object;
        int c = strcmp(k->owner, o->owner);

        c = c || !k->namespace ? c : strcmp(k->namespace, o->namespace);
        return c || !k->name ? c : strcmp(k->name, o->name);
}

static int owned_order(const void *a, const void *b) {
        const struct known_object *o = a;

        return owned_key(&(struct owned_key){ o->owner, o->namespace, o->name }, b);
}

/* --- objects --- */

static struct known_object *object_free(struct known_object *o) {
        if (!o)
                return NULL;
        if (o->assumed)
                assumptions_remove(o);
        bytes_unref(o->json);
        arena_free(o->arena);
        return NULL;
}

/* -EINVAL: not an object. */
static int object_new(struct known *known, struct bytes *json, struct known_object **ret_object) {
        struct arena *arena = arena_new_small(OBJECT_BYTES);
        struct known_object *o = arena ? arena_new_of(arena, struct known_object) : NULL;
        struct value tree;
        int r = o ? 0 : -ENOMEM;

        if (r < 0) {
                arena_free(arena);
                return r;
        }
        o->arena = arena;
        arena_reset(known->scratch);
        r = kube_project(known->scratch, known->wanted, (const char *)json->data, json->size, &tree);
        r = r ?: known_read(&tree, known->maps, known->pods, o);
        if (r < 0 || !*o->name) {
                object_free(o);
                return r ?: -EINVAL;
        }
        o->json = known->pods ? NULL : bytes_ref(json);
        *ret_object = o;
        return 0;
}

/* --- what is there --- */

int known_decode(struct arena *arena, const struct known_object *object, const struct kube_type *type, void *typed) {
        return kube_json_read(arena, type, (const char *)object->json->data, object->json->size, NULL, typed);
}

struct known_object *known_find(const struct known *known, const char *namespace, const char *name) {
        const struct index_pair pair = { namespace, name };

        return index_find(&known->by_name, place_key, &pair);
}

static void take_out(struct known *known, struct known_object *o) {
        index_remove(&known->by_owner, o);
        index_remove(&known->by_name, o);
}

static int put_in(struct known *known, struct known_object *o) {
        int r = index_add(&known->by_name, o);

        if (r == 0 && (r = index_add(&known->by_owner, o)) < 0)
                index_remove(&known->by_name, o);
        return r;
}

static void forget_before(struct known *known) {
        if (known->before_gone)
                object_free(known->before);
        known->before = known->now = NULL;
        known->before_gone = false;
}

/* The watch has come to @revision: what was assumed before that and not told of is not there any more. */
static void drop_assumed(struct known *known, int64_t revision) {
        LIST_EACH (assumptions, o, &known->assumed)
                if (o->revision < revision) {
                        take_out(known, o);
                        object_free(o);
                }
}

static void on_gone(struct known *known, const struct client_object *object) {
        struct known_object *o = known_find(known, object->namespace, object->name);

        if (!o || o->revision > object->revision)
                return;
        take_out(known, o);
        known->before = o;
        known->before_gone = true;
}

/* Puts @fresh in the place of @old. */
static int replace(struct known *known, struct known_object *old, struct known_object *fresh) {
        if (old) {
                fresh->leaving = old->leaving && strcmp(old->uid, fresh->uid) == 0;
                take_out(known, old);
        }
        return put_in(known, fresh);
}

static void on_there(struct known *known, const struct client_object *object) {
        struct known_object *old = known_find(known, object->namespace, object->name), *fresh;
        int r;

        if (old && old->revision > object->revision) { /* what was answered is newer */
                known->before = known->now = old;
                return;
        }
        r = object_new(known, object->json, &fresh);
        if (r == 0) {
                r = replace(known, old, fresh);
                known->before = old;
                known->before_gone = old;
                if (r < 0)
                        object_free(fresh);
        }
        if (r < 0)
                log_error("%s %s/%s: the controllers cannot look at it: %s", known_kind(known)->resource,
                          object->namespace, object->name, strerror(-r));
        else
                known->now = fresh;
}

static void on_changed(struct informer_handler *handler, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        struct known *known = (struct known *)((char *)handler - offsetof(struct known, handler));

        forget_before(known);
        drop_assumed(known, object->revision);
        if (change == CLIENT_DELETED)
                on_gone(known, object);
        else
                on_there(known, object);
}

/* What nobody was told of is news. */
struct known_change known_change(const struct known *known) {
        const struct known_object *before = known->before;

        return (struct known_change){ before && before->assumed && known->now ? NULL : before, known->now };
}

const struct known_object *known_assume(struct known *known, struct bytes *json) {
        struct known_object *fresh, *old;
        int r = json ? object_new(known, json, &fresh) : -EINVAL;

        if (r < 0)
                return NULL;
        old = known_find(known, fresh->namespace, fresh->name);
        if (old && old->revision >= fresh->revision) {
                object_free(fresh);
                return old;
        }
        if (known->now == old)
                forget_before(known);
        r = replace(known, old, fresh);
        object_free(old);
        if (r < 0) {
                object_free(fresh);
                return NULL;
        }
        fresh->assumed = true;
        assumptions_append(&known->assumed, fresh);
        return fresh;
}

void known_leave(struct known *known, const char *namespace, const char *name, const char *uid) {
        struct known_object *o = known_find(known, namespace, name);

        if (o && strcmp(o->uid, uid) == 0)
                o->leaving = true;
}

/* --- walks --- */

static void settle(struct known_walk *walk) {
        struct known_object *o = index_at(&walk->cursor);

        if (o && ((walk->one_namespace && o->namespace_id != walk->namespace_id) ||
                  (walk->one_owner && o->owner_id != walk->owner_id)))
                o = NULL;
        walk->object = o;
}

struct known_walk known_first(const struct known *known, const char *namespace) {
        const struct index_pair pair = { namespace, NULL };
        struct known_walk walk = { .namespace_id = namespace ? known_id(namespace) : 0, .one_namespace = namespace };

        walk.cursor = index_seek(&known->by_name, place_key, &pair);
        settle(&walk);
        return walk;
}

struct known_walk known_first_owned(const struct known *known, const char *owner, const char *namespace) {
        const struct owned_key key = { owner, namespace, NULL };
        struct known_walk walk = { .namespace_id = known_id(namespace),
                                   .owner_id = known_id(owner),
                                   .one_namespace = true,
                                   .one_owner = true };

        walk.cursor = index_seek(&known->by_owner, owned_key, &key);
        settle(&walk);
        return walk;
}

void known_next(struct known_walk *walk) {
        index_next(&walk->cursor);
        settle(walk);
}

/* --- what is asked of one --- */

const void *known_typed(const struct known *known, const struct known_object *object) {
        struct known_object *o = (struct known_object *)object;
        const struct kube_type *type = known_kind(known)->type;
        const struct client_object as = { .namespace = o->namespace, .name = o->name, .json = o->json };
        void *typed;
        int r;

        if (o->typed)
                return o->typed;
        typed = arena_alloc(o->arena, type->size);
        r = typed ? client_object_read(o->arena, &as, type, typed) : -ENOMEM;
        if (r < 0) {
                log_error("%s %s/%s: it cannot be read: %s", known_kind(known)->resource, o->namespace, o->name,
                          strerror(-r));
                return NULL;
        }
        return o->typed = typed;
}

const char *known_label(const void *object, const char *key) {
        return string_map_get(&((const struct known_object *)object)->labels, key);
}

bool known_labels_equal(const string_map *a, const string_map *b) {
        if (a->count != b->count)
                return false;
        for (uint32_t i = 0; i < a->count; i++)
                if (strcmp(string_map_get(b, a->items[i].key) ?: "\1", a->items[i].value) != 0)
                        return false;
        return true;
}

bool known_selects(const struct selector_labels *selector, const struct known_object *object) {
        return selector_label_matches(selector, known_label, object);
}

/* --- the whole --- */

struct informer *known_informer(const struct known *known) {
        return known->informer;
}

const struct kube_kind *known_kind(const struct known *known) {
        return informer_kind(known->informer);
}

struct known *known_new(struct informer *informer) {
        const struct kube_kind *kind = informer_kind(informer);
        struct known *known = calloc(1, sizeof(*known));
        int r;

        if (!known)
                return NULL;
        known->informer = informer;
        known->handler.changed = on_changed;
        known->by_name = (struct index)INDEX_INIT(place_order);
        known->by_owner = (struct index)INDEX_INIT(owned_order);
        known->pods = strcmp(kind->resource, "pods") == 0;
        known->maps = strcmp(kind->resource, "services") == 0 || strcmp(kind->resource, "replicationcontrollers") == 0;
        known->arena = arena_new();
        known->scratch = arena_new();
        known->wanted = known->arena ? kube_wanted_new(known->arena) : NULL;
        if ((r = known->wanted && known->scratch ? kube_wanted_add(known->arena, known->wanted, known_paths) :
                                                   -ENOMEM) < 0 ||
            (known->pods && (r = kube_wanted_add(known->arena, known->wanted, known_pod_paths)) < 0)) {
                known_free(known);
                return NULL;
        }
        informer_add(informer, &known->handler);
        return known;
}

void known_free(struct known *known) {
        struct index_cursor at;

        if (!known)
                return;
        forget_before(known);
        at = index_seek(&known->by_name, NULL, NULL);
        for (struct known_object *o = index_at(&at); o; o = index_next(&at))
                object_free(o);
        index_clear(&known->by_owner);
        index_clear(&known->by_name);
        arena_free(known->arena);
        arena_free(known->scratch);
        free(known);
}

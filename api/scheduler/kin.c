#include "api/scheduler/kin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "kube/apps_v1.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/list.h"

#define SELECTOR_ARENA 512 /* bytes to begin with */
#define KEY_MAX (2 * CLIENT_NAME_MAX + 4)

const struct sched_kin_row sched_kin_rows[_SCHED_KIN_KINDS] = {
        [SCHED_SERVICE] = { "", "services", "Service" },
        [SCHED_CONTROLLER] = { "", "replicationcontrollers", "ReplicationController" },
        [SCHED_REPLICA_SET] = { "apps", "replicasets", "ReplicaSet" },
        [SCHED_STATEFUL_SET] = { "apps", "statefulsets", "StatefulSet" },
};

struct kin {
        struct table_node by_key;
        struct list_node in_space; /* of a Service */
        struct space *space;
        struct arena *arena; /* of it all */
        struct selector_labels pods;
        enum sched_kin_kind kind;
        uint32_t seen;
};

LIST_DEFINE(services, struct kin, in_space)

struct space {
        struct table_node by_name;
        struct services services;
        char name[];
};

static const char *key_of(char text[KEY_MAX], enum sched_kin_kind kind, const char *namespace, const char *name) {
        snprintf(text, KEY_MAX, "%u/%s/%s", kind, namespace, name);
        return text;
}

static struct kin *find(const struct sched_kin *kin, enum sched_kin_kind kind, const char *namespace,
                        const char *name) {
        char key[KEY_MAX];

        return table_object(table_find(&kin->selectors, key_of(key, kind, namespace, name)), struct kin, by_key);
}

/* --- Services by namespace --- */

static struct space *get_space(struct sched_kin *kin, const char *name) {
        struct space *space = table_object(table_find(&kin->spaces, name), struct space, by_name);
        size_t n = strlen(name) + 1;

        if (space)
                return space;
        space = calloc(1, sizeof(*space) + n);
        if (!space)
                return NULL;
        memcpy(space->name, name, n);
        if (table_add(&kin->spaces, &space->by_name, space->name) == 0)
                return space;
        free(space);
        return NULL;
}

static int join_space(struct sched_kin *kin, struct kin *k, const char *namespace) {
        k->space = k->kind == SCHED_SERVICE ? get_space(kin, namespace) : NULL;
        if (k->space)
                services_append(&k->space->services, k);
        return k->space || k->kind != SCHED_SERVICE ? 0 : -ENOMEM;
}

static void leave_space(struct sched_kin *kin, struct kin *k) {
        if (!k->space)
                return;
        services_remove(k);
        if (!services_is_empty(&k->space->services))
                return;
        table_remove(&kin->spaces, &k->space->by_name);
        free(k->space);
}

/* --- what is read of them --- */

static int read_whole(struct arena *arena, const struct client_object *object, enum sched_kin_kind kind,
                      struct kube_label_selector *ret) {
        static const struct kube_type *const types[] = { [SCHED_SERVICE] = &kube_service_type,
                                                         [SCHED_CONTROLLER] = &kube_replication_controller_type,
                                                         [SCHED_REPLICA_SET] = &kube_apps_v1_replica_set_type,
                                                         [SCHED_STATEFUL_SET] = &kube_apps_v1_stateful_set_type };
        union {
                struct kube_service service;
                struct kube_replication_controller controller;
                struct kube_apps_v1_replica_set replicas;
                struct kube_apps_v1_stateful_set stateful;
        } read = { 0 };
        static const struct kube_label_selector none;
        int r = client_object_read(arena, object, types[kind], &read);

        *ret = none;
        if (r < 0)
                return r;
        switch (kind) {
        case SCHED_SERVICE:
                ret->match_labels = read.service.spec.selector;
                break;
        case SCHED_CONTROLLER:
                ret->match_labels = read.controller.spec.selector;
                break;
        case SCHED_REPLICA_SET:
                *ret = read.replicas.spec.selector ? *read.replicas.spec.selector : none;
                break;
        default:
                *ret = read.stateful.spec.selector ? *read.stateful.spec.selector : none;
        }
        return 0;
}

static int read_selector(struct kin *k, const struct client_object *object) {
        static const struct sched_selector_more no_more[2];
        _cleanup_arena_ struct arena *arena = arena_new();
        struct kube_label_selector whole, *kept = arena_new_of(k->arena, struct kube_label_selector);
        int r = arena && kept ? read_whole(arena, object, k->kind, &whole) : -ENOMEM;

        if (r < 0 || (r = kube_copy(k->arena, &kube_label_selector_type, &whole, kept)) < 0)
                return r;
        return sched_selector_read(k->arena, kept, no_more, &k->pods);
}

static void kin_free(struct kin *k) {
        arena_free(k->arena); /* it is in that itself */
}

static struct kin *kin_new(enum sched_kin_kind kind) {
        struct arena *arena = arena_new_small(SELECTOR_ARENA);
        struct kin *k = arena ? arena_new_of(arena, struct kin) : NULL;

        if (!k) {
                arena_free(arena);
                return NULL;
        }
        k->arena = arena;
        k->kind = kind;
        return k;
}

static int add(struct sched_kin *kin, struct kin *k, const struct client_object *object) {
        char key[KEY_MAX];
        const char *own = arena_strdup(k->arena, key_of(key, k->kind, object->namespace, object->name));
        int r = own ? table_add(&kin->selectors, &k->by_key, own) : -ENOMEM;

        if (r == 0 && (r = join_space(kin, k, object->namespace)) < 0)
                table_remove(&kin->selectors, &k->by_key);
        return r;
}

int sched_kin_put(struct sched_kin *kin, enum sched_kin_kind kind, const struct client_object *object, uint32_t seen) {
        struct kin *k = find(kin, kind, object->namespace, object->name);
        int r;

        if (k && seen == k->seen && kind >= SCHED_REPLICA_SET) /* in a list it may be another one of that name */
                return 0;
        sched_kin_drop(kin, kind, object->namespace, object->name);
        k = kin_new(kind);
        if (!k)
                return -ENOMEM;
        k->seen = seen;
        if ((r = read_selector(k, object)) < 0 || (r = add(kin, k, object)) < 0)
                kin_free(k);
        return r;
}

static void drop(struct sched_kin *kin, struct kin *k) {
        leave_space(kin, k);
        table_remove(&kin->selectors, &k->by_key);
        kin_free(k);
}

void sched_kin_drop(struct sched_kin *kin, enum sched_kin_kind kind, const char *namespace, const char *name) {
        struct kin *k = find(kin, kind, namespace, name);

        if (k)
                drop(kin, k);
}

/* All of them, or those of @kind that were seen in another list. */
static void drop_some(struct sched_kin *kin, bool all, enum sched_kin_kind kind, uint32_t seen) {
        for (size_t i = 0; i < kin->selectors.n_buckets; i++)
                for (struct table_node *at = kin->selectors.buckets[i], *next; at; at = next) {
                        struct kin *k = table_object(at, struct kin, by_key);

                        next = at->next;
                        if (all || (k->kind == kind && k->seen != seen))
                                drop(kin, k);
                }
}

void sched_kin_sweep(struct sched_kin *kin, enum sched_kin_kind kind, uint32_t seen) {
        drop_some(kin, false, kind, seen);
}

void sched_kin_clear(struct sched_kin *kin) {
        drop_some(kin, true, _SCHED_KIN_KINDS, 0);
        table_clear(&kin->selectors);
        table_clear(&kin->spaces);
}

/* --- of a pod --- */

static const struct kin *owner_of(const struct sched_kin *kin, const struct sched_pod *pod) {
        char version[64];

        list_for_each (o, &pod->whole->metadata.owner_references) {
                if (o->controller != TRI_TRUE)
                        continue;
                for (unsigned i = SCHED_CONTROLLER; i < _SCHED_KIN_KINDS; i++) {
                        const struct sched_kin_row *row = &sched_kin_rows[i];

                        snprintf(version, sizeof(version), "%s%sv1", row->group, *row->group ? "/" : "");
                        if (kube_is(o->kind, row->kind) && kube_is(o->api_version, version))
                                return find(kin, i, pod->namespace, o->name ?: "");
                }
                return NULL; /* there is one that controls it */
        }
        return NULL;
}

/* What Services ask of a pod that they take is that labels which it has are what they are: of each label once, for
 * there may be thousands of Services that ask for the same. */
static bool is_asked(const struct selector_labels *already, const char *key) {
        for (uint32_t i = 0; i < already->n; i++)
                if (strcmp(already->requirements[i].key, key) == 0)
                        return true;
        return false;
}

static uint32_t put(struct selector_requirement *to, uint32_t n, const struct selector_labels *from) {
        for (uint32_t i = 0; i < from->n; i++)
                if (!is_asked(&(struct selector_labels){ .requirements = to, .n = n }, from->requirements[i].key))
                        to[n++] = from->requirements[i];
        return n;
}

/* Into @to, where there is room for each of the pod's labels. */
static uint32_t put_services(const struct sched_kin *kin, const struct sched_pod *pod,
                             struct selector_requirement *to) {
        const struct space *space = table_object(table_find(&kin->spaces, pod->namespace), struct space, by_name);
        uint32_t n = 0;

        if (space)
                LIST_EACH (services, s, &space->services)
                        if (s->pods.n > 0 && sched_selector_matches(&s->pods, &pod->labels))
                                n = put(to, n, &s->pods);
        return n;
}

int sched_kin_selector(const struct sched_kin *kin, struct arena *arena, const struct sched_pod *pod,
                       struct selector_labels *ret_selector) {
        const struct kin *owner = owner_of(kin, pod);
        size_t own = owner ? owner->pods.n : 0, most = pod->labels.count + own;
        struct selector_requirement *all = most > 0 ? arena_alloc_array(arena, most, sizeof(*all)) : NULL;
        uint32_t n = 0;

        *ret_selector = (struct selector_labels){ 0 };
        if (most > 0 && !all)
                return -ENOMEM;
        if (all)
                n = put_services(kin, pod, all);
        if (own > 0)
                memcpy(all + n, owner->pods.requirements, own * sizeof(*all));
        *ret_selector = (struct selector_labels){ .requirements = all, .n = n + (uint32_t)own };
        return 0;
}

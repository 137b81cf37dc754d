#include "api/scheduler/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/scheduler/events.h"
#include "client/client.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* --- nodes --- */

struct sched_node *sched_cluster_node(const struct sched_cluster *cluster, const char *name) {
        return table_object(table_find(&cluster->nodes, name), struct sched_node, by_name);
}

struct sched_node *sched_cluster_get_node(struct sched_cluster *cluster, const char *name) {
        struct sched_node *node = sched_cluster_node(cluster, name);

        if (node)
                return node;
        node = sched_node_new(name);
        if (node && table_add(&cluster->nodes, &node->by_name, node->name) < 0) {
                sched_node_free(node);
                node = NULL;
        }
        return node;
}

/* Nobody names it any more. */
static void drop_if_idle(struct sched_cluster *cluster, struct sched_node *node) {
        if (node->known || node->n_pods > 0 || !sched_nominated_is_empty(&node->nominated))
                return;
        table_remove(&cluster->nodes, &node->by_name);
        sched_node_free(node);
}

int sched_cluster_put_node(struct sched_cluster *cluster, const struct client_object *object,
                           struct sched_node **ret_node, uint32_t *ret_events) {
        struct sched_node *node = sched_cluster_get_node(cluster, object->name);
        int r;

        if (!node)
                return -ENOMEM;
        sched_cluster_drop_images(cluster, node);
        r = sched_node_read(node, object, ret_events);
        if (r < 0) {
                drop_if_idle(cluster, node);
                return r;
        }
        if (*ret_events & (SCHED_NODE_ADDED | SCHED_NODE_LABELS))
                cluster->stale = true;
        *ret_node = node;
        return sched_cluster_hold_images(cluster, node);
}

void sched_cluster_drop_node(struct sched_cluster *cluster, struct sched_node *node) {
        struct sched_pod *pod;

        sched_cluster_drop_images(cluster, node);
        sched_node_forget(node);
        cluster->stale = true;
        while ((pod = sched_nominated_pop(&node->nominated)))
                pod->nominated = NULL;
        drop_if_idle(cluster, node);
}

static int order_of_nodes(const void *a, const void *b) {
        const struct sched_node *x = *(struct sched_node *const *)a, *y = *(struct sched_node *const *)b;
        int c = strcmp(x->zone, y->zone);

        return c ?: strcmp(x->name, y->name);
}

static int make_room(struct sched_cluster *cluster, size_t n) {
        struct sched_node **order = reallocarray(cluster->order, n, sizeof(*order)), **by_zone;

        if (order)
                cluster->order = order;
        by_zone = order ? reallocarray(cluster->by_zone, n, sizeof(*by_zone)) : NULL;
        if (!by_zone)
                return -ENOMEM;
        cluster->by_zone = by_zone;
        cluster->room = (uint32_t)n;
        return 0;
}

/* One of each zone, then the next of each. */
static void take_turns(struct sched_cluster *cluster, uint32_t n) {
        struct sched_node **sorted = cluster->by_zone;
        uint32_t done = 0;

        for (uint32_t round = 0; done < n; round++)
                for (uint32_t first = 0; first < n;) {
                        uint32_t next = first + 1;

                        while (next < n && strcmp(sorted[next]->zone, sorted[first]->zone) == 0)
                                next++;
                        if (first + round < next) {
                                sorted[first + round]->at = done;
                                cluster->order[done++] = sorted[first + round];
                        }
                        first = next;
                }
}

int sched_cluster_settle(struct sched_cluster *cluster) {
        uint32_t n = 0;

        if (!cluster->stale)
                return 0;
        if (cluster->nodes.n > cluster->room && make_room(cluster, cluster->nodes.n * 2) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < cluster->nodes.n_buckets; i++)
                for (struct table_node *at = cluster->nodes.buckets[i]; at; at = at->next) {
                        struct sched_node *node = table_object(at, struct sched_node, by_name);

                        if (node->known)
                                cluster->by_zone[n++] = node;
                }
        if (n > 0)
                qsort(cluster->by_zone, n, sizeof(struct sched_node *), order_of_nodes);
        take_turns(cluster, n);
        cluster->n_order = n;
        cluster->stale = false;
        return 0;
}

/* --- namespaces --- */

struct sched_namespace *sched_cluster_space(const struct sched_cluster *cluster, const char *name) {
        return table_object(table_find(&cluster->spaces, name), struct sched_namespace, by_name);
}

static void free_space(struct sched_namespace *space) {
        arena_free(space->arena);
        free(space->name);
        free(space);
}

static struct sched_namespace *get_space(struct sched_cluster *cluster, const char *name) {
        struct sched_namespace *space = sched_cluster_space(cluster, name);

        if (space)
                return space;
        space = calloc(1, sizeof(*space));
        if (!space)
                return NULL;
        space->name = strdup(name);
        if (!space->name || table_add(&cluster->spaces, &space->by_name, space->name) < 0) {
                free_space(space);
                return NULL;
        }
        return space;
}

static void drop_space_if_idle(struct sched_cluster *cluster, struct sched_namespace *space) {
        if (space->known || space->n_pods > 0)
                return;
        table_remove(&cluster->spaces, &space->by_name);
        free_space(space);
}

int sched_cluster_put_space(struct sched_cluster *cluster, const struct client_object *object, bool *ret_changed) {
        struct sched_namespace *space = get_space(cluster, object->name);
        struct arena *arena = arena_new_small(256);
        struct kube_namespace *from = arena ? arena_new_of(arena, struct kube_namespace) : NULL;
        int r = space && from ? client_object_read(arena, object, &kube_namespace_type, from) : -ENOMEM;

        if (r < 0) {
                arena_free(arena);
                return r;
        }
        *ret_changed = space->known && sched_labels_differ(&space->labels, &from->metadata.labels);
        arena_free(space->arena);
        space->arena = arena;
        space->labels = from->metadata.labels;
        space->known = true;
        return 0;
}

void sched_cluster_drop_space(struct sched_cluster *cluster, struct sched_namespace *space) {
        space->known = false;
        space->labels = (string_map){ 0 };
        space->arena = arena_free(space->arena);
        drop_space_if_idle(cluster, space);
}

/* --- pods --- */

struct sched_pod *sched_cluster_pod(const struct sched_cluster *cluster, const char *key) {
        return table_object(table_find(&cluster->pods, key), struct sched_pod, by_key);
}

int sched_cluster_add(struct sched_cluster *cluster, struct sched_pod *pod) {
        int r = table_add(&cluster->pods, &pod->by_key, pod->key);

        if (r == 0)
                sched_all_pods_append(&cluster->all, pod);
        return r;
}

void sched_nominate(struct sched_pod *pod, struct sched_node *node) {
        if (pod->nominated)
                sched_nominated_remove(pod);
        pod->nominated = node;
        if (node)
                sched_nominated_append(&node->nominated, pod);
}

void sched_cluster_remove(struct sched_cluster *cluster, struct sched_pod *pod) {
        sched_nominate(pod, NULL);
        sched_cluster_lift(cluster, pod);
        table_remove(&cluster->pods, &pod->by_key);
        sched_all_pods_remove(pod);
}

int sched_cluster_place(struct sched_cluster *cluster, struct sched_pod *pod, struct sched_node *node) {
        struct sched_namespace *space = get_space(cluster, pod->namespace);

        if (!space)
                return -ENOMEM;
        pod->space = space;
        sched_space_pods_append(&space->pods, pod);
        space->n_pods++;
        if (pod->affinity.n_required + pod->affinity.n_preferred + pod->aversion.n_required + pod->aversion.n_preferred)
                sched_affine_append(&cluster->affine, pod);
        if (pod->aversion.n_required > 0)
                sched_averse_append(&cluster->averse, pod);
        if (sched_node_take(node, pod) < 0) {
                sched_cluster_lift(cluster, pod);
                return -ENOMEM;
        }
        return 0;
}

void sched_cluster_lift(struct sched_cluster *cluster, struct sched_pod *pod) {
        struct sched_node *node = pod->node;
        struct sched_namespace *space = pod->space;

        if (!node)
                return;
        sched_node_drop(node, pod);
        sched_space_pods_remove(pod);
        space->n_pods--;
        pod->space = NULL;
        if (sched_affine_contains(pod))
                sched_affine_remove(pod);
        if (sched_averse_contains(pod))
                sched_averse_remove(pod);
        drop_space_if_idle(cluster, space);
        drop_if_idle(cluster, node);
}

/* --- its end --- */

void sched_cluster_clear(struct sched_cluster *cluster) {
        struct sched_pod *pod;

        while ((pod = sched_all_pods_first(&cluster->all))) {
                sched_cluster_remove(cluster, pod);
                sched_pod_free(pod);
        }
        for (size_t i = 0; i < cluster->nodes.n_buckets; i++)
                for (struct table_node *at = cluster->nodes.buckets[i], *next; at; at = next) {
                        struct sched_node *node = table_object(at, struct sched_node, by_name);

                        next = at->next;
                        sched_cluster_drop_images(cluster, node);
                        sched_node_free(node);
                }
        for (size_t i = 0; i < cluster->spaces.n_buckets; i++)
                for (struct table_node *at = cluster->spaces.buckets[i], *next; at; at = next) {
                        next = at->next;
                        free_space(table_object(at, struct sched_namespace, by_name));
                }
        sched_kin_clear(&cluster->kin);
        table_clear(&cluster->nodes);
        table_clear(&cluster->pods);
        table_clear(&cluster->spaces);
        table_clear(&cluster->images);
        free(cluster->order);
        free(cluster->by_zone);
}

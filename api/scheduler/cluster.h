/* All nodes, pods and namespaces that there are, and who is where. For api/scheduler alone.
 *
 * A pod is in it once, waiting or on a node. Nodes that pods name without there being such an object count those pods
 * all the same, for when it comes. Nodes are walked in an order that takes turns between zones.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/scheduler/kin.h"
#include "api/scheduler/node.h"

LIST_DEFINE(sched_space_pods, struct sched_pod, in_space)
LIST_DEFINE(sched_affine, struct sched_pod, in_affine)
LIST_DEFINE(sched_averse, struct sched_pod, in_averse)
LIST_DEFINE(sched_all_pods, struct sched_pod, in_all)

struct sched_namespace {
        struct table_node by_name;
        char *name;
        struct arena *arena; /* of its labels */
        string_map labels;
        bool known;
        struct sched_space_pods pods; /* of its pods those that are on a node */
        uint32_t n_pods;
        uint32_t seen;
};

/* An image, and who has it. */
struct sched_holder {
        struct sched_node *node;
        int64_t size;
};
struct sched_image {
        struct table_node by_name;
        char *name;
        struct sched_holder *holders;
        uint32_t n, room;
};

struct sched_cluster {
        struct table nodes, pods, spaces, images;
        struct sched_kin kin;
        struct sched_all_pods all;
        struct sched_affine affine;  /* on a node, with terms of affinity or anti-affinity */
        struct sched_averse averse;  /* of them those that must not be with others */
        struct sched_node **order;   /* the nodes that are known */
        struct sched_node **by_zone; /* room to sort them in */
        uint32_t n_order, room;
        bool stale; /* the order is */
};

void sched_cluster_clear(struct sched_cluster *cluster);

/* --- nodes --- */

struct sched_node *sched_cluster_node(const struct sched_cluster *cluster, const char *name); /* NULL: none */
/* The same, made where there is none; NULL without memory. */
struct sched_node *sched_cluster_get_node(struct sched_cluster *cluster, const char *name);
/* Takes over @object, which is a node; *@ret_events is 0 where nothing that counts has changed. 0; -EINVAL, -ENOMEM. */
int sched_cluster_put_node(struct sched_cluster *cluster, const struct client_object *object,
                           struct sched_node **ret_node, uint32_t *ret_events);
void sched_cluster_drop_node(struct sched_cluster *cluster, struct sched_node *node);
/* Brings the order up to date. 0 or -ENOMEM. */
int sched_cluster_settle(struct sched_cluster *cluster);

/* --- namespaces --- */

struct sched_namespace *sched_cluster_space(const struct sched_cluster *cluster, const char *name);
int sched_cluster_put_space(struct sched_cluster *cluster, const struct client_object *object, bool *ret_changed);
void sched_cluster_drop_space(struct sched_cluster *cluster, struct sched_namespace *space);

/* --- pods --- */

struct sched_pod *sched_cluster_pod(const struct sched_cluster *cluster, const char *key);
int sched_cluster_add(struct sched_cluster *cluster, struct sched_pod *pod);     /* -EEXIST, -ENOMEM */
void sched_cluster_remove(struct sched_cluster *cluster, struct sched_pod *pod); /* from its node as well */

/* Puts @pod on @node. 0 or -ENOMEM, then it is on none. */
int sched_cluster_place(struct sched_cluster *cluster, struct sched_pod *pod, struct sched_node *node);
void sched_cluster_lift(struct sched_cluster *cluster, struct sched_pod *pod); /* nothing, where it is on none */

/* Has @pod wait for @node, which is known (NULL: for none), from which others go for it. */
void sched_nominate(struct sched_pod *pod, struct sched_node *node);

/* --- images: of cluster_images.c --- */

struct sched_image *sched_cluster_image(const struct sched_cluster *cluster, const char *name);
int sched_cluster_hold_images(struct sched_cluster *cluster, struct sched_node *node);
void sched_cluster_drop_images(struct sched_cluster *cluster, struct sched_node *node);

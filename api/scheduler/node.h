/* A node as the scheduler sees it, with what its pods take of it kept up to date. For api/scheduler alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/scheduler/pod.h"

LIST_DEFINE(sched_node_pods, struct sched_pod, in_node)
LIST_DEFINE(sched_nominated, struct sched_pod, in_nominated)

/* Of a resource that is not one of the three. */
struct sched_stock {
        char *name;
        int64_t allocatable, requested;
};

struct sched_node {
        struct table_node by_name;
        char *name;
        bool known;          /* there is such an object; else only pods that name it */
        struct arena *arena; /* of what the object says */
        const struct kube_node *said;
        string_map labels;
        kube_taint_items taints;
        bool unschedulable;
        int64_t allocatable[SCHED_AMOUNTS], pods_max;
        kube_container_image_items images;
        const char *zone; /* "REGION:ZONE"; "": none */
        int64_t requested[SCHED_AMOUNTS], scored[SCHED_SCORED];
        struct sched_stock *stocks;
        struct sched_port *ports; /* taken; texts are their pods' */
        uint32_t n_stocks, n_ports, ports_room;
        struct sched_node_pods pods;
        struct sched_nominated nominated; /* pods for which others were asked to leave */
        uint32_t n_pods;
        uint32_t at; /* in the cluster's order */
        uint32_t seen;
};

/* NULL without memory. */
struct sched_node *sched_node_new(const char *name);
void sched_node_free(struct sched_node *node); /* it has no pods any more */

/* What an object's change was about: bits of enum sched_event. */
struct client_object;
int sched_node_read(struct sched_node *node, const struct client_object *object, uint32_t *ret_events);
void sched_node_forget(struct sched_node *node); /* the object is gone */

/* Counts @pod, and no more. -ENOMEM: it is counted as far as it could be, and sched_node_drop() takes just that off. */
int sched_node_take(struct sched_node *node, struct sched_pod *pod);
void sched_node_drop(struct sched_node *node, struct sched_pod *pod);

const struct sched_stock *sched_node_stock(const struct sched_node *node, const char *name);

/* Whether the two cannot be taken at a time. */
bool sched_port_collides(const struct sched_port *a, const struct sched_port *b);

/* What the files of this room share. Nobody else includes it. */
#pragma once

#include "agent/cluster/cluster.h"
#include "client/client.h"
#include "kube/kinds.h"

#define CLUSTER_LEASES "kube-node-lease" /* their namespace */

/* When something is tried again. */
struct cluster_patience {
        unsigned ms; /* 0: nothing failed of late */
};
unsigned cluster_back_off(struct cluster_patience *patience); /* how long to wait now, ms */

enum cluster_node_state { CLUSTER_NODE_UNKNOWN, CLUSTER_NODE_THERE };

struct cluster_node {
        enum cluster_node_state state;
        struct client_call *call; /* about the Node, under way */
        uv_timer_t *timer;
        struct cluster_patience patience;
        uint64_t told, sent; /* hashes of its status, without the time: as the service has it; as is under way */
        uint64_t told_at;    /* ms, the loop's clock */
        int64_t ready_since; /* s since 1970 */
};

struct cluster_lease {
        struct client_call *call;
        uv_timer_t *timer;
        struct cluster_patience patience;
};

struct cluster {
        uv_loop_t *loop;
        const struct options *options;
        struct cluster_events events;
        struct client *client;
        struct cluster_node node;
        struct cluster_lease lease;
};

/* The kinds that a node has to do with, without the table of all. */
extern const struct kube_kind cluster_nodes, cluster_pods, cluster_leases;

/* node.c */
int cluster_node_start(struct cluster *cluster);
void cluster_node_stop(struct cluster *cluster);

/* node_object.c: the Node as JSON, with @status unless it is NULL. -ENOMEM or 0. */
int cluster_node_write(const struct cluster *cluster, const struct kube_node_status *status, struct json_writer *w);
/* All of the status but the times of heartbeats. -ENOMEM or 0. */
int cluster_node_status(const struct cluster *cluster, struct arena *arena, struct kube_node_status *ret_status);

/* lease.c */
int cluster_lease_start(struct cluster *cluster);
void cluster_lease_stop(struct cluster *cluster);

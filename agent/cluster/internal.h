/* What the files of this room share. Nobody else includes it. */
#pragma once

#include "agent/cluster/cluster.h"
#include "client/client.h"
#include "client/informer.h"
#include "kube/kinds.h"
#include "lib/list.h"
#include "lib/table.h"

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

/* A pod that the service has for this node. */
struct cluster_pod {
        struct cluster *cluster;
        struct table_node by_uid;
        struct list_node in_all, in_due;
        struct client_call *call; /* about it, under way */
        uint64_t told, sent;      /* hashes of its status: as the service has it, as is under way; 0: not known */
        bool listed;              /* by the list under way */
        bool ends;                /* the service has it deleted */
        bool gone;                /* and nothing of it is left here */
        bool buried;              /* which the service knows */
        char *namespace, *name;   /* behind @uid */
        char uid[];
};

LIST_DEFINE(cluster_all, struct cluster_pod, in_all)
LIST_DEFINE(cluster_due, struct cluster_pod, in_due)

struct identity;
struct cluster {
        uv_loop_t *loop;
        const struct options *options;
        struct cluster_events events;
        struct identity *identity;
        struct client *client; /* its */
        struct cluster_node node;
        struct cluster_lease lease;
        struct recorder *recorder;
        struct informers *informers;
        struct informer_handler heard;
        char *fields; /* which pods */
        struct cluster_all pods;
        struct table pods_by_uid;
        struct cluster_due due; /* those of which something is to be told */
        uv_timer_t *report;     /* then it is */
        struct cluster_patience patience;
};

/* The kinds that a node has to do with, without the table of all. */
extern const struct kube_kind cluster_nodes, cluster_pods, cluster_leases, cluster_event_kind;

/* cluster.c: what the service refuses may be because of who we are. */
void cluster_look_at(struct cluster *cluster, const struct client_answer *answer);

/* node.c */
int cluster_node_start(struct cluster *cluster);
void cluster_node_stop(struct cluster *cluster);

/* node_object.c: the Node as JSON, with @status unless it is NULL. -ENOMEM or 0. */
int cluster_node_write(const struct cluster *cluster, const struct kube_node_status *status, struct json_writer *w);
/* All of the status but the times of heartbeats. -ENOMEM or 0. */
int cluster_node_status(const struct cluster *cluster, struct arena *arena, struct kube_node_status *ret_status);

/* What of the addresses in it the node's serving certificate is for (identity_events.names). */
int cluster_node_names(void *data, struct arena *arena, const char *const **ret_names);

/* lease.c */
int cluster_lease_start(struct cluster *cluster);
void cluster_lease_stop(struct cluster *cluster);

/* pods.c: which pods the service wants */
int cluster_pods_start(struct cluster *cluster);
void cluster_pods_stop(struct cluster *cluster);
struct cluster_pod *cluster_pod_find(const struct cluster *cluster, const char *uid);

/* read.c: the pod that @object is, with the annotations that kubelet gives it. -EINVAL, -ENOMEM. */
int cluster_pod_read(const struct cluster *cluster, const struct value *object, struct pod **ret_pod, struct err **err);

/* report.c */
void cluster_report_now(struct cluster *cluster); /* the service is there again */

/* The node as one of a cluster: its Node and Lease at the API service that --kubeconfig names, the pods which that
 * service gives it, and what it is told of them.
 *
 * All is on the loop, over one connection. With the service away nothing is forgotten: what was wanted is wanted still,
 * and what changed meanwhile is told when it is back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "kube/core_v1.h"
#include "lib/err.h"

struct arena;
struct client;
struct cluster;
struct event_object;
struct json_writer;
struct network;
struct options;
struct pod;
struct pool;

#define CLUSTER_LEASE_S 40           /* kubelet's nodeLeaseDurationSeconds, */
#define CLUSTER_LEASE_RENEW_MS 10000 /* renewed four times in it */
#define CLUSTER_STATUS_MS                                                                                              \
        (5 * 60 * 1000)          /* a Node whose status stays the same is told anew: nodeStatusReportFrequency */
#define CLUSTER_RETRY_MIN_MS 200 /* until what the service did not take is sent again; doubled each time */
#define CLUSTER_RETRY_MAX_MS 7000
#define CLUSTER_STARTING_MS                                                                                            \
        1000 /* a pod, or a container made anew, that does not run yet is told of after this, or when something holds  \
              * it up */
#define CLUSTER_PODS_MAX                                                                                               \
        4096 /* that are known at a time: more wait, with an event that says why, but those that the node runs already \
              */
#define CLUSTER_LIST_AGAIN_MS (10 * 1000) /* until pods that could not be taken are asked for again */

/* What is asked and heard, on the loop. */
struct cluster_events {
        /* What the node has and is in: capacity, allocatable, conditions of pressure; texts in @arena or literals.
         * -ENOMEM or 0. */
        int (*node_status)(void *data, struct arena *arena, struct kube_node_status *ret_status);
        /* The node has been made anew: what its Node says of extended resources from before does not hold. */
        bool (*is_new)(void *data);
        /* A pod is wanted that was not before, or has changed; the reference is the callee's. */
        void (*pod)(void *data, struct pod *pod);
        /* It is to end within @grace seconds; NODE_NEVER: within its own time, the service has forgotten it. Again,
         * with a shorter time. */
        void (*end)(void *data, const char *uid, int64_t grace);
        void (*listed)(void *data);               /* what is wanted has been told, all of it: cluster_wants() */
        bool (*has)(void *data, const char *uid); /* something of the pod is on the node */
        /* What the pod is in. -ENOENT: nothing of it is on the node; -ENOMEM. */
        int (*pod_status)(void *data, const char *uid, struct arena *arena, struct kube_pod_status *ret_status);
        /* A container of it was ended to be made anew, and is about to run: what it is in meanwhile need not be told.
         */
        bool (*pod_renews)(void *data, const char *uid);
        void (*known)(void *data);   /* the node has an identity by which the service may be asked; told once */
        void (*network)(void *data); /* cluster_unready() may say something else now */
        bool (*moved)(void *data);   /* the host's addresses may be others; whether the node's is */
        void (*serving)(void *data); /* there is another cluster_serving() */
        void (*clock)(void *data);   /* the wall clock was set, or the host has slept */
        void (*told)(void *data);    /* the service has heard of something: cluster_has_told() */
        void *data;
};

/* What the cluster's network is made with. */
struct cluster_place {
        struct pool *pool;
        struct network *network;
};

/* Reads the kubeconfig, and looks the server's name up: may block. @options outlive it. -EINVAL, -ENOENT, -ENOMEM. */
int cluster_new(uv_loop_t *loop, const struct options *options, const struct cluster_events *events,
                const struct cluster_place *host, struct cluster **ret_cluster, struct err **err);

/* The client of the service, for others who ask it on the loop: as the node, once cluster_events.known() was told, and
 * until cluster_free(). */
struct client *cluster_client(const struct cluster *cluster);

/* Begins to talk to the service. 0 or -ENOMEM. */
int cluster_start(struct cluster *cluster);

/* The node's status may be another one: it is looked at now. */
void cluster_node_changed(struct cluster *cluster);

/* The host goes down, or it was called off: then the node is not ready. */
void cluster_node_shuts(struct cluster *cluster, bool shuts);

/* Whether the service has heard of all that has changed, of the node and its pods. */
bool cluster_has_told(const struct cluster *cluster);

/* Why pods that need a network must wait, in kubelet's words; NULL: they need not. Valid until the loop goes on. */
const char *cluster_unready(const struct cluster *cluster);

/* Whether the service wants the pod of this uid to run. */
bool cluster_wants(const struct cluster *cluster, const char *uid);

/* The pod's status may be another one: cheap, also for pods that are not the service's. */
void cluster_pod_changed(struct cluster *cluster, const char *uid);

/* The labels of the Node, until the loop goes on; NULL: not known. */
const string_map *cluster_node_labels(const struct cluster *cluster);

/* How much of extended resource @name the Node was given by somebody; -1: it was not, or is not known. */
int64_t cluster_declared(const struct cluster *cluster, const char *name);

/* The node runs @pod of its own: the service gets a mirror pod, and is told that one's status. -ENOMEM. */
int cluster_static_pod(struct cluster *cluster, struct pod *pod);
void cluster_static_gone(struct cluster *cluster, const char *uid); /* any uid */
void cluster_statics_known(struct cluster *cluster); /* all that there are were told: mirrors of others go */

/* Nothing of the pod is left on the node: if it was to end, the service forgets it. */
void cluster_pod_gone(struct cluster *cluster, const char *uid);

/* Something happened to the node, or to a pod; of pods that are not the service's nothing is told. */
void cluster_event(struct cluster *cluster, const struct event_object *object, bool warning, const char *reason,
                   const char *text);

/* The certificate that the service has signed for serving, and its key: PEM, until there is another; NULL: there is
 * none (yet). */
const char *cluster_serving(const struct cluster *cluster);

/* When the node's certificates end, in seconds since 1970; 0: there is none that is renewed. */
void cluster_certificates_end(const struct cluster *cluster, int64_t *ret_client, int64_t *ret_serving);

/* Nothing is told or asked any more; the service keeps what it was told. NULL is fine. */
void cluster_free(struct cluster *cluster);

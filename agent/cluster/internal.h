/* What the files of this room share. Nobody else includes it. */
#pragma once

#include "agent/cluster/cluster.h"
#include "client/client.h"
#include "client/informer.h"
#include "kube/kinds.h"
#include "kube/pod/pod.h"
#include "lib/list.h"
#include "lib/table.h"

#define CLUSTER_LEASES "kube-node-lease" /* their namespace */

/* When something is tried again. */
struct cluster_patience {
        unsigned ms; /* 0: nothing failed of late */
};
unsigned cluster_back_off(struct cluster_patience *patience); /* how long to wait now, ms */

enum cluster_node_state { CLUSTER_NODE_UNKNOWN, CLUSTER_NODE_THERE };

#define CLUSTER_CONDITIONS 4 /* that a node tells of itself */
struct cluster_condition {
        uint64_t status, why; /* hashes; 0: it is not there */
};

/* Errors of the Node that are told in a row, each once, before they are only for who looks closer. */
#define CLUSTER_SAID_MAX 4

struct cluster_node {
        enum cluster_node_state state;
        struct client_call *call; /* about the Node, under way */
        bool knew_own;            /* what it tells was made of what the service has */
        bool changed;             /* since it began */
        bool due;                 /* what has changed is about to be told */
        bool shuts;               /* the host goes down */
        uv_timer_t *timer;
        struct cluster_patience patience;
        uint64_t said[CLUSTER_SAID_MAX]; /* hashes of what went wrong since something went well */
        unsigned n_said;
        uint64_t told, sent; /* hashes of its status, without the time: as the service has it; as is under way */
        uint64_t told_at;    /* ms, the loop's clock */
        int64_t ready_since; /* or not ready; s since 1970 */
        struct cluster_condition conditions_told[CLUSTER_CONDITIONS], conditions_sent[CLUSTER_CONDITIONS];
        int64_t conditions_since[CLUSTER_CONDITIONS]; /* when another status of one was heard of; s since 1970 */
        bool overwritten;                             /* the service has other conditions than were told */
};

struct cluster_lease {
        struct client_call *call;
        bool makes; /* the call makes it: a 404 is of its namespace, or of what stands in front of the service */
        uv_timer_t *timer;
        struct cluster_patience patience;
};

/* A pod that the service has for this node. */
struct cluster_pod {
        struct cluster *cluster;
        struct table_node by_uid;
        struct list_node in_all, in_due;
        struct client_call *call;      /* about it, under way */
        uint64_t told, sent;           /* hashes of its status: as the service has it, as is under way; 0: not known */
        int64_t told_at;               /* the object's revision that came of what was told; 0: not known */
        int64_t heard_at;              /* that of the last one that was not looked at, as something was to be told */
        uint64_t wanted;               /* hash of what counts of it for its run */
        int64_t grace, seen;           /* s it has to end, when it @ends; s since 1970 when the node heard of it */
        uint64_t quiet_until;          /* ms, the loop's clock: till then only what is more than Pending is told */
        char ended;                    /* what its phase began with when all of it was told to have ended; 0: not yet */
        bool held;                     /* it is in cluster.held, not in due */
        bool listed;                   /* by the list under way */
        bool renewed;                  /* a container of it is made anew, as the node had it last */
        bool resized;                  /* the service may have conditions of a resize */
        bool ends;                     /* the service has it deleted */
        bool gone;                     /* and nothing of it is left here */
        bool buried;                   /* which the service knows */
        bool denied;                   /* what was told last, for want of rights: it is told again later */
        bool denied_before;            /* that was in the log */
        struct cluster_mirror *mirror; /* it is the mirror of one of the node's own; NULL: it is to run */
        char *mirror_hash;             /* of that, as it was made: owned */
        char *last;                    /* of one that is gone, what is to be told of it before it is buried; owned */
        size_t last_length;
        char *namespace, *name; /* behind @uid */
        char uid[];
};

enum cluster_mirror_state {
        CLUSTER_MIRROR_AT_REST,
        CLUSTER_MIRROR_CREATING, /* until the object is seen */
        CLUSTER_MIRROR_DELETING, /* until it is gone */
};

/* A pod of the node's own and its object at the service: one of the two may be missing. */
struct cluster_mirror {
        struct cluster *cluster;
        struct table_node by_key, by_uid; /* by_uid: while it has a @pod */
        struct list_node in_mirrors;
        struct pod *pod;            /* a reference; NULL: the node has none of this name */
        struct cluster_pod *object; /* NULL: the service has none */
        enum cluster_mirror_state state;
        struct client_call *call;
        bool refused_said;
        char key[]; /* NAMESPACE/NAME */
};

LIST_DEFINE(cluster_mirrors, struct cluster_mirror, in_mirrors)
LIST_DEFINE(cluster_all, struct cluster_pod, in_all)
LIST_DEFINE(cluster_due, struct cluster_pod, in_due)

/* The Node as the service has it. */
struct cluster_own {
        struct informers *informers;
        struct informer_handler heard;
        char *fields;
        struct arena *arena; /* of what follows; NULL: there is none */
        const char *uid;
        string_map labels;
        resource_list capacity, allocatable; /* as the service has them */
        bool gone;                           /* it was there, and was deleted */
        bool reset;                          /* what it says of extended resources was seen, and does not hold */
};
struct services;

struct identity;
struct cluster {
        uv_loop_t *loop;
        struct cluster_place host;
        struct services *services;
        char unready[ERR_TEXT_MAX]; /* cluster_unready() */
        const struct options *options;
        struct cluster_events events;
        struct identity *identity;
        struct client *client; /* its */
        struct cluster_node node;
        struct cluster_lease lease;
        struct recorder *recorder;
        struct informers *informers;
        struct informer *wanted; /* the pods: one of these */
        struct informer_handler heard;
        char *fields; /* which pods */
        struct cluster_all pods;
        struct table pods_by_uid;
        struct cluster_due due;  /* those of which something is to be told */
        uv_timer_t *report;      /* then it is */
        struct cluster_due held; /* those of which it is not yet */
        uv_timer_t *hold;        /* when the first does */
        struct cluster_patience patience;
        bool listed;      /* what the service has for the node is known */
        bool listing;     /* a list of it is under way */
        bool denied;      /* some pod is */
        bool passed_over; /* some pod was, since its last list began */
        bool turned_away; /* for want of a place */
        bool unread;      /* and some could not be read, which */
        bool unread_said; /* is in the log */
        struct cluster_own own;

        struct cluster_mirrors mirrors;
        struct table mirrors_by_key, mirrors_by_uid;
        bool statics_known;
        uv_timer_t *mirror_timer;
        struct cluster_patience mirror_patience;
};

/* The kinds that a node has to do with, without the table of all. */
extern const struct kube_kind cluster_nodes, cluster_pods, cluster_leases, cluster_event_kind;

/* cluster.c: what the service refuses may be because of who we are. */
void cluster_look_at(struct cluster *cluster, const struct client_answer *answer);

/* node.c */
int cluster_node_start(struct cluster *cluster);
void cluster_node_stop(struct cluster *cluster);
bool cluster_node_has_told(const struct cluster *cluster);
void cluster_node_replaced(struct cluster *cluster); /* it is another object, which knows nothing of this host yet */

/* What the service has of the Node's conditions; told at once when it is not what was told, but no more often than the
 * status is looked at: two who write one Node do not chase each other. */
void cluster_node_heard(struct cluster *cluster, const struct kube_node_status *status);

/* conditions.c: what was told of them, and what the service has */
void cluster_conditions_sent(struct cluster *cluster, const kube_node_condition_items *items);
void cluster_conditions_told(struct cluster *cluster); /* those that were sent */
/* Whether what is @there was neither told nor sent. Remembers when a status was another's. */
bool cluster_conditions_differ(struct cluster *cluster, const kube_node_condition_items *there);
/* A status is no older than the other one that was there. */
void cluster_conditions_date(const struct cluster *cluster, kube_node_condition_items *items);

/* network.c: the cluster's network, as far as it is this node's */
int cluster_network_new(struct cluster *cluster, struct err **err);

/* declared.c: extended resources that others give to the Node: the node can allot what it has of them. */
bool cluster_declares_other(const resource_list *before, const resource_list *now);
int cluster_add_declared(const struct cluster *cluster, struct arena *arena, struct kube_node_status *status);
/* Writes "allocatable": what is in @status, and null for what nobody gives any more. */
void cluster_write_allocatable(const struct cluster *cluster, const struct kube_node_status *status,
                               struct json_writer *w);

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

/* read.c: the pod that @object is, with the annotations that kubelet gives it; @seen: s since 1970. -EINVAL, -ENOMEM.
 */
int cluster_pod_read(int64_t seen, const struct value *object, struct pod **ret_pod, struct err **err);

/* own.c: begins with it, and goes on with the pods */
int cluster_own_start(struct cluster *cluster);
void cluster_own_stop(struct cluster *cluster);

/* mirror.c */
int cluster_mirrors_start(struct cluster *cluster);
void cluster_mirrors_stop(struct cluster *cluster);
const char *cluster_mirror_hash(const struct value *metadata); /* of an object that is a mirror; else NULL */
void cluster_mirror_seen(struct cluster_pod *object);          /* it is there, or another than it was */
void cluster_mirror_lost(struct cluster_pod *object);
void cluster_mirrors_owned(struct cluster *cluster);  /* there is a Node that mirrors are of */
void cluster_mirrors_listed(struct cluster *cluster); /* what was not seen is not there */
struct cluster_mirror *cluster_mirror_of(const struct cluster *cluster, const char *uid); /* NULL: none */

/* report.c */
const char *cluster_node_uid(const struct cluster_pod *pod); /* that under which the node has it */
#define CLUSTER_DELETE_MAX (POD_UID_MAX + 128)
size_t cluster_delete_now(const char *uid, char ret_options[CLUSTER_DELETE_MAX]); /* DeleteOptions; their length */
void cluster_report_later(struct cluster_pod *pod);                               /* its status may be another */
void cluster_report_now(struct cluster *cluster);                                 /* the service is there again */
void cluster_report_denied(struct cluster *cluster);                              /* rights may be there again */
void cluster_report_soon(struct cluster_pod *pod); /* it takes longer to start than most */

/* overwritten.c: the service has the object's @status as of @revision: told again where it is another one's. */
void cluster_pod_heard(struct cluster_pod *pod, int64_t revision, const struct value *status);
void cluster_pod_told(struct cluster_pod *pod); /* all that there was to tell */

/* hold.c: 0: the pod is not to end, or some of it runs; else what its phase begins with. */
char cluster_has_ended(const struct cluster_pod *pod, const struct kube_pod_status *status);

/* Whether @status, which is another one than was told, waits, for CLUSTER_STARTING_MS at most. */
bool cluster_hold(struct cluster_pod *pod, const struct kube_pod_status *status);

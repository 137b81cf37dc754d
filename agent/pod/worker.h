/* The worker of one pod: from its manifest to running containers, and back to nothing.
 *
 * Two kinds of machine run it, both on the loop: the pod's own (agent/pod/worker.c has its table: prepare, sandbox,
 * running, stopping, gone) and one for each container (agent/container/container.h). The pod asks its containers
 * through that header, they ask and tell the pod through agent/container/host.h. Nothing in them waits: what takes time
 * is a CRI call or a job on the pool (agent/op/op.h), whose end is an event. What is due later is found by looking at
 * the clock: a worker has one timer, set to the nearest of all that it waits for (back-off, probes, deadlines).
 *
 * What fails, for want of memory too, is told and tried again after NODE_RETRY_MS, until it succeeds or is not wanted
 * any more.
 *
 * Order and timing are kubelet's: pkg/kubelet/kuberuntime and pkg/kubelet/pod_workers.go.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/container/pulls.h"
#include "lib/metrics.h"
#include "agent/node/world.h"
#include "cri/state/events.h"
#include "kube/pod/pod.h"
#include "lib/err.h"

struct arena;
struct json_writer;
struct worker;

#define WORKER_GRACE_MIN_S 1   /* of the end of a pod: its hooks have that long at least */
#define WORKER_USERNS_MAX 1024 /* pods with a user namespace of their own */

/* What a worker tells of itself to whoever has it. */
struct worker_ops {
        void (*set_timer)(void *data, struct worker *worker, int64_t at); /* worker_tick() at @at; NODE_NEVER: off */
        void (*changed)(void *data, struct worker *worker); /* what the worker waits for or tells is another */
        void (*gone)(void *data, struct worker *worker);    /* nothing of the pod is left: worker_free() it, later */
};

/* What all workers of a node share. */
struct worker_node {
        struct node_world world;
        const struct worker_ops *ops;
        void *data; /* of ops */
        struct pull_queue pulls;
        int64_t burstable_milli;                 /* CPU requests of all burstable pods: their QoS cgroup's shares */
        uint64_t userns[WORKER_USERNS_MAX / 64]; /* blocks of ids taken by pods with a user namespace, a bit each */
        struct metrics_histogram starts;         /* metrics_pod_start_buckets: from first seen to Running */
};

/* What was found of a pod after a restart of the agent. */
struct worker_found_container {
        const char *name, *id;
        uint32_t restarts; /* from its annotation */
};

struct worker_found {
        const char *sandbox_id; /* NULL: none is left */
        uint32_t sandbox_attempt;
        const struct worker_found_container *containers; /* oldest first */
        size_t n_containers;
};

/* Makes a worker; takes a reference to @pod. Nothing happens before worker_start() or worker_take_up(). NULL without
 * memory. */
struct worker *worker_new(struct worker_node *node, struct pod *pod);

void worker_start(struct worker *worker);

/* In place of worker_start(): the pod has failed before anything of it was made. -ENOMEM. */
int worker_reject(struct worker *worker, const char *reason, const char *message);

/* Goes on with what runs, in place of worker_start(). -ENOMEM: it is to be freed, and taken up anew later. */
int worker_take_up(struct worker *worker, const struct worker_found *found);

/* Whether the pod can be evicted: it has not ended and is not ending. */
bool worker_is_active(const struct worker *worker);

/* What the eviction manager notes of a pod; the worker only keeps it. Zeroed at first. */
struct worker_mark {
        bool watched;        /* it has heard of the pod */
        enum tri held;       /* to limits of its own; TRI_UNSET: not looked at yet */
        uint64_t scanned_ns; /* the pod's CPU time when its files were counted last */
};
struct worker_mark *worker_mark(struct worker *worker);

/* Ends the pod as evicted, with @grace_seconds: it has failed for good, and its containers and logs go, as they may be
 * what the node is short of. @disruption: the node's shortage is the cause, not a limit of the pod's own. False: it
 * ends already, or there is no memory. */
bool worker_evict(struct worker *worker, const char *message, int64_t grace_seconds, bool disruption);

/* Ends the pod for a critical one, with its own grace period: it has failed for good. False as above. */
bool worker_preempt(struct worker *worker);
bool worker_is_preempted(const struct worker *worker);

/* Ends the pod since the host goes down, within @grace_seconds: it has failed for good. One that ends already has no
 * longer than that. False: there is no memory. */
bool worker_shut_down(struct worker *worker, int64_t grace_seconds);
bool worker_is_shut_down(const struct worker *worker);

/* Calls @each for each container that runs, with what cri says of it; stops, and returns false, when that does. */
bool worker_each_running(const struct worker *worker,
                         bool (*each)(void *data, const char *name, const struct cri_container_info *info), void *data);

/* Calls @each for each probe of its containers, which have had as many results (agent/container/container.h). */
struct member_probe_times;
struct worker_probe {
        const char *container, *type;
        const uint32_t *results;
        const struct member_probe_times *times;
};
void worker_each_probe(const struct worker *worker, void (*each)(void *data, const struct worker_probe *probe),
                       void *data);

/* Removes what is left of an ended pod's containers, if anything is; its status stays. Whether it began to. */
bool worker_discard(struct worker *worker);
bool worker_is_discarding(const struct worker *worker);

/* Ends the pod with its grace period; ops->gone when nothing is left. Again: no effect. */
void worker_delete(struct worker *worker);

/* The pod is @pod from now on: labels and annotations, images, activeDeadlineSeconds, ephemeral containers that were
 * added to it, what kube-apiserver lets change. Takes a reference. -EINVAL: it is another pod, whose containers have
 * other names; -ENOMEM. Both leave all as it is. */
int worker_update(struct worker *worker, struct pod *pod);

/* What its source says it is, as worker_update() had it last: worker_pod() is that with the resources that the node has
 * allocated to it (KEP-1287). And whether the two differ: then it is to be allocated them, or to wait. */
const struct pod *worker_wanted(const struct worker *worker);
bool worker_asks_resize(const struct worker *worker);
int64_t worker_waits_since(const struct worker *worker); /* to be resized; NODE_NEVER: it has not been refused yet */

/* It gets what it asks for: its cgroup and containers are resized. -ENOMEM leaves all as it is. */
int worker_allocate(struct worker *worker);

/* It does not for now: the node has not as much, as admission says in a word (@why, "OutOfcpu") and in a sentence. Or
 * never, while the node is as it is. */
void worker_defer(struct worker *worker, const char *why, const char *message);
void worker_defer_for_good(struct worker *worker, const char *message);

/* The CPUs that its containers may run on are others. */
void worker_update_cpus(struct worker *worker);

/* While it is resized: what it was allocated before, of which it may still hold what is more; NULL: it is not. */
const struct pod *worker_before(const struct worker *worker);

/* The grace period of its end, in seconds, in place of its own, at least WORKER_GRACE_MIN_S. Of a pod that ends already
 * it only counts when it is over sooner. */
void worker_set_grace(struct worker *worker, int64_t seconds);

/* The time that ops->set_timer asked for has come. */
void worker_tick(struct worker *worker);

/* What the API service has for the pod is another than before, or is known at last. */
void worker_sources_changed(struct worker *worker);

/* Whether that matters still: it does not once the pod's containers end for good. */
bool worker_uses_sources(const struct worker *worker);

/* An event of cri about the worker's sandbox or one of its containers. */
void worker_heard(struct worker *worker, const struct cri_event *event);

/* Forgets the pod and leaves it running. Memory goes when the operations under way have ended. NULL is fine. */
void worker_free(struct worker *worker);

const struct pod *worker_pod(const struct worker *worker);
void worker_set_owner(struct worker *worker, void *owner); /* the caller's own pointer */
void *worker_owner(const struct worker *worker);
const char *worker_sandbox(const struct worker *worker); /* its id; NULL: none */
bool worker_has_ended(const struct worker *worker); /* Succeeded or Failed, as is told; it may hold something still */
bool worker_renews(const struct worker *worker);    /* a container was ended to be made anew, and is not up again yet */
bool worker_holds(const struct worker *worker);     /* what the pod asks of the node: until its containers have ended */

/* The pod's status, in @arena or of the pod, and which generation of it that is. -ENOMEM. */
int worker_status(struct worker *worker, struct arena *arena, struct kube_pod_status *ret_status);

/* Writes the pod with its status as the API's JSON. -ENOMEM. */
int worker_write(struct worker *worker, struct json_writer *writer);

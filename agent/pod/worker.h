/* The worker of one pod: from its manifest to running containers, and back to nothing.
 *
 * Two tables run it, both on the loop: the pod's (agent/pod/worker.c: prepare, sandbox, running, stopping, gone) and
 * one for each container (agent/container/container.c: image, create, start, running, stop). Nothing in them waits:
 * what takes time is a CRI call or a job on the pool (agent/pod/op.h), whose end is an event. What is due later is
 * found by looking at the clock: a worker has one timer, set to the nearest of all that it waits for (back-off, probes,
 * deadlines).
 *
 * Order and timing are kubelet's: pkg/kubelet/kuberuntime and pkg/kubelet/pod_workers.go.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cri/cri.h"
#include "cri/state/events.h"
#include "kube/pod.h"
#include "lib/err.h"
#include "lib/pool.h"
#include "probes/probe.h"

struct cgroups;
struct events;
struct json_writer;
struct op;
struct options;
struct worker;

#define WORKER_NEVER INT64_MAX /* no time */
#define WORKER_RETRY_MS                                                                                                \
        (10 * 1000)             /* after a sandbox, volume or container could not be made: kubelet's backOffPeriod */
#define WORKER_GRACE_MIN_S 1    /* of the end of a pod: its hooks have that long at least */
#define WORKER_STOP_MIN_S 2     /* what is left of the grace period for a container at least, after hooks */
#define WORKER_USERNS_MAX 1024  /* pods with a user namespace of their own */
#define WORKER_USERNS_IDS 65536 /* ids of each, as kubelet gives them; the first block is the host's */
#define WORKER_MESSAGE_MAX 4096 /* bytes of a termination message */

/* What a worker reaches of the world: real in agent/pod/pods.c, made up in tests. */
struct worker_ops {
        void (*call)(void *data, enum cri_method method, const ProtobufCMessage *request,
                     const struct trace_parent *parent, cri_done_fn done, void *done_data);
        int (*sandbox_get)(void *data, const char *id, struct cri_sandbox_info *ret_info);
        int (*container_get)(void *data, const char *id, struct cri_container_info *ret_info);
        void (*submit)(void *data, struct pool_job *job);
        int64_t (*now)(void *data);                                       /* milliseconds since 1970, never backwards */
        void (*set_timer)(void *data, struct worker *worker, int64_t at); /* worker_tick() at @at; WORKER_NEVER: off */
        int (*probe_start)(void *data, const struct probe_target *target, probe_done done, void *done_data,
                           struct probe **ret_probe, struct err **err);
        void (*probe_cancel)(void *data, struct probe *probe);
        void (*changed)(void *data, struct worker *worker); /* what the worker waits for or tells is another */
        void (*gone)(void *data, struct worker *worker);    /* nothing of the pod is left: worker_free() it, later */
};

/* What all workers of a node share. */
struct worker_node {
        const struct worker_ops *ops;
        void *data; /* of ops */
        const struct options *options;
        const struct cgroups *cgroups; /* NULL: pod cgroups are left to cri */
        struct events *events;
        struct tracer *tracer;                   /* NULL: no traces are made */
        const char *host_ip;                     /* NULL: not known */
        int64_t memory_bytes, cpu_milli;         /* the node's */
        int64_t burstable_milli;                 /* CPU requests of all burstable pods: their QoS cgroup's shares */
        uint64_t userns[WORKER_USERNS_MAX / 64]; /* blocks of ids taken by pods with a user namespace, a bit each */
        unsigned pulls;                          /* under way on the node */
        bool pulls_begin;                        /* those that waited for one to end */
        struct op *pull_first, **pull_last;      /* those that wait for one of them to end */
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

/* In place of worker_start(): the pod has failed before anything of it was made. @reason is a literal. */
void worker_reject(struct worker *worker, const char *reason, const char *message);

/* Goes on with what runs, in place of worker_start(). */
void worker_take_up(struct worker *worker, const struct worker_found *found);

/* Whether the pod can be evicted: it has not ended and is not ending. */
bool worker_is_active(const struct worker *worker);

/* Whether it has limits that its disk usage is held against, and may be evicted for them. */
bool worker_has_limits(const struct worker *worker);

/* True once: whoever watches what pods use has not heard of it before. */
bool worker_begin_watch(struct worker *worker);

/* Ends the pod as evicted, with @grace_seconds: it has failed for good, and its containers and logs go, as they may be
 * what the node is short of. @disruption: the node's shortage is the cause, not a limit of the pod's own. */
void worker_evict(struct worker *worker, const char *message, int64_t grace_seconds, bool disruption);

/* Removes what is left of an ended pod's containers, if anything is; its status stays. Whether it began to. */
bool worker_discard(struct worker *worker);
bool worker_is_discarding(const struct worker *worker);

/* Ends the pod with its grace period; ops->gone when nothing is left. Again: no effect. */
void worker_delete(struct worker *worker);

/* The time that ops->set_timer asked for has come. */
void worker_tick(struct worker *worker);

/* An event of cri about the worker's sandbox or one of its containers. */
void worker_heard(struct worker *worker, const struct cri_event *event);

/* Forgets the pod and leaves it running. Memory goes when the operations under way have ended. NULL is fine. */
void worker_free(struct worker *worker);

const struct pod *worker_pod(const struct worker *worker);
void worker_set_owner(struct worker *worker, void *owner); /* the caller's own pointer */
void *worker_owner(const struct worker *worker);
bool worker_deleting(const struct worker *worker);
/* It holds nothing that runs any more: a pod that replaces it may start. */
bool worker_stopped(const struct worker *worker);
const char *worker_sandbox(const struct worker *worker); /* its id; NULL: none */
bool worker_holds(const struct worker *worker); /* what the pod asks of the node: until its containers have ended */

/* Writes the pod with its status as the API's JSON. */
int worker_write(struct worker *worker, struct json_writer *writer);

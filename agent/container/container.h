/* A container of a pod, as one state machine: image, files, create, start, hooks, run, stop, and again.
 *
 * What the pod's spec names is a `member` here; the containers that CRI makes for it one after another are its
 * attempts. A member is told what to do by its pod and asks and tells it through struct member_host
 * (agent/container/host.h); it knows nothing of pods but that, and of the other members nothing.
 * agent/container/container.c has its table.
 *
 * Everything is for the loop's thread. What cannot be done, memory included, is told in an event and tried again:
 * member_tick() says when.
 *
 * Order and timing are kubelet's: pkg/kubelet/kuberuntime/kuberuntime_container.go.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/container/host.h"
#include "kube/pod/pod.h"
#include "kube/pod/status.h"

struct json_writer;
struct member;
struct value;

#define MEMBER_STOP_MIN_S 2     /* what is left of the grace period for a container at least, after hooks */
#define MEMBER_MESSAGE_MAX 4096 /* bytes of a termination message */

enum member_role { MEMBER_INIT, MEMBER_SIDECAR, MEMBER_MAIN, MEMBER_EPHEMERAL };

/* @host and @spec outlive it. NULL without memory. */
struct member *member_new(const struct member_host *host, const struct kube_container *spec, enum member_role role);

/* Cancels what it has under way outside of operations: probes and hooks. Nothing more is asked of it but its end. */
void member_leave(struct member *member);

/* After member_leave(), with none of its operations under way. NULL is fine. */
void member_free(struct member *member);

/* -- what a pod may ask of it ------------------------------------------------------------------------------ */

/* Goes on with container @id, made before the agent's start with @restarts restarts; the oldest first. -ENOMEM. */
int member_take_up(struct member *member, const char *id, uint32_t restarts);

/* It has no record, and must have ended well, since what comes after it was made. */
void member_presume_done(struct member *member);

/* It is its turn: it is made and started. What ended before counts as a restart. */
void member_begin(struct member *member);

/* It is to have ended at @deadline: preStop, then StopContainer. Again: no effect. */
void member_stop_by(struct member *member, int64_t deadline);

/* Stops say @reason, a literal, from now on; NULL: that the pod ends. */
void member_set_kill_reason(struct member *member, const char *reason);

/* CRI says that its container @id has exited. False: it is not this member's. */
bool member_heard_exit(struct member *member, const char *id);

/* Its part of the pod's spec is @spec from now on, of which another image alone counts: what runs with the old one
 * ends, and starts anew whatever the restart policy; a pull that has failed is tried again at once. The old spec is not
 * looked at any more. */
void member_update(struct member *member, const struct kube_container *spec);

/* Whether member_update() may have @spec in the place of @now. */
bool member_is_same(const struct kube_container *now, const struct kube_container *spec);

/* Whether what its container has is what its spec says; only what runs is resized (KEP-1287). */
enum member_resizing { MEMBER_FITS, MEMBER_RESIZES, MEMBER_RESIZES_BY_RESTART };
enum member_resizing member_resizing(const struct member *member);

/* What its container has, what it is to have, and that it has other amounts now. */
const struct pod_container_size *member_size(const struct member *member);
struct pod_container_size member_wanted_size(const struct member *member);
void member_set_size(struct member *member, const struct pod_container_size *size);

/* CRI's request that its container be of that size, in @arena; NULL without memory. */
Cri__UpdateContainerResourcesRequest *member_resize_request(struct arena *arena, const struct member *member,
                                                            const struct pod_container_size *size);

/* The CPUs that it may run on are others. */
void member_update_cpus(struct member *member);

/* It ends, and starts anew with the size that its spec says, whatever the restart policy. */
void member_restart_for_size(struct member *member);

/* It is to end, and at @deadline at the latest, which is before the one that it was told. */
void member_hurry(struct member *member, int64_t deadline);

/* Its containers are removed, for the restart of all: then it waits for its turn. Only after it has ended. */
void member_remove(struct member *member);

/* What the API service has for the pod is another than before: if the container could not be made for that, it is tried
 * again without waiting. */
void member_sources_changed(struct member *member);

/* Its sandbox is gone, and all containers with it: what ran is history, and it waits for its turn. */
void member_reset(struct member *member);

/* Looks at the clock: hooks, stops and back-offs that are due. Returns when it wants to be asked again; NODE_NEVER. */
int64_t member_tick(struct member *member);

/* Starts the probes that are due; returns the next time. */
int64_t member_probe(struct member *member);

/* The pod ends: liveness and startup probes end, readiness goes on. */
void member_end_probes(struct member *member);

/* -- what it is in ----------------------------------------------------------------------------------------- */

enum member_role member_role(const struct member *member);
const struct kube_container *member_spec(const struct member *member);
const char *member_id(const struct member *member); /* of its newest container; NULL: none was made */

bool member_runs(const struct member *member);         /* has a process, or may have one soon */
bool member_has_process(const struct member *member);  /* its container was started, and has not exited */
bool member_is_up(const struct member *member);        /* runs, its hook and startup probe are done */
bool member_is_starting(const struct member *member);  /* others that start wait for it */
bool member_is_done(const struct member *member);      /* has ended with exit code 0 */
bool member_is_over(const struct member *member);      /* has ended, and is not started again */
bool member_is_replaced(const struct member *member);  /* was ended to be made anew, which nothing holds up */
bool member_is_removing(const struct member *member);  /* member_remove() has not come to its end */
bool member_asks_for_all(const struct member *member); /* its end restarts all containers (KEP-5532) */

/* Whether it waits for its turn, and may begin now. It tells of the back-off that it is in, and brings @wake forward to
 * that one's end. */
bool member_may_begin(struct member *member, int64_t *wake);

/* For as long as it runs: the API's status. @over: the pod is, so nothing is waited for any more. Texts are the
 * member's or cri's, and lie in @arena; without one, ids are bare and what only cri knows is left out. -ENOMEM. */
int member_status(const struct member *member, struct arena *arena, bool over, struct pod_container_status *ret_status);

/* How its probes ended so far, by kubelet's names. */
enum member_probe_result {
        MEMBER_PROBE_SUCCESSFUL,
        MEMBER_PROBE_FAILED,
        MEMBER_PROBE_UNKNOWN,
        MEMBER_PROBE_RESULTS,
};
/* How long those took that succeeded or told nothing, as kubelet counts them; those that failed are not in it. */
#define MEMBER_PROBE_BUCKETS 11
extern const double member_probe_buckets[MEMBER_PROBE_BUCKETS]; /* where they end, in seconds; one more has no end */
struct member_probe_times {
        uint32_t counts[MEMBER_PROBE_BUCKETS + 1]; /* each bucket's own */
        double sum;                                /* seconds */
};
struct member_probe {
        const char *type; /* "Liveness", "Readiness", "Startup" */
        const uint32_t *results;
        const struct member_probe_times *times;
};

/* Calls @each for each probe that it has. */
void member_each_probe(const struct member *member,
                       void (*each)(void *data, const struct member *member, const struct member_probe *probe),
                       void *data);

/* What a restart of the agent would lose, as one JSON object; taken up again from what was written. @over: the pod was,
 * so the member is as the text says. -ENOMEM. */
void member_write_hint(const struct member *member, struct json_writer *writer);
int member_read_hint(struct member *member, const struct value *hint, bool over);

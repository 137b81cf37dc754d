/* Keeps the node from running out of memory, disk space and tasks, as kubelet's eviction manager does: pods that use
 * more than a limit of their own are evicted, and when the node is short of something, what nothing uses is deleted and
 * then pods go, one at a time.
 *
 *   eviction_settings   what is configured             eviction_observe   what the node has left
 *   eviction_decide     which threshold acts           eviction_survey    what pods use
 *   eviction_rank       who goes first, in what words  eviction_images    which images go
 *   eviction            when to look, and what follows eviction_collect   deletes them
 *   eviction_notice     the kernel says that memory is short
 *
 * A look is a few small reads on the loop. It comes every EVICTION_LOOK_MS while something is near its threshold, a pod
 * has a limit of its own, or the node is under pressure; else as late as what is left allows, EVICTION_REST_MS at most;
 * and not at all without pods. Files are counted only after the file system's own figures have changed, and only those
 * of pods that used CPU time since.
 *
 * The pods of the directory are all static pods, which kubelet never evicts since somebody else would have to start
 * them again. Here they are all that there is: those of the classes system-node-critical and system-cluster-critical
 * (or of such a priority) are spared, the others go.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent/eviction/rank.h"
#include "agent/config/options.h"

struct arena;
struct cgroups;
struct cri;
struct events;
struct eviction;
struct json_writer;
struct kube_node_status;
struct pod;
struct pool;
struct worker;

#define EVICTION_CLEANUP_MS (30 * 1000)    /* how long an evicted pod's end is waited for before the next may go */
#define EVICTION_IMAGES_MS (5 * 60 * 1000) /* between two looks at images */

/* What it needs of the rest; all outlives it. */
struct eviction_world {
        uv_loop_t *loop;
        struct pool *pool;
        struct cri *cri;
        const struct options *options;
        const struct cgroups *cgroups;
        struct events *events;
        void *data;
        int64_t (*now)(void *data); /* milliseconds since 1970, never backwards */
        /* Calls @each for every pod's worker until it returns false. */
        void (*each_worker)(void *data, bool (*each)(void *each_data, struct worker *worker), void *each_data);
};

struct eviction_counters {
        uint64_t evictions[_EVICTION_SIGNALS], by_limit[_EVICTION_LIMITS]; /* pods */
        uint64_t images_by_age, images_by_space;
};

int eviction_new(const struct eviction_world *world, struct eviction **ret_eviction, struct err **err);

/* Looks for the first time; from then on by itself. */
void eviction_start(struct eviction *eviction);

/* A pod began, ended or went on: there may be something to watch, or the evicted pod has ended. Cheap. */
void eviction_changed(struct eviction *eviction, struct worker *worker);

/* Whether the node takes @pod under the pressure it has now; else the reason is "Evicted" and *ret_text says why. */
bool eviction_admit(struct eviction *eviction, const struct pod *pod, char ret_text[EVICTION_MESSAGE_MAX]);

/* The same for who adds to it: texts are literals, lists are in @arena, and that of conditions has room for
 * EVICTION_NODE_CONDITIONS. -ENOMEM or 0. */
int eviction_node_status(const struct eviction *eviction, struct arena *arena, struct kube_node_status *ret_status);
#define EVICTION_NODE_CONDITIONS 8

/* The node as the API's JSON: capacity, allocatable, conditions. */
int eviction_write_node(const struct eviction *eviction, struct json_writer *writer);

void eviction_get_counters(const struct eviction *eviction, struct eviction_counters *ret_counters);

/* Nothing is done any more; what is under way may still end. Then eviction_free(). NULL is fine. */
void eviction_stop(struct eviction *eviction);
void eviction_free(struct eviction *eviction);

/* The limits of the cgroup of all pods: what is reserved for the node itself is not theirs. 0: none. */
void eviction_pods_limits(const struct options *options, int64_t node_memory, int64_t *ret_pids, int64_t *ret_memory);
#define EVICTION_PIDS_SHARE 8 /* without a pid reservation the node keeps one part of as many */

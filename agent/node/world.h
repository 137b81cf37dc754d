/* What pods and their containers reach of the node around them: real in agent/pods/world.c, made up in tests.
 *
 * All functions are for the loop's thread. Times are milliseconds since 1970 of a clock that never goes backwards.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cri/cri.h"
#include "kube/core_v1.h"
#include "kube/pod/sources.h"
#include "kube/types.h"
#include "lib/err.h"
#include "lib/pool.h"
#include "probes/probe.h"

struct arena;
struct cgroups;
struct node_grant;
struct events;
struct options;

#define NODE_NEVER INT64_MAX        /* no time */
#define NODE_RETRY_MS (10 * 1000)   /* until what could not be done is tried again: kubelet's backOffPeriod */
#define NODE_ID_MAX (CRI_ID_LENGTH) /* bytes of a sandbox's or container's id */

struct node_world_ops {
        void (*call)(void *data, enum cri_method method, const ProtobufCMessage *request,
                     const struct trace_parent *parent, cri_done_fn done, void *done_data);
        int (*sandbox_get)(void *data, const char *id, struct cri_sandbox_info *ret_info);
        int (*container_get)(void *data, const char *id, struct cri_container_info *ret_info);
        void (*submit)(void *data, struct pool_job *job);
        int64_t (*now)(void *data);
        int (*probe_start)(void *data, const struct probe_target *target, probe_done done, void *done_data,
                           struct probe **ret_probe, struct err **err);
        void (*probe_cancel)(void *data, struct probe *probe);

        /* Of the API service, as they are now; any may be NULL, then there is none. *@ret_sources has a reference;
         * NULL: the pod is none of the service's. -ENOMEM. */
        int (*sources)(void *data, const struct pod *pod, struct pod_sources **ret_sources);
        bool (*sources_known)(void *data, const struct pod *pod); /* all of what there is to know */
        /* Services as the pod's variables, in @arena. -EAGAIN: not known yet, with *err; -ENOMEM. */
        int (*services)(void *data, const struct pod *pod, struct arena *arena, string_map *ret_variables,
                        struct err **err);

        /* Of the node's devices and CPUs; any may be NULL, then there is nothing of them. What the container is made
         * with, in @arena: a negative errno with *err. */
        int (*grant)(void *data, const struct pod *pod, const char *container, struct arena *arena,
                     struct node_grant *ret_grant, struct err **err);
        /* What is to be done before the container is made. 1: nothing is; 0: done() follows, once, not from within
         * this call; -ENOMEM. */
        int (*pre_start)(void *data, const struct pod *pod, const char *container,
                         void (*done)(void *data, const struct err *err), void *done_data);
        /* allocatedResourcesStatus, in @arena. -ENOMEM. */
        int (*devices)(void *data, const struct pod *pod, const char *container, struct arena *arena,
                       kube_resource_status_items *ret_status);
};

struct node_world {
        const struct node_world_ops *ops;
        void *data; /* of ops */
        const struct options *options;
        const struct cgroups *cgroups; /* NULL: pod cgroups are left to cri */
        struct events *events;
        struct tracer *tracer;                       /* NULL: no traces are made */
        const char *host_ip;                         /* NULL: not known */
        int64_t memory_bytes, cpu_milli, disk_bytes; /* what pods may ask for of the node */
};

static inline int64_t node_now(const struct node_world *world) {
        return world->ops->now(world->data);
}

static inline int node_sources(const struct node_world *world, const struct pod *pod,
                               struct pod_sources **ret_sources) {
        return world->ops->sources ? world->ops->sources(world->data, pod, ret_sources) : 0;
}

static inline int node_grant(const struct node_world *world, const struct pod *pod, const char *container,
                             struct arena *arena, struct node_grant *ret_grant, struct err **err) {
        return world->ops->grant ? world->ops->grant(world->data, pod, container, arena, ret_grant, err) : 0;
}

static inline int node_container_get(const struct node_world *world, const char *id,
                                     struct cri_container_info *ret_info) {
        return world->ops->container_get(world->data, id, ret_info);
}

/* @seconds after @time; at most NODE_NEVER - 1, a time that is one and never comes. */
static inline int64_t node_later(int64_t time, int64_t seconds) {
        if (seconds <= 0)
                return time;
        return seconds > (NODE_NEVER - 1 - time) / 1000 ? NODE_NEVER - 1 : time + seconds * 1000;
}

static inline int64_t node_earlier(int64_t a, int64_t b) {
        return a < b ? a : b;
}

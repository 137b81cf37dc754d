/* Which CPUs containers run on: kubelet's CPU manager, policies none and static, with no topology manager.
 *
 * With the policy static, a container of a guaranteed pod that asks for a whole number of CPUs has as many for itself;
 * all others share what is left, which is never less than what is reserved. Who has which is in the file
 * cpu_manager_state, in kubelet's format (version 2), on the disk before a container starts on them.
 *
 * Rules and words: pkg/kubelet/cm/cpumanager, policy_static.go. All is for the loop's thread.
 */
#pragma once

#include "agent/cpus/topology.h"

#define CPUS_STATE_MAX (1u << 20) /* bytes of the file */

struct cpus;
struct pod;
struct pool;

struct cpus_options {
        const char *policy;         /* "none" or "static" */
        const char *policy_options; /* NAME=VALUE,...; NULL: none */
        const char *reserved;       /* a list of CPUs that are reserved; NULL: as many as @reserved_milli is */
        int64_t reserved_milli;
        const char *state;                    /* the file */
        const struct cpus_topology *topology; /* of the host; copied */
};

/* Whether there is such a policy and its options are good: -EINVAL with what to do. */
int cpus_check(const char *policy, const char *policy_options, struct err **err);

struct cpus_world {
        struct pool *pool;
        void (*written)(void *data, uint64_t generation, const struct err *err); /* of the state */
        void *data;
};

/* Reads the state: blocks. One that is broken is set aside with a warning. -EINVAL: what it says does not go together
 * with @options; says what to do. */
int cpus_new(const struct cpus_options *options, const struct cpus_world *world, struct cpus **ret_cpus,
             struct err **err);
void cpus_free(struct cpus *cpus); /* NULL is fine */

bool cpus_is_static(const struct cpus *cpus);

/* Gives the pod's containers their CPUs. 0: nothing was to be given; 1: *ret_generation of the state has them.
 * -EBUSY and *ret_reason, a literal, with *err: there are not enough; nothing was given; -ENOMEM. */
int cpus_allocate(struct cpus *cpus, const struct pod *pod, uint64_t *ret_generation, const char **ret_reason,
                  struct err **err);

/* The pod has ended: what it had is shared. Whether it had something. */
bool cpus_release(struct cpus *cpus, const char *pod_uid);

/* Frees what pods have that @has does not know. Whether there was something. */
bool cpus_keep_only(struct cpus *cpus, bool (*has)(void *data, const char *pod_uid), void *data);

/* The container's own CPUs; NULL: it shares. And what is shared; NULL: all there are (policy none). */
const struct cpus_set *cpus_exclusive(const struct cpus *cpus, const char *pod_uid, const char *container);
const struct cpus_set *cpus_shared(const struct cpus *cpus);

/* Whether some container of the pod has its own. */
bool cpus_has_exclusive(const struct cpus *cpus, const char *pod_uid);

/* What can be given to containers: all but what is reserved; with the policy none, nothing. */
struct cpus_set cpus_allocatable(const struct cpus *cpus);

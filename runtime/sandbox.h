/* A pod's sandbox: its namespaces and its shim. Blocking functions for the pool. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/runtime.h"
#include "runtime/spec.h"

struct sandbox_spec {
        const char *hostname; /* NULL or with host_network: the host's */
        bool host_network;
        bool host_ipc;
        bool shared_pid;                 /* a holder process keeps one pid namespace for all containers */
        struct id_mappings mappings;     /* non-empty: a user namespace (hostUsers: false) */
        const struct key_value *sysctls; /* net.* and the ipc ones, set in the pod's namespaces */
        size_t n_sysctls;
        uint64_t shm_size; /* bytes of the pod's /dev/shm; 0: 64 MiB */
        /* A network namespace that the caller has made and pinned after sandbox_begin(), so that it can be worked on
         * while the shim is started; without a user namespace only. -EBADF: one is made and pinned. Borrowed. */
        int netns_fd;
        /* The pod's cgroup, which the shim joins: as in container_spec. n = 0: it stays in the agent's. Borrowed. */
        int cgroup_fd;
        const int *cgroup_procs_fds;
        size_t n_cgroup_procs_fds;
};

struct sandbox_info {
        pid_t shim_pid;
        uint64_t started_at; /* nanoseconds since 1970 */
};

/* The longest path sandbox_netns_path() writes. */
#define SANDBOX_PATH_MAX 512

void sandbox_spec_init(struct sandbox_spec *spec);

/* RUN/netns/ID, where the pod's network namespace is pinned after sandbox_create(). */
const char *sandbox_netns_path(const struct runtime *runtime, const char *id, char ret_path[SANDBOX_PATH_MAX]);

/* Makes the directory that a sandbox is found by: before anything else that is made of it outside of this module, so
 * that sandbox_ids() tells of it and sandbox_delete() takes it away. -EEXIST: there is one of this id. */
int sandbox_begin(struct runtime *runtime, const char *id, struct err **err);

/* Starts the shim in new net (pinned; loopback down, nothing configured), ipc and uts namespaces as @spec wants.
 * On failure nothing is left. Begins it unless @spec has a network namespace. -EEXIST: there is one of this id. */
int sandbox_create(struct runtime *runtime, const char *id, const struct sandbox_spec *spec,
                   struct sandbox_info *ret_info, struct err **err);

/* 0 when the pod's shim answers, -ENOENT when there is none (it was killed, the pod was deleted, the host booted). */
int sandbox_probe(struct runtime *runtime, const char *id, struct sandbox_info *ret_info, struct err **err);

/* The ids that have a directory below RUN/sandboxes: NULL-terminated, one allocation, free() it. */
int sandbox_ids(struct runtime *runtime, char ***ret_ids, struct err **err);

/* Starts a new shim for a pod whose shim was killed; it takes up the containers that still run, their output and
 * their exit codes, without touching them. @spec as at creation. The containers that it finds are in
 * container_list() afterwards; each that ran when the shim died is there, as running or as exited. */
int sandbox_recover(struct runtime *runtime, const char *id, const struct sandbox_spec *spec,
                    struct sandbox_info *ret_info, struct err **err);

/* Kills what still runs, ends the shim, lets the network namespace go and removes the directory. Works on halves,
 * and on what is not there at all. Network teardown (cni) comes before it. */
int sandbox_delete(struct runtime *runtime, const char *id, struct err **err);

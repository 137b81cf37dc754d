/* From a container's spec to its plan: opens and mounts all that the host has, so that the shim needs none of it. */
#pragma once

#include "runtime/plan/plan.h"
#include "runtime/spec.h"

/* The container's own ends of its streams; the plan gets duplicates. With a terminal they are not looked at. */
struct prepare_stdio {
        int in, out, err; /* -EBADF: the null device */
};

/* Appends what comes first: the namespaces that are made or joined, host name, session keyring. @spec was checked. */
void prepare_namespaces(const struct container_spec *spec, struct plan *plan);

/* Appends all the rest of a container: root, mounts, process. */
int prepare_container(const struct container_spec *spec, const struct prepare_stdio *stdio, struct plan *plan,
                      struct err **err);

/* The container's root as a detached mount. @user_fd: the user namespace to idmap its layers with, or -EBADF. */
int prepare_root(const struct container_spec *spec, int user_fd, int *ret_mount, struct err **err);

/* Appends the container's mounts, in their order. @user_fd as above. */
int prepare_mounts(const struct container_spec *spec, int user_fd, struct plan *plan, struct err **err);

/* Appends an exec in a container. @terminal_fd: its terminal; -EBADF: with process->terminal, one in the container's
 * devpts, whose master is reported. */
int prepare_exec(const struct process_spec *process, const struct prepare_stdio *stdio, int terminal_fd,
                 struct plan *plan, struct err **err);

/* The host's id of the container's @id; @id itself without mappings; (uint32_t)-1 when it is not mapped. */
uint32_t prepare_host_uid(const struct id_mappings *mappings, uint32_t id);
uint32_t prepare_host_gid(const struct id_mappings *mappings, uint32_t id);

/* Appends a step for each. -EINVAL: not a key; -EPERM: it is not of one of the namespaces @own (bits CLONE_NEWNET,
 * CLONE_NEWIPC, CLONE_NEWUTS) and so would be the host's. */
int prepare_sysctls(const struct key_value *sysctls, size_t n, uint64_t own, struct plan *plan, struct err **err);

/* Containers that another OCI runtime makes (crun, runc), for RuntimeClass handlers.
 *
 * The runtime's program is run by the pod's shim, in the pod's namespaces and a copy of the host's mount namespace, in
 * which the container's root is mounted in its bundle: no mount of it is ever seen on the host, and nothing is left
 * when the runtime or the agent is killed. The container, once created, is the shim's child (a subreaper's) as every
 * other one; the shim keeps its output, its exit code and its kills.
 *
 * RUN/sandboxes/ID/CID/runtime   link to the program: the container is delegated
 *                     /oci       the program's own state
 *                     /bundle    config.json, rootfs
 *
 * OCI runtime-spec 1.0: runtime.md, config.md; the command line that runc and crun share.
 */
#pragma once

#include "runtime/exec.h"
#include "runtime/internal.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/prepare.h"
#include "runtime/spec.h"

#define DELEGATE_PATH_MAX 4096
#define DELEGATE_DOCUMENT_MAX (16 << 20) /* bytes of a config.json */

struct delegate_created {
        pid_t pid;
        int master; /* of its terminal; -EBADF: it has none */
};

/* `create`: afterwards the container's process exists and waits. @dir is the sandbox's. */
int delegate_create(const struct container_at *at, int dir, const struct container_spec *spec,
                    const struct prepare_stdio *stdio, struct delegate_created *ret_created, struct err **err);

/* `start`, and `delete --force`. */
int delegate_start(const struct container_at *at, int dir, struct err **err);
int delegate_delete(const struct container_at *at, int dir, struct err **err);

/* Whether the container is delegated: @id below the sandbox's directory, SANDBOX/ID below that of all. */
bool delegate_is(int dir, const char *id);

/* Appends an `exec` to @plan; the file at *@ret_document (allocated) is to be removed when it has ended. */
int delegate_exec(const struct container_at *at, int dir, const struct exec_spec *spec, struct plan *plan,
                  char **ret_document, struct err **err);

/* Removes the files of a container that has gone. */
void delegate_forget(int dir, const char *id);

/* config.c: the documents. */
int delegate_config(const struct container_spec *spec, const char *pid_namespace, const char *const *sources,
                    char **ret_json, struct err **err);
int delegate_process(const struct process_spec *process, char **ret_json, struct err **err);

/* place.c: a mount namespace for the program: a copy of the host's, with what goes into the bundle. */
struct delegate_place {
        const char *bundle; /* absolute path */
        int rootfs;         /* a detached mount; -EBADF: nothing is put there */
        const int *sources; /* detached mounts for BUNDLE/mountN */
        size_t n_sources;
        pid_t shim; /* whose /dev/shm goes to BUNDLE/shm; 0: none */
};
int delegate_place(const struct delegate_place *place, int *ret_ns, struct err **err);

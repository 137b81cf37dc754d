/* The runtime of one agent: where its pods' sockets are, and what every shim is started from.
 *
 * RUN/sandboxes/ID/shim.sock   a pod's shim (SOCK_SEQPACKET, root only)
 * RUN/sandboxes/ID/CID/        FIFOs of a container's output, and the hint which process it is
 * RUN/netns/ID                 a pod's network namespace, pinned
 *
 * Everything below runtime/ that takes a `struct runtime` may be called from several threads at once for different
 * sandboxes; calls for one sandbox or one container are the caller's to order, except kill, resize and status.
 */
#pragma once

struct err;
struct runtime;

#define RUNTIME_ID_MAX 128 /* longest sandbox or container id, with its NUL */

/* The errno of every call to a shim that is not there or dies under it: another one is to be started
 * (sandbox_recover()). */
#define RUNTIME_NO_SHIM EHOSTDOWN

struct runtime_config {
        const char *run_dir;   /* absolute; made when missing */
        const char *shim_path; /* NULL: nacelle-shim beside the running program, else in its ../libexec/nacelle */
};

/* Prepares the directories, the empty mount namespace that shims start in, and a read-only view of the shim's
 * program (so that nothing in a container can ever write to it), and makes the calling process the reaper of
 * containers whose shim dies. */
int runtime_new(const struct runtime_config *config, struct runtime **ret_runtime, struct err **err);

/* Pods stay as they are. NULL is fine. */
void runtime_free(struct runtime *runtime);

/* A container of a pod, over the pod's shim. */
struct container_at {
        struct runtime *runtime;
        const char *sandbox, *id;
};

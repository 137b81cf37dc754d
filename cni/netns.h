/* Network namespaces that outlive the process that made them: pinned by a bind mount at a path.
 *
 * What must happen inside a namespace is done by the calling thread, which goes there and comes back before the call
 * returns; a thread of its own would cost two context switches, milliseconds on a busy node. Should the kernel refuse
 * the way back, the process aborts: no thread goes on in the wrong namespace.
 */
#pragma once

struct err;

/* Creates a namespace with its loopback up, pinned at @path (a file made for it; its directory must exist).
 * Returns 0; on failure nothing is left. */
int cni_netns_create(const char *path, struct err **err);

/* Pins the namespace that @source names (/proc/PID/ns/net) at @path, as cni_netns_create() does. */
int cni_netns_pin(const char *source, const char *path, struct err **err);

/* Opens the namespace pinned at @path, O_CLOEXEC. -ENOENT, or -EINVAL when @path is no network namespace. */
int cni_netns_open(const char *path, int *ret_fd, struct err **err);

/* Unmounts and removes @path. Returns 0 also when it is gone or was never mounted. */
int cni_netns_remove(const char *path, struct err **err);

/* Runs @call(@data) inside the namespace @netns_fd and returns what it returned. Sockets it opens stay in there. */
int cni_netns_run(int netns_fd, int (*call)(void *data, struct err **err), void *data, struct err **err);

/* Brings up lo in the namespace @netns_fd. */
int cni_netns_loopback_up(int netns_fd, struct err **err);

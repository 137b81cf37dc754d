/* OOM kills: counted, explained, and noticed.
 *
 * Whether a container that died was killed for its memory is answered by its cgroup's counter, read after its exit and
 * before the cgroup is removed; nothing has to be watched for that, and it is true after a restart of the agent too.
 * A watcher is for kills that the container survives (a child process): one descriptor for the loop, however many
 * cgroups.
 */
#pragma once

#include <stdint.h>

struct cgroups;
struct err;
struct cgroup_oom_watcher;

struct cgroup_oom_state {
        uint64_t kills;       /* processes of this cgroup killed by any OOM killer since it was made; some kernels
                               * count a process twice, so only its growth says something */
        uint64_t usage, peak; /* bytes; CGROUP_UNKNOWN (cgroups/stats.h) when not told */
        uint64_t limit;       /* CGROUP_UNKNOWN: none, the memory of the pod or the node was short */
        uint64_t failcnt;     /* times the limit was hit; 0 too where the kernel does not count (v1, Linux 6.18) */
};

/* Reads the counters of a cgroup, which may be empty of processes. -ENOENT when there is no such cgroup. */
int cgroup_oom_read(const struct cgroups *cgroups, const char *path, struct cgroup_oom_state *ret_state,
                    struct err **err);

/* "memory limit 64Mi, peak 64Mi, limit hit 12 times" as the end of a sentence about the kill. */
#define OOM_TEXT_MAX 160
const char *cgroup_oom_explain(const struct cgroup_oom_state *state, char ret_text[OOM_TEXT_MAX]);

/* A watcher belongs to one thread (the loop's). */
int cgroup_oom_watcher_new(const struct cgroups *cgroups, struct cgroup_oom_watcher **ret_watcher, struct err **err);
void cgroup_oom_watcher_free(struct cgroup_oom_watcher *watcher);

/* Readable when a watched cgroup has something to tell. */
int cgroup_oom_watcher_fd(const struct cgroup_oom_watcher *watcher);

/* Watches @path until cgroup_oom_watcher_remove() or the cgroup's removal; @key is what cgroup_oom_watcher_next() gives
 * back. */
int cgroup_oom_watcher_add(struct cgroup_oom_watcher *watcher, const char *path, void *key, struct err **err);
void cgroup_oom_watcher_remove(struct cgroup_oom_watcher *watcher, void *key);

/* The next cgroup whose cgroup_oom_state should be read again; NULL when there is none left. Never blocks. An event
 * does not mean a kill: compare cgroup_oom_state.kills with what it was. */
void *cgroup_oom_watcher_next(struct cgroup_oom_watcher *watcher);

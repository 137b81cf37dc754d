/* What the agent asks of the host before it starts: directories, the lock, limits of its own process.
 */
#pragma once

#include "agent/options.h"

/* Record locks on ROOT/lock and RUN/lock: closing them gives the directories up. */
struct host_locks {
        int root, run;
};

/* Makes the directories that @options name, refuses when not root or when another agent holds one of them. */
int host_prepare(const struct options *options, struct host_locks *ret_locks, struct err **err);

/* Becomes child subreaper, raises RLIMIT_NOFILE, sets umask, OOM score and malloc's limits. What the host refuses
 * is only logged. */
void host_set_process(void);

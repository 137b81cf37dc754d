/* What the agent asks of the host before it starts: directories, the lock, limits of its own process.
 */
#pragma once

#include "agent/config/claims.h"
#include "agent/config/options.h"

/* Record locks on ROOT/lock and RUN/lock, and what else is this agent's alone: given up with the process. */
struct host_locks {
        int root, run;
        struct claims claims;
};

/* Makes the directories that @options name, refuses when not root or when another agent holds one of them, or anything
 * else that two cannot share. */
int host_prepare(const struct options *options, struct host_locks *ret_locks, struct err **err);

/* Becomes child subreaper, raises RLIMIT_NOFILE, sets umask, OOM score and malloc's limits. What the host refuses
 * is only logged. */
void host_set_process(void);

/* What the agent asks of the host before it starts: directories, the lock, limits of its own process.
 */
#pragma once

#include "agent/options.h"

/* Makes the directories that @options name, refuses when not root or when another agent holds the root
 * directory (a record lock on ROOT/lock). *ret_lock is the held lock: closing it gives the directory up. */
int host_prepare(const struct options *options, int *ret_lock, struct err **err);

/* Becomes child subreaper, raises RLIMIT_NOFILE, sets umask, OOM score and malloc's limits. What the host refuses
 * is only logged. */
void host_set_process(void);

/* Directories for what must not outlive a reboot: sockets, FIFOs, pids. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "lib/err.h"

/* Makes @dir, root's alone, and, where it is empty and not on a tmpfs yet, mounts a private one there (SCRATCH_BYTES at
 * most): on a disk every one of these short-lived files would cost an inode's search, and a power cut would leave them.
 * A host that refuses the mount gets the directory alone. */
int scratch_make(const char *dir, struct err **err);
#define SCRATCH_BYTES "128m"

/* Takes @dir away with its tmpfs where nothing is in it; false when something is. */
bool scratch_drop(const char *dir);

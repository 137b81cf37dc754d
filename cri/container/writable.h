/* A container's writable layer: DIR/upper and DIR/work, as overlayfs wants them. */
#pragma once

#include "cri/state/state.h"

/* Makes them, and DIR itself. They belong to the container's root where that is not the host's. Blocks. */
int writable_make(const struct cri_sandbox *sandbox, struct arena *arena, const char *dir, struct err **err);

/* Empties what an earlier start, cut off by a death of the agent's or the shim's, has used: a volatile overlay cannot
 * be mounted a second time. Blocks. */
int writable_renew(const struct cri_sandbox *sandbox, struct arena *arena, const char *dir, struct err **err);

/* Taking up what an earlier life of the agent left. Blocks; before the loop runs. */
#pragma once

#include "cri/state/state.h"

/* Reads the records, connects to the shims, and removes what no record owns. A broken record is set aside with a
 * warning; only a directory that cannot be read fails. */
int cri_restore(struct cri *cri, struct err **err);

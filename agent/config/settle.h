/* What options are when nothing is said of them, and whether those that were said go together. */
#pragma once

#include "agent/config/options.h"

/* Fills what is NULL in @options. Errors are EINVAL with the flag and what it wants, or -ENOENT for a host without a
 * name. */
int options_settle(struct options *options, struct err **err);

/* Rules as people read them, in refusals and reviews. */
#pragma once

#include "api/rbac/rbac.h"

/* Rules of one resource as one rule with all their verbs; others as they are. -ENOMEM or 0. */
int rbac_compact(struct arena *arena, const rbac_rules *rules, rbac_rules *ret_compact);

/* A line for each, `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, sorted, each once. NULL without
 * memory. */
char *rbac_describe(struct arena *arena, const rbac_rules *rules);

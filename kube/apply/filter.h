/* What a door may own, as work on sets. */
#pragma once

#include "kube/apply/apply.h"
#include "kube/apply/set.h"

/* What of @set may be owned. NULL without memory. */
const struct apply_set *apply_filter_set(struct arena *arena, const struct apply_filter *filter,
                                         const struct apply_set *set);

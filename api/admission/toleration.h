/* Lists of tolerations: no request and no server. */
#pragma once

#include "kube/core_v1.h"

struct arena;

#define TOLERATION_MAX 1024 /* of both */

/* Those of both; of two of which one tolerates all that the other does, that one. -E2BIG, -ENOMEM or 0. */
int toleration_merge(struct arena *arena, const kube_toleration_items *first, const kube_toleration_items *second,
                     kube_toleration_items *ret_merged);

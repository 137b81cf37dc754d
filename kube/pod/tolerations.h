/* Which taints of a node a pod tolerates: as component-helpers/scheduling/corev1 (ToleratesTaint) has it. */
#pragma once

#include "kube/core_v1.h"

/* The first of @tolerations that tolerates @taint; NULL: none does. */
const struct kube_toleration *pod_toleration_of(const kube_toleration_items *tolerations,
                                                const struct kube_taint *taint);

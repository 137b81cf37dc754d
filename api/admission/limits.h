/* What a LimitRange gives and what it wants, of pods and claims: no request and no server. */
#pragma once

#include <stdbool.h>

#include "kube/core_v1.h"

struct arena;

#define LIMITS_AMOUNTS_MAX 256 /* of a LimitRange */
#define LIMITS_ERRORS_MAX 64
#define LIMITS_GIVEN_MAX 65536 /* defaults for all of them: more than an object has room for */

/* All give -E2BIG for a LimitRange past these, and for a pod that pod_can_total() does not take. */

/* Requests and limits that the containers do not give, and the annotation that says so. 1: something was given; 0;
 * -ENOMEM. */
int limits_give(struct arena *arena, const struct kube_limit_range *range, struct kube_pod *pod);

/* What does not keep to the range, in kube-apiserver's words; *@ret_text NULL: all does. -ENOMEM or 0. */
int limits_check_pod(struct arena *arena, const struct kube_limit_range *range, const struct kube_pod *pod,
                     const char **ret_text);
int limits_check_claim(struct arena *arena, const struct kube_limit_range *range,
                       const struct kube_persistent_volume_claim *claim, const char **ret_text);

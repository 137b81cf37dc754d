/* What reviews of authorization.k8s.io may ask, which are never kept (pkg/apis/authorization/validation). */
#pragma once

#include "kube/authorization_v1.h"

struct problems;

/* The selectors of @attributes, at spec.resourceAttributes; NULL: nothing is wrong. Operators may be unknown: what is
 * not understood is not asked. 0 or -ENOMEM. */
int validate_review_selectors(const struct kube_authorization_v1_resource_attributes *attributes,
                              struct problems *problems);

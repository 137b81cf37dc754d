/* The tables of the pod's parts: kube/field.h explains the rows. */
#pragma once

#include "kube/field.h"

extern const struct object_type object_meta_type, pod_type, pod_spec_type;
extern const struct object_type container_type, ephemeral_container_type;
extern const char *const restart_policies[];
extern const struct object_type resources_type, profile_type;

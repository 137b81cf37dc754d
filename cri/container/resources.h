/* CRI's Linux resources as cgroups take them. */
#pragma once

#include "cri/api.pb-c.h"

struct arena;
struct cgroup_limits;
struct err;

/* Fills @ret_limits; what it points to is in @arena or @resources. -EINVAL for an amount that cannot be. */
int resources_to_limits(struct arena *arena, const Cri__LinuxContainerResources *resources,
                        struct cgroup_limits *ret_limits, struct err **err);

/* Puts what @update says over what @old has (NULL: nothing), in @arena; NULL without memory. */
Cri__LinuxContainerResources *resources_merge(struct arena *arena, const Cri__LinuxContainerResources *old,
                                              const Cri__LinuxContainerResources *update);

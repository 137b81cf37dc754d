/* Between the files that make a container's configuration. */
#pragma once

#include "agent/container/internal.h"
#include "agent/container/request.h"
#include "agent/node/grant.h"

/* NULL without memory. */
Cri__LinuxContainerSecurityContext *member_request_security(struct arena *arena, const struct member *m);

/* CPU, memory and huge pages as CRI has them; NULL without memory. */
Cri__LinuxContainerResources *member_request_resources(struct arena *arena, const struct member *m,
                                                       const struct pod_container_size *size);

/* Fill in what they name; false without memory. */
bool member_request_labels(struct arena *arena, const struct member *m, const struct node_grant *grant,
                           Cri__ContainerConfig *config);
bool member_request_devices(struct arena *arena, const struct node_grant *grant, Cri__ContainerConfig *config);

/* @environment: the container's variables, for what paths within image volumes say of them. A negative errno. */
int member_request_mounts(struct arena *arena, const struct member *m, const struct node_grant *grant,
                          const string_map *environment, Cri__ContainerConfig *config, struct err **err);

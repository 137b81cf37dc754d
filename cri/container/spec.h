/* A container's configuration as the runtime wants it. */
#pragma once

#include "cgroups/limits.h"
#include "cri/state/state.h"
#include "runtime/container.h"

/* Refuses what can be seen to be wrong in a request: mounts, options that exclude each other, profiles. */
int spec_check_config(const Cri__ContainerConfig *config, const Cri__PodSandboxConfig *pod, struct err **err);

/* Everything of the container but its process and cgroup, in @arena. Blocks: host paths are looked at. */
int spec_fill(struct cri_container *container, struct arena *arena, struct container_spec *ret_spec, struct err **err);
int spec_fill_mounts(struct cri_container *container, struct arena *arena, struct container_spec *spec,
                     struct err **err);
int spec_fill_devices(struct cri_container *container, struct arena *arena, struct container_spec *spec,
                      struct cgroup_device **ret_rules, size_t *ret_n_rules, struct err **err);

/* Where output goes; log_path is "" without one. In @arena. */
int spec_fill_io(const struct cri_container *container, struct arena *arena, struct container_io *ret_io,
                 struct err **err);
/* Closes what the mounts of a filled spec hold. */
void spec_close(struct container_spec *spec);

char *container_log_path(struct arena *arena, const struct cri_container *container);

/* Puts what the requested CDI devices bring (mounts, devices, environment) into a copy of @config's lists, in @arena.
 */
int spec_add_cdi(const struct cri *cri, struct arena *arena, Cri__ContainerConfig *config, struct err **err);

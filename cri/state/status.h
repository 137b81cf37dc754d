/* CRI's messages about an object, on the loop. They borrow from the object: valid while it is referenced and unchanged.
 */
#pragma once

#include "cri/state/state.h"

/* Each is NULL without memory; all else of them is in @arena. */
Cri__PodSandboxStatus *status_of_sandbox(struct arena *arena, const struct cri_sandbox *sandbox);
Cri__ContainerStatus *status_of_container(struct arena *arena, const struct cri_container *container);

/* One for each container of the sandbox. */
Cri__ContainerStatus **status_of_containers(struct arena *arena, const struct cri_sandbox *sandbox, size_t *ret_n);

/* What "crictl inspect" shows beyond the status: JSON in @arena. */
char *info_of_sandbox(struct arena *arena, const struct cri_sandbox *sandbox);
char *info_of_container(struct arena *arena, const struct cri_container *container);

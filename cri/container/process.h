/* What a container's process is: decided from image and request once, and the same for every exec. */
#pragma once

#include "cri/state/state.h"
#include "images/image.h"
#include "runtime/spec.h"

/* Decides args, env, cwd and stop signal into @record. -EINVAL: there is nothing to run. */
int process_decide(struct arena *arena, const Cri__ContainerConfig *config, const struct image_config *image,
                   const Cri__PodSandboxConfig *pod, Record__Container *record, struct err **err);

/* Fills @ret_process for the container's first process; what it points to is in @arena or the container's. The seccomp
 * filter may have to be compiled and so this blocks, unless it was called for this container before. */
int process_fill(struct cri_container *container, struct arena *arena, struct process_spec *ret_process,
                 struct err **err);

/* The bounding set that the configuration asks for. */
int process_capabilities(const Cri__ContainerConfig *config, struct capability_sets *ret_sets, struct err **err);

/* The signal's number here for CRI's, and for an image's text ("SIGQUIT", "3"); -EINVAL. */
int signal_of_cri(Cri__Signal signal);
int signal_of_text(const char *text);
Cri__Signal signal_to_cri(int signal);

/* Runtime handlers: what RunPodSandbox may name, and what serves it. */
#pragma once

#include "cgroups/limits.h"
#include "cri/state/state.h"
#include "runtime/spec.h"

#define HANDLERS_MAX 32

struct cri_handler {
        const char *name;
        const char *path; /* of the OCI runtime; NULL: our own */
};

/* Reads options.runtimes into cri->handlers; "" and our own name are always there. -EINVAL: not "NAME=PATH,...". */
int handlers_read(struct cri *cri, struct err **err);

/* Refuses an unknown handler, and what it cannot do of @config. */
int handler_check(const struct cri *cri, const char *name, const Cri__PodSandboxConfig *config, struct err **err);

/* Makes @spec another runtime's, when the sandbox's handler is. In @arena; blocks. */
int handler_fill(struct cri_container *container, struct arena *arena, const struct cgroup_device *rules,
                 size_t n_rules, struct container_spec *spec, struct err **err);

/* For Status; in @arena, NULL without memory. */
Cri__RuntimeHandler **handlers_status(const struct cri *cri, struct arena *arena, size_t *ret_n);

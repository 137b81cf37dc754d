/* Which seccomp filter a container gets. */
#pragma once

#include "cri/state/state.h"

/* NULL in *@ret_filter: unconfined. Blocks: a Localhost profile is read. */
int seccomp_choose(const struct cri_container *container, uint64_t bounding, const struct seccomp_filter **ret_filter,
                   struct err **err);

/* The same as OCI's linux.seccomp in @arena, for another runtime; NULL in *@ret_json: unconfined. */
int seccomp_choose_oci(const struct cri_container *container, uint64_t bounding, struct arena *arena,
                       const char **ret_json, struct err **err);

/* Refuses a profile that names no file, or one by a path that cannot be. */
int seccomp_check(const Cri__ContainerConfig *config, struct err **err);

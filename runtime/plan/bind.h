/* Bind mounts as detached trees. */
#pragma once

#include <stdbool.h>

#include "runtime/spec.h"

/* Clones @mount's source with its attributes and propagation. @user_fd: the user namespace for an idmapped one. */
int bind_open(const struct mount_spec *mount, int user_fd, int *ret_tree, bool *ret_directory, struct err **err);

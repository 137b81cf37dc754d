/* The overlay that is a container's root. */
#pragma once

#include "runtime/spec.h"

/* Makes a detached mount of @root's layers (overlayfs, Documentation/filesystems/overlayfs.rst). With @user_fd, a user
 * namespace, the lower layers are idmapped with it, so that images stay owned by root on the disk and by the
 * container's root in it (-EBADF: not). Any number of layers up to SPEC_LAYERS_MAX, however long their paths; of
 * one that comes more than once the topmost counts. Without an upper directory it is read-only. Errors name the layers.
 */
int overlay_mount(const struct rootfs_spec *root, int user_fd, int *ret_mount, struct err **err);

/* The same by mount(2), for kernels before 6.8: overlay_mount() falls back to it. As many layers as fit into a page as
 * descriptors, about 200. */
int overlay_mount_old(const struct rootfs_spec *root, int user_fd, int *ret_mount, struct err **err);

/* An image as a read-only mount: image volumes. */
#pragma once

#include <stddef.h>

struct err;

/* Makes a detached read-only mount of the directory or file @sub_path ("" for all) of the image with @layers (topmost
 * first), idmapped with @user_fd (-EBADF: not) as overlay_mount() does it. The path is resolved inside the image.
 * -ENOENT: it is not there. */
int image_mount_open(char *const *layers, size_t n_layers, int user_fd, const char *sub_path, int *ret_fd,
                     struct err **err);

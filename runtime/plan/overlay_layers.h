/* The lower directories of an overlay, as the kernel takes them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runtime/spec.h"

struct err;

#define OVERLAY_NAMES_MAX 1024 /* bytes of layers' names in an error */

struct overlay_layers {
        const char *paths[SPEC_LAYERS_MAX]; /* topmost first; borrowed */
        size_t n;
        bool empty_below; /* an empty directory is wanted below them */
};

/* Takes each directory once: overlayfs refuses to have one twice, under whatever name (ELOOP). The topmost place
 * counts, since it hides all that the others would show: @root's images often have a layer more than once. Where one
 * layer is left and nothing is to be written, which overlayfs refuses too, an empty one is needed below it. -E2BIG past
 * SPEC_LAYERS_MAX; -ENOENT and so on name the layer. */
int overlay_layers_of(const struct rootfs_spec *root, struct overlay_layers *ret_layers, struct err **err);

/* "N layers (PATH, PATH, ... and N more)" in @ret_text. Returns @ret_text. */
const char *overlay_layers_name(const struct overlay_layers *layers, char ret_text[OVERLAY_NAMES_MAX]);

/* A detached mount of an empty directory, or a negative errno. */
int overlay_empty(void);

/* A layer's tar stream becomes a directory that overlayfs takes as a lower one.
 *
 * Whiteouts become character devices 0:0, opaque directories get overlay's attribute. The stream is hostile: every step
 * is relative to an open directory and follows no link. Links that an entry's path or a hard link's target leads
 * through are read, and taken as a process with the layer as its root would; ".." ends at that root. More than the
 * maxima is refused. Parents are not looked at, so that layers unpack side by side; what needs them is left in struct
 * layer_needs, for layer_settle().
 *
 * OCI image-spec v1.1 "layer.md"; Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
 */
#pragma once

#include <stdint.h>

#include "images/strings.h"

struct err;
struct tar_reader;

#define LAYER_BYTES_MAX ((uint64_t)128 << 30) /* what one layer's files may hold together */
#define LAYER_ENTRIES_MAX 2000000
#define LAYER_PATHS_MAX ((size_t)256 << 20) /* bytes of paths remembered: directories, pending links */

struct layer_limits {
        uint64_t bytes, entries; /* 0: the maximum */
};

/* What can only be done with the layers below at hand. */
struct layer_needs {
        struct string_list implied;        /* directories that came without an entry: metadata is the lower layer's */
        struct string_list links, targets; /* hard links into a lower layer, item by item */
        struct string_list whiteouts;      /* what is hidden: where nothing is, the mark would show */
};

struct layer_result {
        uint64_t bytes, inodes;   /* on disk */
        struct layer_needs needs; /* free with layer_needs_clear() */
};

/* Applies all entries of @tar to the empty directory @root. Returns 0; -EBADMSG for what is refused, -E2BIG past a
 * maximum, or the errno of the file system (-ENOSPC), with *@err naming the entry. The umask must be 0. */
int layer_apply(int root, struct tar_reader *tar, const struct layer_limits *limits, struct layer_result *ret_result,
                struct err **err);

void layer_needs_clear(struct layer_needs *needs);

/* Does what @needs says to layer @root with the @n layers below it in @lower (topmost first; descriptors of their
 * roots). Returns 1 when something was changed, so that the layer fits these parents only; 0; or a negative errno,
 * -EBADMSG when a hard link's target is nowhere. */
int layer_settle(int root, const struct layer_needs *needs, const int *lower, size_t n, struct err **err);

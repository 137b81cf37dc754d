/* The layout of configMap, secret, downwardAPI and projected volumes: files that change all at once, seen through one
 * symlink (Kubernetes pkg/volume/util/atomic_writer).
 *
 *   DIR/..2026_11_21_10_00_00.123456789/labels   the data
 *   DIR/..data -> ..2026_11_21_10_00_00.123456789   swapped by rename
 *   DIR/labels -> ..data/labels
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "lib/err.h"

#define ATOMIC_FILES_MAX 16384

struct atomic_file {
        const char *path; /* relative, no "..", may have folders */
        const char *data;
        size_t length;
        mode_t mode;
        uid_t owner; /* 0: whoever writes it */
};

/* Brings the volume @dir (which exists) to exactly @files. Nothing is written when it holds them already. @gid:
 * group of the files, and of their folders, which then have setgid; (gid_t)-1: as it is. Blocks. */
int atomic_write(const char *dir, const struct atomic_file *files, size_t n, gid_t gid, struct err **err);

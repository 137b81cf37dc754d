/* What a directory and all below it take on the disk, as du counts it: allocated blocks, a file with several links
 * once, nothing of other file systems.
 *
 * For trees that a container may be writing to: no link is followed, nothing outside the tree is counted, and neither
 * its depth nor the length of its paths hides anything. Blocks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

#define DISK_USAGE_INODES_MAX ((uint64_t)16 << 20) /* looked at in one call unless the caller says less */
#define DISK_USAGE_ANCHORS_MAX 512                 /* descriptors held for paths too long for one call */

struct disk_usage {
        uint64_t bytes, inodes; /* the directory itself counts */
        bool partial;           /* there is more than was looked at: the figures are a lower bound */
};

/* Adds up @path, a directory or a file, looking at @inodes_max entries at most (0: DISK_USAGE_INODES_MAX). What
 * vanishes meanwhile is left out. Returns 0, or a negative errno when @path itself cannot be opened. */
int disk_usage_read(const char *path, uint64_t inodes_max, struct disk_usage *ret_usage, struct err **err);

/* What is below the directory @path, without itself; nothing where there is none. */
struct disk_usage disk_usage_below(const char *path);

/* An image archive opened for reading by member name: a tar file, compressed or not, or a directory with the same
 * content. Foreign: names and links never lead out of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct archive;

#define ARCHIVE_MEMBERS_MAX 100000

/* Where a member's bytes are. */
struct region {
        int fd;
        bool owned; /* close it */
        uint64_t offset, size;
};

#define REGION_NONE                                                                                                    \
        { .fd = -EBADF }

/* Opens @path; a compressed archive, or one that cannot be sought in, is first written to an unnamed file in directory
 * @scratch. */
int archive_open(const char *path, int scratch, struct archive **ret_archive, struct err **err);
void archive_closep(struct archive **archive);

/* Finds member @name ("blobs/sha256/HEX"). Returns 0, -ENOENT, or another negative errno. */
int archive_find(const struct archive *archive, const char *name, struct region *ret_region, struct err **err);
void region_close(struct region *region);
#define _cleanup_region_ __attribute__((cleanup(region_close)))

/* Reads a whole member of at most @max bytes; free() it. */
int archive_read(const struct archive *archive, const char *name, size_t max, char **ret_text, size_t *ret_n,
                 struct err **err);

/* Whether the region begins as a gzip or zstd stream does: "gzip", "zstd" or "". */
const char *region_compression(const struct region *region);

/* Files of the store: read whole within a bound, written by rename after fsync, trees removed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;

/* Reads the file @name in @dir, at most @max bytes, without following a symbolic link at its end. *@ret_text is
 * NUL-terminated; free() it. Returns 0, -ENOENT, -E2BIG, another negative errno. */
int image_file_read(int dir, const char *name, size_t max, char **ret_text, size_t *ret_n, struct err **err);

/* Writes @n bytes to the file @name in @dir: a temporary file beside it, fsync, rename, fsync of the directory. */
int image_file_write(int dir, const char *name, const void *text, size_t n, struct err **err);

/* Makes directory @name in @dir if it is not there, and opens it. */
int image_directory_open(int dir, const char *name, int *ret_fd, struct err **err);

/* Removes @name in @dir and all below it, never following a link or crossing into a mount. What is not there is
 * removed. Whoever else has it open must not be adding to it. */
int image_tree_remove(int dir, const char *name, struct err **err);

/* Adds up what the tree at @name takes on disk. Returns 0 or a negative errno. */
int image_tree_usage(int dir, const char *name, uint64_t *bytes, uint64_t *inodes);

/* A name that no other caller in any process gets. */
#define FILE_TEMPORARY_MAX 64
const char *image_file_temporary_name(const char *prefix, char ret_name[FILE_TEMPORARY_MAX]);

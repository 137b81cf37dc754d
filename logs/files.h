/* The files of one log in their order: rotated ones by name, then NAME itself; also while it is being rotated. */
#pragma once

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

struct logs_files {
        char (*names)[NAME_MAX + 1]; /* rotated ones, oldest first */
        size_t n;
};

/* What there is at one moment: @ret_current is NAME, opened, or -ENOENT; @ret_files are the rotated files before it, at
 * most LOGS_ROTATED_MAX (the youngest), and none between two of these or behind the last is left out. A rotated file
 * has its name for good; one that a rotation is only about to fill is empty and not listed. Returns 0 or a negative
 * errno.
 */
int logs_files_list(int dir_fd, const char *name, struct logs_files *ret_files, int *ret_current);
void logs_files_done(struct logs_files *files);
#define _cleanup_log_files_ __attribute__((cleanup(logs_files_done)))

/* Opens one for reading: a regular file, no symbolic link. */
int logs_files_open(int dir_fd, const char *name);

/* The index of the file with this inode; -1 when it is gone. */
ssize_t logs_files_find(const struct logs_files *files, int dir_fd, dev_t dev, ino_t ino);

/* Says that @fd, and so every younger file of the log, is wanted: the writer's rotation keeps it for a while beyond
 * what the limits say (logs/writer.h). Ends with @fd. Returns 0, or -ENOENT when the file was removed already. */
int logs_files_hold(int fd);

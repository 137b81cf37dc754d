/* The files of one log in their order: rotated ones by name, then NAME itself. */
#pragma once

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

struct log_files {
        char (*names)[NAME_MAX + 1]; /* oldest first; NAME is the last where it exists */
        size_t n;
};

/* Lists what is there now, at most LOG_ROTATED_MAX rotated files (the youngest). Returns 0 or a negative errno. */
int log_files_list(int dir_fd, const char *name, struct log_files *ret_files);
void log_files_done(struct log_files *files);
#define _cleanup_log_files_ __attribute__((cleanup(log_files_done)))

/* Opens one for reading: a regular file, no symbolic link. */
int log_files_open(int dir_fd, const char *name);

/* The index of the file with this inode; -1 when it is gone. */
ssize_t log_files_find(const struct log_files *files, int dir_fd, dev_t dev, ino_t ino);

/* Where the last lines of a log begin. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "logs/files.h"
#include "logs/reader.h"

/* A log's files, oldest first, and the one that is written to. */
struct logs_tail {
        const struct logs_files *files;
        int dir_fd, current; /* @current: -EBADF when there is none */
        const struct logs_options *options;
        char *buffer; /* to read into, of at least LOGS_ENTRY_MAX bytes */
        size_t size;
};

/* Finds the file, an index of @tail's files or files->n for its current one, and the offset in it from which on
 * options->tail_lines lines of the wanted streams follow (the first file's begin when there are fewer). */
int logs_tail_find(const struct logs_tail *tail, size_t *ret_file, off_t *ret_offset);

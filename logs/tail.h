/* Where the last lines of a log begin. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "logs/files.h"
#include "logs/reader.h"

/* Finds the file, an index of @files or files->n for @current, and the offset in it from which on options->tail_lines
 * lines of the wanted streams follow (the first file's begin when there are fewer). @buffer is for reading, of @size
 * bytes, at least LOGS_ENTRY_MAX. */
int logs_tail_find(const struct logs_files *files, int dir_fd, int current, const struct logs_options *options,
                   char *buffer, size_t size, size_t *ret_file, off_t *ret_offset);

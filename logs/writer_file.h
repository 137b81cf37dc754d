/* The file side of logs/writer.h: appending whole entries, rotation, lost lines. */
#pragma once

#include <stddef.h>

#include "logs/writer.h"

/* "2026-11-21T10:47:15.123456789Z stdout F " */
#define LOG_PREFIX_SIZE 40

/* Advances writer->time_ns to now and writes the prefix of a whole line's entry at that time. */
void log_prefix(struct log_writer *writer, enum log_stream_name name, char ret_prefix[LOG_PREFIX_SIZE + 1]);

/* Appends @data, which is whole entries, rotating between two of them where the limit asks for it. What cannot be
 * written is counted in writer->dropped. */
void log_writer_append(struct log_writer *writer, const char *data, size_t size);

/* Counts output that never became an entry. */
void log_writer_drop(struct log_writer *writer, uint64_t lines, int error);

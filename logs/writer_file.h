/* Inside the writer. Of the file: appending whole entries, rotation, lost lines; of the streams: the arena's parts and
 * looking into a pipe. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "logs/writer.h"

/* "2026-11-21T10:47:15.123456789Z stdout F " */
#define LOG_PREFIX_SIZE 40

/* Advances writer->time_ns to now and writes the prefix of a whole line's entry at that time. */
void log_prefix(struct log_writer *writer, enum log_stream_name name, char ret_prefix[LOG_PREFIX_SIZE + 1]);

/* Appends @data, which is whole entries, rotating between two of them where the limit asks for it. What cannot be
 * written is counted in writer->dropped. */
void log_writer_append(struct log_writer *writer, const char *data, size_t size);

/* How many bytes the current file takes before it is rotated. */
size_t log_writer_room(const struct log_writer *writer);

/* Counts output that never became an entry. */
void log_writer_drop(struct log_writer *writer, uint64_t lines, int error);

/* Input: room for the part that is carried over, what was read, and what a copy may look at behind it. */
#define LOG_INPUT_SIZE (256 * 1024)
#define LOG_OUTPUT_SIZE (512 * 1024)
#define LOG_SLACK 64
#define LOG_ARENA_SIZE (LOG_LINE_MAX + LOG_INPUT_SIZE + LOG_SLACK + LOG_OUTPUT_SIZE + LOG_SLACK)
#define LOG_PIPE_DEFAULT (64 * 1024)

/* An unfinished line of so many bytes is taken off the pipe: the smallest pipe there is has two pages. */
#define LOG_REST_MAX 4096

/* Maps the arena where it is not; false when there is no memory. */
bool log_arena_take(struct log_arena *arena);

static inline char *log_arena_input(const struct log_arena *arena) {
        return arena->memory + LOG_LINE_MAX;
}

static inline char *log_arena_output(const struct log_arena *arena) {
        return log_arena_input(arena) + LOG_INPUT_SIZE + LOG_SLACK;
}

/* Makes the pipe of the arena that log_peek() needs; it does so itself, too. */
bool log_peek_ready(struct log_arena *arena);

/* Copies what is in the stream's pipe, at most LOG_INPUT_SIZE, to the arena's input, where it stays in the pipe as
 * well. Returns as read() does; EINVAL: not a pipe. */
ssize_t log_peek(struct log_stream *stream, struct log_arena *arena);

/* Takes @size bytes off the pipe, of which log_peek() showed the first at @at of the arena's input; there they stay. */
void log_discard(struct log_stream *stream, struct log_arena *arena, size_t at, size_t size);

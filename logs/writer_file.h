/* Inside the writer. Of the file: appending whole entries, rotation, lost lines; of the streams: the arena's parts. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "logs/writer.h"
#include "logs/writer_journal.h"

/* "2026-11-21T10:47:15.123456789Z stdout F " */
#define LOG_PREFIX_SIZE 40

/* Advances writer->time_ns to now and writes the prefix of a whole line's entry at that time. */
void log_prefix(struct log_writer *writer, enum log_stream_name name, char ret_prefix[LOG_PREFIX_SIZE + 1]);

/* Appends @data, which is whole entries, not more than log_writer_room() says or one, after a rotation where the limit
 * asks for it. @intent enters LOG_PHASE_WRITING before. What cannot be written is counted in writer->dropped. */
void log_writer_append(struct log_writer *writer, struct log_intent *intent, const char *data, size_t size);

/* The writer's file of this inode, opened for writing, also where somebody has renamed it in its directory. A negative
 * errno: it is not there. */
int log_writer_find(const struct log_writer *writer, uint64_t dev, uint64_t ino);

/* How many bytes the current file takes before it is rotated. */
size_t log_writer_room(const struct log_writer *writer);

/* Counts output that never became an entry. */
void log_writer_drop(struct log_writer *writer, uint64_t lines, int error);

/* Input: room for the part that is carried over, what was read, and what a copy may look at behind it. */
#define LOG_INPUT_SIZE (256 * 1024)
#define LOG_OUTPUT_SIZE (512 * 1024)
#define LOG_SLACK 64
#define LOG_TRASH_SIZE 4096 /* what is logged is read to */
#define LOG_ARENA_SIZE (LOG_LINE_MAX + LOG_INPUT_SIZE + LOG_SLACK + LOG_OUTPUT_SIZE + LOG_SLACK + LOG_TRASH_SIZE)
#define LOG_PIPE_DEFAULT (64 * 1024)

/* Maps the arena where it is not; false when there is no memory. */
bool log_arena_take(struct log_arena *arena);

/* What is looked at and taken off. */
static inline int log_stream_pipe(const struct log_stream *stream) {
        return stream->relay_fd >= 0 ? stream->relay_fd : stream->fd;
}

static inline char *log_arena_input(const struct log_arena *arena) {
        return arena->memory + LOG_LINE_MAX;
}

static inline char *log_arena_output(const struct log_arena *arena) {
        return log_arena_input(arena) + LOG_INPUT_SIZE + LOG_SLACK;
}

static inline char *log_arena_trash(const struct log_arena *arena) {
        return log_arena_output(arena) + LOG_OUTPUT_SIZE + LOG_SLACK;
}

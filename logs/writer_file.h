/* Inside the writer. Of the file: appending whole entries, rotation, lost lines; of the streams: the arena's parts. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "logs/writer.h"
#include "logs/writer_journal.h"

/* "2026-11-21T10:47:15.123456789Z stdout F " */
#define LOGS_PREFIX_SIZE 40

/* Advances writer->time_ns to now and writes the prefix of a whole line's entry at that time. */
void logs_prefix(struct logs_writer *writer, enum logs_stream_name name, char ret_prefix[LOGS_PREFIX_SIZE + 1]);

/* Appends @data, which is whole entries, not more than logs_writer_room() says or one, after a rotation where the limit
 * asks for it. @intent enters LOGS_PHASE_WRITING before. What cannot be written is counted in writer->dropped. */
void logs_writer_append(struct logs_writer *writer, struct logs_intent *intent, const char *data, size_t size);

/* The writer's file of this inode, opened for writing, also where somebody has renamed it in its directory. A negative
 * errno: it is not there. */
int logs_writer_find(const struct logs_writer *writer, uint64_t dev, uint64_t ino);

/* How many bytes the current file takes before it is rotated. */
size_t logs_writer_room(const struct logs_writer *writer);

/* Counts output that never became an entry. */
void logs_writer_drop(struct logs_writer *writer, uint64_t lines, int error);

/* Input: room for the part that is carried over, what was read, and what a copy may look at behind it. */
#define LOGS_INPUT_SIZE (256 * 1024)
#define LOGS_OUTPUT_SIZE (512 * 1024)
#define LOGS_SLACK 64
#define LOGS_TRASH_SIZE 4096 /* what is logged is read to */
#define LOGS_ARENA_SIZE (LOGS_LINE_MAX + LOGS_INPUT_SIZE + LOGS_SLACK + LOGS_OUTPUT_SIZE + LOGS_SLACK + LOGS_TRASH_SIZE)
#define LOGS_PIPE_DEFAULT (64 * 1024)

/* Maps the arena where it is not; false when there is no memory. */
bool logs_arena_take(struct logs_arena *arena);

/* What is looked at and taken off. */
static inline int logs_stream_pipe(const struct logs_stream *stream) {
        return stream->relay_fd >= 0 ? stream->relay_fd : stream->fd;
}

static inline char *logs_arena_input(const struct logs_arena *arena) {
        return arena->memory + LOGS_LINE_MAX;
}

static inline char *logs_arena_output(const struct logs_arena *arena) {
        return logs_arena_input(arena) + LOGS_INPUT_SIZE + LOGS_SLACK;
}

static inline char *logs_arena_trash(const struct logs_arena *arena) {
        return logs_arena_output(arena) + LOGS_OUTPUT_SIZE + LOGS_SLACK;
}

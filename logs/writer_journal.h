/* What a writer has under way, in memory that outlives its process: a file that the next one maps as well.
 *
 * A batch is written to the log before it is taken off its pipe, and the beginning of a line that has no end yet is
 * kept here. Before each step stands what it is about to do; after a kill that, the size of the log and one byte that
 * only the kernel sets say how far it came. All of it is one thread's, and a killed thread has done its stores up to
 * one of them: the order in which they are made is all that counts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logs/writer.h"

/* What is done in order; each step may be done again from its beginning. */
enum log_phase {
        LOG_PHASE_IDLE,    /* the pipe begins with what is not logged; the part holds what goes before it */
        LOG_PHASE_WRITING, /* the file grows from before to after; nothing of that was taken off the pipe */
        LOG_PHASE_TAKING,  /* logged: one read takes it off the pipe, the line's beginning behind it into the part */
};

struct log_intent {
        uint32_t phase;     /* enum log_phase */
        uint32_t part_size; /* of the part that is not logged */
        uint64_t dev, ino;  /* LOG_PHASE_WRITING: the file */
        uint64_t before, after;
        uint32_t taken;   /* bytes of the pipe that the batch is about */
        uint32_t rest;    /* the last of them that become part of the part ... */
        uint32_t part_at; /* ... behind so much of what it holds */
        uint8_t last;     /* the last byte of the pipe that is taken, and where the read puts it: something else till */
        uint8_t marker;   /* then */
};

#define LOG_JOURNAL_MAGIC 0x6e6c6a31

struct log_journal {
        uint32_t magic;
        uint32_t reserved;
        struct log_intent intents[2]; /* by enum log_stream_name */
        _Alignas(4096) char parts[2][LOG_LINE_MAX];
};

/* Maps the writer's journal into the arena, where it stays until log_arena_release(). NULL: there is no memory. */
struct log_journal *log_journal_take(struct log_arena *arena, struct log_writer *writer);
void log_journal_release(struct log_arena *arena);

/* Makes sure that @size bytes of the stream's part have memory: writing to it cannot fail any more. */
bool log_journal_reserve(struct log_writer *writer, enum log_stream_name name, size_t size);

void log_intent_enter(struct log_intent *intent, enum log_phase phase);

/* From LOG_PHASE_TAKING to LOG_PHASE_IDLE. */
void log_intent_take_off(struct log_stream *stream, struct log_arena *arena);

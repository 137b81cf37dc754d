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
enum logs_phase {
        LOGS_PHASE_IDLE,    /* the pipe begins with what is not logged; the part holds what goes before it */
        LOGS_PHASE_WRITING, /* the file grows from before to after; nothing of that was taken off the pipe */
        LOGS_PHASE_TAKING,  /* logged: one read takes it off the pipe, the line's beginning behind it into the part */
};

struct logs_intent {
        uint32_t phase;     /* enum logs_phase */
        uint32_t part_size; /* of the part that is not logged */
        uint64_t dev, ino;  /* LOGS_PHASE_WRITING: the file */
        uint64_t before, after;
        uint32_t taken;   /* bytes of the pipe that the batch is about */
        uint32_t rest;    /* the last of them that become part of the part ... */
        uint32_t part_at; /* ... behind so much of what it holds */
        uint8_t last;     /* the last byte of the pipe that is taken, and where the read puts it: something else till */
        uint8_t marker;   /* then */
};

#define LOGS_JOURNAL_MAGIC 0x6e6c6a31

struct logs_journal {
        uint32_t magic;
        uint32_t reserved;
        struct logs_intent intents[2]; /* by enum logs_stream_name */
        _Alignas(4096) char parts[2][LOGS_LINE_MAX];
};

/* Maps the writer's journal into the arena, where it stays until logs_arena_release(). NULL: there is no memory. */
struct logs_journal *logs_journal_take(struct logs_arena *arena, struct logs_writer *writer);
void logs_journal_release(struct logs_arena *arena);

/* Makes sure that @size bytes of the stream's part have memory: writing to it cannot fail any more. */
bool logs_journal_reserve(struct logs_writer *writer, enum logs_stream_name name, size_t size);

void logs_intent_enter(struct logs_intent *intent, enum logs_phase phase);

/* From LOGS_PHASE_TAKING to LOGS_PHASE_IDLE. */
void logs_intent_take_off(struct logs_stream *stream, struct logs_arena *arena);

/* Items of lists whose length shows at their end: each waits where it was put, then all go to the arena in one piece.
 *
 * A stack: a list within an item is gathered and taken before the item's own list goes on. For the readers in kube/
 * alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

#define GATHER_FIRST 4096
#define GATHER_CHUNK ((size_t)64 * 1024)

struct gather_chunk {
        struct gather_chunk *before;
        size_t size, used;
        _Alignas(max_align_t) char data[];
};

struct gather {
        struct gather_chunk *current; /* NULL: @first */
        size_t used;                  /* of @first */
        _Alignas(max_align_t) char first[GATHER_FIRST];
};

struct gather_mark {
        struct gather_chunk *chunk;
        size_t before, begin; /* without and with what alignment takes */
        uint32_t count;
};

void gather_init(struct gather *g);
void gather_done(struct gather *g);
#define _cleanup_gather_ __attribute__((cleanup(gather_done)))

/* Where a list begins. */
struct gather_mark gather_begin(struct gather *g);

/* @size zeroed bytes for the next item, which do not move until it is taken; NULL without memory. All items of a list
 * have one size. */
void *gather_add(struct gather *g, struct gather_mark *mark, size_t size);

/* Copies the mark->count items to @arena, not NULL when there is none, and forgets them. NULL without memory. */
void *gather_take(struct gather *g, const struct gather_mark *mark, size_t size, struct arena *arena);

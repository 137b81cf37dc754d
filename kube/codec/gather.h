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

#define KUBE_GATHER_FIRST 4096
#define KUBE_GATHER_CHUNK ((size_t)64 * 1024)

struct kube_gather_chunk {
        struct kube_gather_chunk *before;
        size_t size, used;
        _Alignas(max_align_t) char data[];
};

struct kube_gather {
        struct kube_gather_chunk *current; /* NULL: @first */
        size_t used;                       /* of @first */
        _Alignas(max_align_t) char first[KUBE_GATHER_FIRST];
};

struct kube_gather_mark {
        struct kube_gather_chunk *chunk;
        size_t before, begin; /* without and with what alignment takes */
        uint32_t count;
};

void kube_gather_init(struct kube_gather *g);
void kube_gather_done(struct kube_gather *g);

/* Where a list begins. */
struct kube_gather_mark kube_gather_begin(struct kube_gather *g);

/* @size zeroed bytes for the next item, which do not move until it is taken; NULL without memory. All items of a list
 * have one size. */
void *kube_gather_add(struct kube_gather *g, struct kube_gather_mark *mark, size_t size);

/* Copies the mark->count items to @arena, not NULL when there is none, and forgets them. NULL without memory. */
void *kube_gather_take(struct kube_gather *g, const struct kube_gather_mark *mark, size_t size, struct arena *arena);

#include "kube/codec/gather.h"

#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"

void kube_gather_init(struct kube_gather *g) {
        g->current = NULL;
        g->used = 0;
}

void kube_gather_done(struct kube_gather *g) {
        struct kube_gather_chunk *before;

        for (; g->current; g->current = before) {
                before = g->current->before;
                free(g->current);
        }
}

static size_t *used(struct kube_gather *g) {
        return g->current ? &g->current->used : &g->used;
}

struct kube_gather_mark kube_gather_begin(struct kube_gather *g) {
        const size_t align = _Alignof(max_align_t) - 1, before = *used(g);

        *used(g) = (before + align) & ~align;
        return (struct kube_gather_mark){ g->current, before, *used(g), 0 };
}

static bool add_chunk(struct kube_gather *g, size_t needed) {
        size_t size = needed > KUBE_GATHER_CHUNK ? needed : KUBE_GATHER_CHUNK;
        struct kube_gather_chunk *chunk = malloc(sizeof(*chunk) + size);

        if (!chunk)
                return false;
        *chunk = (struct kube_gather_chunk){ .before = g->current, .size = size };
        g->current = chunk;
        return true;
}

void *kube_gather_add(struct kube_gather *g, struct kube_gather_mark *mark, size_t size) {
        size_t room = g->current ? g->current->size : KUBE_GATHER_FIRST;
        char *at;

        if ((*used(g) > room || room - *used(g) < size) && !add_chunk(g, size))
                return NULL;
        at = (g->current ? g->current->data : g->first) + *used(g);
        *used(g) += size;
        mark->count++;
        return memset(at, 0, size);
}

/* The newest chunk holds the last items; a chunk holds whole ones. */
void *kube_gather_take(struct kube_gather *g, const struct kube_gather_mark *mark, size_t size, struct arena *arena) {
        char *items = arena_alloc_uncleared(arena, mark->count * size);
        size_t left = items ? mark->count * size : 0;

        while (g->current != mark->chunk) {
                struct kube_gather_chunk *chunk = g->current;

                if (items) {
                        left -= chunk->used;
                        memcpy(items + left, chunk->data, chunk->used);
                }
                g->current = chunk->before;
                free(chunk);
        }
        if (items)
                memcpy(items, (mark->chunk ? mark->chunk->data : g->first) + mark->begin, left);
        *used(g) = mark->before; /* the list around this one goes on where it was */
        return items;
}

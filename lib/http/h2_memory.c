#include "lib/http/h2_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct h2_piece {
        union {
                struct h2_piece *next; /* while it is kept */
                size_t size;           /* while it is used: of @data */
        };
        _Alignas(max_align_t) char data[];
};

/* Which of the sizes has room for @size; H2_MEMORY_SIZES: none. */
static unsigned size_class(size_t size) {
        size_t total = sizeof(struct h2_piece) + size;

        return total <= (size_t)H2_MEMORY_SIZES * H2_MEMORY_STEP ? (unsigned)((total - 1) / H2_MEMORY_STEP) :
                                                                   H2_MEMORY_SIZES;
}

static size_t class_size(unsigned class) {
        return (size_t)(class + 1) * H2_MEMORY_STEP;
}

static struct h2_piece *piece_of(void *p) {
        return (struct h2_piece *)(void *)((char *)p - offsetof(struct h2_piece, data));
}

void *h2_memory_malloc(size_t size, void *user_data) {
        struct h2_memory *memory = user_data;
        unsigned class;
        struct h2_piece *piece;

        if (size > SIZE_MAX / 2)
                return NULL;
        class = size_class(size);
        piece = class < H2_MEMORY_SIZES ? memory->free[class] : NULL;
        if (piece) {
                memory->free[class] = piece->next;
                memory->kept -= class_size(class);
        } else
                piece = malloc(class < H2_MEMORY_SIZES ? class_size(class) : sizeof(*piece) + size);
        if (!piece)
                return NULL;
        piece->size = size;
        return piece->data;
}

void h2_memory_free(void *p, void *user_data) {
        struct h2_memory *memory = user_data;
        struct h2_piece *piece;
        unsigned class;

        if (!p)
                return;
        piece = piece_of(p);
        class = size_class(piece->size);
        if (class == H2_MEMORY_SIZES || memory->kept + class_size(class) > H2_MEMORY_KEPT) {
                free(piece);
                return;
        }
        piece->next = memory->free[class];
        memory->free[class] = piece;
        memory->kept += class_size(class);
}

void *h2_memory_calloc(size_t n, size_t size, void *user_data) {
        size_t total;
        void *p;

        if (__builtin_mul_overflow(n, size, &total))
                return NULL;
        p = h2_memory_malloc(total, user_data);
        if (p)
                memset(p, 0, total);
        return p;
}

void *h2_memory_realloc(void *p, size_t size, void *user_data) {
        size_t old = p ? piece_of(p)->size : 0;
        void *moved;

        if (p && size_class(old) < H2_MEMORY_SIZES && size_class(size) == size_class(old)) {
                piece_of(p)->size = size;
                return p;
        }
        moved = h2_memory_malloc(size, user_data);
        if (!moved)
                return NULL;
        if (p)
                memcpy(moved, p, old < size ? old : size);
        h2_memory_free(p, user_data);
        return moved;
}

void h2_memory_clear(struct h2_memory *memory) {
        for (unsigned i = 0; i < H2_MEMORY_SIZES; i++) {
                struct h2_piece *piece;

                while ((piece = memory->free[i])) {
                        memory->free[i] = piece->next;
                        free(piece);
                }
        }
        memory->kept = 0;
}

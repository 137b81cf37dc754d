/* nghttp2's memory: pieces of a few sizes that go to the next stream when one is over. A server with many streams at a
 * time takes and gives back a dozen for each, more than malloc() keeps at hand.
 *
 * One for each hub, whose thread alone uses it.
 */
#pragma once

#include <stddef.h>

/* Bytes that are kept for later. */
#define H2_MEMORY_KEPT ((size_t)128 << 10)

#define H2_MEMORY_STEP 64 /* sizes are multiples of it */
#define H2_MEMORY_SIZES 8 /* larger pieces are malloc()'s */

struct h2_memory {
        struct h2_piece *free[H2_MEMORY_SIZES];
        size_t kept;
};

/* By nghttp2_mem's rules, with the struct h2_memory as @user_data. */
void *h2_memory_malloc(size_t size, void *user_data);
void h2_memory_free(void *p, void *user_data);
void *h2_memory_calloc(size_t n, size_t size, void *user_data);
void *h2_memory_realloc(void *p, size_t size, void *user_data);

/* Gives back what is kept. */
void h2_memory_clear(struct h2_memory *memory);

/* Memory that is freed as one: objects of one lifetime (a manifest, a pod) share an arena.
 *
 * Allocation is a pointer's move in the current chunk; chunks double from ARENA_CHUNK_FIRST to ARENA_CHUNK_LAST bytes
 * in all, so a small object costs little and a large one few calls. Not for several threads at once.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define ARENA_CHUNK_FIRST ((size_t)1024)
#define ARENA_CHUNK_LAST ((size_t)64 * 1024)

struct arena;

/* A new empty arena, or NULL without memory. Nothing beyond its head is allocated before first use. */
struct arena *arena_new(void);

/* The same with a first chunk of @first bytes, 64 at least: for what there are thousands of. */
struct arena *arena_new_small(size_t first);

/* The same with a first chunk for just what came from @like, and @spare bytes: what is there by the thousand is made
 * once to see its size, and again to be kept. */
struct arena *arena_new_like(const struct arena *like, size_t spare);

/* Frees the arena and all that came from it; NULL is fine. Returns NULL. */
struct arena *arena_free(struct arena *arena);

/* Forgets all that came from it, and keeps a small chunk for what comes next: for arenas that are used again and again.
 */
void arena_reset(struct arena *arena);
#define ARENA_CHUNK_KEPT ((size_t)8 * 1024)

void arena_freep(struct arena **arena);
#define _cleanup_arena_ __attribute__((cleanup(arena_freep)))

/* Zeroed memory, aligned for every type, that lives as long as the arena; NULL without memory. */
void *arena_alloc(struct arena *arena, size_t size);

/* The same, not zeroed. */
void *arena_alloc_uncleared(struct arena *arena, size_t size);

/* As arena_alloc(), for @count elements; NULL also when the product overflows. */
void *arena_alloc_array(struct arena *arena, size_t count, size_t size);

/* A NUL-terminated copy of @length bytes at @text, unaligned and so without padding; NULL without memory. */
char *arena_strndup(struct arena *arena, const char *text, size_t length);

/* A copy of @text; NULL for NULL and without memory. */
char *arena_strdup(struct arena *arena, const char *text);

/* The @n @texts, not copied, with a NULL behind them; NULL without memory. */
const char *const *arena_list(struct arena *arena, char *const *texts, size_t n);

/* Formatted text in the arena; NULL without memory. */
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* A text that grows in an arena, at a cost that grows as it does: for what others say the length of. Zeroed but for its
 * arena it is empty. */
struct arena_text {
        struct arena *arena;
        char *text;
        size_t length, room;
        bool failed; /* without memory: what was added is not all */
};

void arena_text_add(struct arena_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What there is, which lives as long as the arena and until more is added; NULL when it failed. */
const char *arena_text_of(const struct arena_text *text);

/* Calls @done(@data) when the arena is freed or reset, the last that was asked for first: for what is kept beside it
 * and should live as long. False without memory: then it is not called. */
bool arena_defer(struct arena *arena, void (*done)(void *data), void *data);

/* Bytes taken from the system for the arena. */
size_t arena_size(const struct arena *arena);

/* An object of @type in @arena. */
#define arena_new_of(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

/* The same that @init, as protobuf-c makes one of each type, makes a message. */
#define arena_new_message(arena, type, init)                                                                           \
        ({                                                                                                             \
                type *_message = arena_new_of((arena), type);                                                          \
                if (_message)                                                                                          \
                        init(_message);                                                                                \
                _message;                                                                                              \
        })

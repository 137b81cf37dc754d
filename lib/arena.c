#include "lib/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chunk {
        struct chunk *next;
        size_t size, used; /* of @data */
        _Alignas(max_align_t) char data[];
};

struct deferred {
        struct deferred *next;
        void (*done)(void *data);
        void *data;
};

struct arena {
        struct deferred *deferred; /* in the arena */
        struct chunk *current;     /* the one that new objects come from; older and oversized ones follow */
        size_t total;
        size_t first; /* bytes of the first chunk */
};

struct arena *arena_new_small(size_t first) {
        struct arena *arena = calloc(1, sizeof(*arena));

        if (arena)
                arena->first = first;
        return arena;
}

struct arena *arena_new(void) {
        return arena_new_small(ARENA_CHUNK_FIRST);
}

struct arena *arena_new_like(const struct arena *like, size_t spare) {
        size_t size = sizeof(struct chunk) + spare;

        /* Where one chunk follows another there is room that padding takes in the one. */
        for (const struct chunk *chunk = like->current; chunk; chunk = chunk->next)
                size += chunk->used + _Alignof(max_align_t);
        return arena_new_small(size < ARENA_CHUNK_LAST ? size : ARENA_CHUNK_LAST);
}

static void free_chunks(struct chunk *chunk) {
        struct chunk *next;

        for (; chunk; chunk = next) {
                next = chunk->next;
                free(chunk);
        }
}

static void run_deferred(struct arena *arena) {
        struct deferred *d;

        while ((d = arena->deferred)) {
                arena->deferred = d->next;
                d->done(d->data);
        }
}

bool arena_defer(struct arena *arena, void (*done)(void *data), void *data) {
        struct deferred *d = arena_alloc(arena, sizeof(*d));

        if (!d)
                return false;
        *d = (struct deferred){ arena->deferred, done, data };
        arena->deferred = d;
        return true;
}

struct arena *arena_free(struct arena *arena) {
        if (!arena)
                return NULL;
        run_deferred(arena);
        free_chunks(arena->current);
        free(arena);
        return NULL;
}

void arena_reset(struct arena *arena) {
        struct chunk *kept = arena->current;

        run_deferred(arena);
        if (kept && sizeof(*kept) + kept->size > ARENA_CHUNK_KEPT) {
                free_chunks(kept);
                kept = NULL;
        } else if (kept) {
                free_chunks(kept->next);
                kept->next = NULL;
                kept->used = 0;
        }
        arena->current = kept;
        arena->total = kept ? sizeof(*kept) + kept->size : 0;
}

void arena_freep(struct arena **arena) {
        *arena = arena_free(*arena);
}

static struct chunk *add_chunk(struct arena *arena, size_t needed) {
        size_t size = arena->current ? (sizeof(*arena->current) + arena->current->size) * 2 : arena->first;
        struct chunk *chunk;

        if (size > ARENA_CHUNK_LAST)
                size = ARENA_CHUNK_LAST;
        size -= sizeof(*chunk);
        if (size < needed)
                size = needed;
        chunk = malloc(sizeof(*chunk) + size);
        if (!chunk)
                return NULL;
        *chunk = (struct chunk){ .size = size };
        arena->total += sizeof(*chunk) + size;

        /* A chunk made for one large object is full at once; the current one still has room. */
        if (arena->current && size == needed && sizeof(*chunk) + size > ARENA_CHUNK_LAST) {
                chunk->next = arena->current->next;
                arena->current->next = chunk;
        } else {
                chunk->next = arena->current;
                arena->current = chunk;
        }
        return chunk;
}

static void *take(struct arena *arena, size_t size, size_t align) {
        struct chunk *chunk = arena->current;
        size_t at = 0;
        void *p;

        if (size > SIZE_MAX / 2)
                return NULL;
        if (chunk)
                at = (chunk->used + align - 1) & ~(align - 1);
        if (!chunk || at > chunk->size || chunk->size - at < size) {
                chunk = add_chunk(arena, size);
                if (!chunk)
                        return NULL;
                at = 0;
        }
        p = chunk->data + at;
        chunk->used = at + size;
        return p;
}

void *arena_alloc_uncleared(struct arena *arena, size_t size) {
        return take(arena, size ? size : 1, _Alignof(max_align_t));
}

void *arena_alloc(struct arena *arena, size_t size) {
        void *p = arena_alloc_uncleared(arena, size);

        if (p)
                memset(p, 0, size);
        return p;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size) {
        size_t total;

        if (__builtin_mul_overflow(count, size, &total))
                return NULL;
        return arena_alloc(arena, total);
}

char *arena_strndup(struct arena *arena, const char *text, size_t length) {
        char *copy = take(arena, length + 1, 1);

        if (!copy)
                return NULL;
        memcpy(copy, text, length);
        copy[length] = '\0';
        return copy;
}

char *arena_strdup(struct arena *arena, const char *text) {
        return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

const char *const *arena_list(struct arena *arena, char *const *texts, size_t n) {
        const char **list = arena_alloc_array(arena, n + 1, sizeof(*list));

        for (size_t i = 0; list && i < n; i++)
                list[i] = texts[i];
        return list;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list arguments) {
        va_list again;
        char *text = NULL;
        int n;

        va_copy(again, arguments);
        n = vsnprintf(NULL, 0, format, again);
        va_end(again);
        if (n >= 0)
                text = take(arena, (size_t)n + 1, 1);
        if (text)
                vsnprintf(text, (size_t)n + 1, format, arguments);
        return text;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
        va_list arguments;
        char *text;

        va_start(arguments, format);
        text = arena_vprintf(arena, format, arguments);
        va_end(arguments);
        return text;
}

#define TEXT_FIRST ((size_t)64)

static bool make_room(struct arena_text *t, size_t more) {
        size_t room = t->room ? t->room * 2 : TEXT_FIRST;
        char *text;

        if (t->length + more < t->room)
                return true;
        while (room <= t->length + more)
                room *= 2;
        text = take(t->arena, room, 1);
        if (!text)
                return false;
        if (t->length > 0)
                memcpy(text, t->text, t->length);
        t->text = text;
        t->room = room;
        return true;
}

void arena_text_add(struct arena_text *t, const char *format, ...) {
        va_list arguments, again;
        int n;

        va_start(arguments, format);
        va_copy(again, arguments);
        n = vsnprintf(NULL, 0, format, again);
        va_end(again);
        t->failed = t->failed || n < 0 || !make_room(t, (size_t)n);
        if (!t->failed) {
                vsnprintf(t->text + t->length, (size_t)n + 1, format, arguments);
                t->length += (size_t)n;
        }
        va_end(arguments);
}

const char *arena_text_of(const struct arena_text *t) {
        return t->failed ? NULL : t->text ?: "";
}

size_t arena_size(const struct arena *arena) {
        return sizeof(*arena) + arena->total;
}

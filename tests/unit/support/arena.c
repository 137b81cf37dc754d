/* An arena asks for memory once in a while, and most of what is taken from it cannot fail with that: here each taking
 * can, in programs that are linked with this and ARENA_EACH (--wrap). */
#include "lib/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "tests/unit/support/memory.h"

/* The linker's names: what the callers have in mind, and what the arena has. */
#define EACH(type, name, parameters, arguments)                                                                        \
        type __real_##name parameters;                                                                                 \
        type __wrap_##name parameters;                                                                                 \
        type __wrap_##name parameters {                                                                                \
                return memory_fails() ? NULL : __real_##name arguments;                                                \
        }

EACH(void *, arena_alloc, (struct arena * arena, size_t size), (arena, size))
EACH(void *, arena_alloc_uncleared, (struct arena * arena, size_t size), (arena, size))
EACH(void *, arena_alloc_array, (struct arena * arena, size_t count, size_t size), (arena, count, size))
EACH(char *, arena_strndup, (struct arena * arena, const char *text, size_t length), (arena, text, length))
EACH(char *, arena_strdup, (struct arena * arena, const char *text), (arena, text))
EACH(const char *const *, arena_list, (struct arena * arena, char *const *texts, size_t n), (arena, texts, n))

char *__wrap_arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

char *__wrap_arena_printf(struct arena *arena, const char *format, ...) {
        char text[4096];
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return memory_fails() || n < 0 || (size_t)n >= sizeof(text) ? NULL : __real_arena_strdup(arena, text);
}

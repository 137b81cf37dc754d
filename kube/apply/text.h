/* Texts as Go writes them: quoted, and what it takes for printable. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct value;

/* One character of UTF-8 text at @text, which does not begin with NUL: how many bytes it has, and its code; -1 and one
 * byte for what is no UTF-8. */
size_t apply_rune(const char *text, int32_t *ret_rune);

/* unicode.IsPrint(): letters, marks, numbers, punctuation, symbols, and the blank. */
bool apply_printable(int32_t rune);

/* strconv.Quote(), with the quotes. NULL without memory. */
const char *apply_quoted(struct arena *arena, const char *text);

/* A value in a path: strings quoted, null, 1.5, [1,2]. NULL without memory. */
const char *apply_value_text(struct arena *arena, const struct value *value);

/* @text, then what @format makes; NULL for NULL, and without memory. */
const char *apply_append(struct arena *arena, const char *text, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

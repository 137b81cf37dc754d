/* UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* All @size bytes of @text are whole, valid characters. */
bool utf8_valid(const void *text, size_t size);

/* The bytes of the one character that begins at @text, of which @size are there (at least 1); 0 when it is none. */
size_t utf8_character(const void *text, size_t size);

/* How many characters valid UTF-8 has. */
size_t utf8_count(const char *text);

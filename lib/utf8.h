/* UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* All @size bytes of @text are whole, valid characters. */
bool utf8_valid(const void *text, size_t size);

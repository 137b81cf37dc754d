/* A field's value in parts, without copies: lists divided by commas, parameters by semicolons, a name from its value by
 * "=" (RFC 9110, 5.6). What is quoted is not known.
 */
#pragma once

#include <stddef.h>

/* Bytes of somebody else's text, without blanks around them. */
struct http_part {
        const char *at;
        size_t n;
};

/* Of @n bytes at @at what is no space or tab around it. */
struct http_part http_part_of(const char *at, size_t n);

/* The first of what @mark divides, taken off @rest with the mark; all of it where there is none. */
struct http_part http_part_next(struct http_part *rest, char mark);

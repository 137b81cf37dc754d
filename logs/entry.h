/* One line of a CRI log file, taken apart.
 *
 * `TIME SP STREAM SP TAG[:TAG…] SP TEXT`: TIME is RFC 3339 with up to nine digits of a second and Z or an offset,
 * STREAM is stdout or stderr, the first tag is F or P.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logs_line {
        int64_t time_ns; /* since 1970, UTC */
        bool is_stderr;
        bool partial;
        size_t time_size; /* of TIME, at the beginning of the line */
        size_t text_at;   /* where TEXT begins */
};

/* Takes the first @size bytes of @line apart, without the newline. Returns false, with *@ret_line untouched, when they
 * are not in the format. */
bool logs_line_parse(const char *line, size_t size, struct logs_line *ret_line);

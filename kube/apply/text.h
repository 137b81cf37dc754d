/* Texts as errors and paths have them. */
#pragma once

struct arena;
struct value;

/* A value in a path: strings quoted, null, 1.5, [1,2]. NULL without memory. */
const char *apply_value_text(struct arena *arena, const struct value *value);

/* @text, then what @format makes; NULL for NULL, and without memory. */
const char *apply_append(struct arena *arena, const char *text, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

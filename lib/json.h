/* Reading of JSON (RFC 8259) into values.
 *
 * Strict: no comments, nothing behind the document, valid UTF-8, each key once in a map (but see value_options), no NUL
 * in a string. Depth, size and number of values are bounded by the maxima of lib/value.h.
 */
#pragma once

#include <stddef.h>

struct arena;
struct err;
struct value;
struct value_options;

/* Reads the one document in @text into @arena. @options may be NULL. Returns 0, -EINVAL (not JSON; *err says the line
 * and what is wrong there), -E2BIG (past a maximum) or -ENOMEM. What a failed read left in @arena goes with it. */
int json_parse(struct arena *arena, const char *text, size_t length, const struct value_options *options,
               const struct value **ret_value, struct err **err);

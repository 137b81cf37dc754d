/* The two halves of lib/json.h, which give the same tree of what both take. */
#pragma once

#include <stddef.h>

struct arena;
struct err;
struct value;
struct value_options;

/* Has no words, and takes what nothing is wrong or odd with. -EINVAL: not taken here, though it may be JSON; -ENOMEM.
 */
int json_read_fast(struct arena *arena, const char *text, size_t length, const struct value_options *options,
                   const struct value **ret_value);

/* As json_parse(): it says what is wrong, and hears of keys that stand twice. */
int json_read_words(struct arena *arena, const char *text, size_t length, const struct value_options *options,
                    const struct value **ret_value, struct err **err);

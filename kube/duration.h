/* Durations as Go writes them. */
#pragma once

#include <stdint.h>

struct err;

/* Reads "1m30s", "20s", "1.5h", "250ms", "0" into milliseconds, what is finer dropped. -EINVAL with *err set for
 * anything else and for more than an int64 of nanoseconds (292 years). */
int duration_parse(const char *text, int64_t *ret_milliseconds, struct err **err);

/* Durations as Go writes them: "1h30m", "5m0s", "1.5s", "300ms", "0". */
#pragma once

#include <stdint.h>

/* Nanoseconds of @text. Returns 0, or -EINVAL when it is none, -ERANGE when it does not fit. */
int duration_parse(const char *text, int64_t *ret_ns);

#define DURATION_TEXT_MAX 32

/* The text of @ns as Go's Duration.String() has it: "1h30m0s", "1.5s", "300ms", "0s". Returns @ret_text. */
const char *duration_format(int64_t ns, char ret_text[DURATION_TEXT_MAX]);

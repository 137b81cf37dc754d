/* Durations as Go writes them: "1h30m", "5m0s", "1.5s", "300ms", "0". */
#pragma once

#include <stdint.h>

/* Nanoseconds of @text. Returns 0, or -EINVAL when it is none, -ERANGE when it does not fit. */
int duration_parse(const char *text, int64_t *ret_ns);

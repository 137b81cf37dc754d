/* Whether mounts propagate. */
#pragma once

#include <stdbool.h>

struct err;

#define MOUNTINFO_MAX (16 << 20)

/* Refuses (-EINVAL) a @path whose mount is not shared, or, unless @shared is wanted, neither shared nor a slave. */
int mountinfo_check(const char *path, bool shared, struct err **err);

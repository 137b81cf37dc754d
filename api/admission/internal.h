/* What the room's files share. */
#pragma once

#include <stdint.h>

struct account_waits;
struct admission_quota;

struct api_admission {
        uint64_t on; /* which plugins are, by their place in the table */
        unsigned not_ready_s, unreachable_s;
        struct admission_quota *quota;
        struct account_waits *waits;
};

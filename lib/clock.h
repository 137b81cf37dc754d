/* Clocks (clock_gettime(2)) as one number. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(clockid_t clock) {
        struct timespec now;

        clock_gettime(clock, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t clock_us(clockid_t clock) {
        return clock_ns(clock) / 1000;
}

static inline int64_t clock_ms(clockid_t clock) {
        return clock_ns(clock) / 1000000;
}

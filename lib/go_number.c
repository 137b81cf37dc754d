#include "lib/go_number.h"

#include <errno.h>
#include <stdbool.h>

int go_number_uint(const char *text, uint64_t *ret) {
        uint64_t n = 0;
        bool fits = true;

        if (!*text)
                return -EINVAL;
        for (; *text; text++) {
                if (*text < '0' || *text > '9')
                        return -EINVAL;
                fits = fits && !__builtin_mul_overflow(n, (uint64_t)10, &n) &&
                       !__builtin_add_overflow(n, (uint64_t)(*text - '0'), &n);
        }
        if (!fits)
                return -ERANGE;
        *ret = n;
        return 0;
}

int go_number_int(const char *text, int64_t *ret) {
        bool below = *text == '-';
        uint64_t n;
        int r = go_number_uint(text + (below || *text == '+'), &n);

        if (r < 0)
                return r;
        if (n > (uint64_t)INT64_MAX + below)
                return -ERANGE;
        *ret = below ? (int64_t)(0 - n) : (int64_t)n;
        return 0;
}

const char *go_number_error(int error) {
        return error == -ERANGE ? "value out of range" : "invalid syntax";
}

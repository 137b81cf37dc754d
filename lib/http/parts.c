#include "lib/http/parts.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

struct http_part http_part_of(const char *at, size_t n) {
        while (n > 0 && is_blank(*at))
                at++, n--;
        while (n > 0 && is_blank(at[n - 1]))
                n--;
        return (struct http_part){ at, n };
}

struct http_part http_part_next(struct http_part *rest, char mark) {
        const char *end = memchr(rest->at, mark, rest->n);
        size_t n = end ? (size_t)(end - rest->at) : rest->n, taken = end ? n + 1 : n;
        struct http_part part = http_part_of(rest->at, n);

        rest->at += taken;
        rest->n -= taken;
        return part;
}

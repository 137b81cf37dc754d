#include "lib/duration.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "lib/cleanup.h"

/* Longer names first where one begins another. */
static const struct unit {
        const char *name;
        int64_t ns;
} units[] = {
        { "ns", 1 },       { "us", 1000 },      { "µs", 1000 },       { "μs", 1000 },
        { "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 },
};

static const struct unit *find_unit(const char *text) {
        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (strncmp(text, units[i].name, strlen(units[i].name)) == 0)
                        return &units[i];
        return NULL;
}

/* One "1.5h" at *@p, which moves behind it. */
static int parse_part(const char **p, int64_t *ret_ns) {
        int64_t whole = 0, part = 0, scale = 1, ns;
        const struct unit *unit;
        bool digits = false;

        for (; **p >= '0' && **p <= '9'; ++*p, digits = true)
                if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, **p - '0', &whole))
                        return -ERANGE;
        if (**p == '.')
                for (++*p; **p >= '0' && **p <= '9'; ++*p, digits = true)
                        if (scale < 100000000) { /* what is behind that is no nanosecond of a second */
                                part = part * 10 + (**p - '0');
                                scale *= 10;
                        }
        unit = digits ? find_unit(*p) : NULL;
        if (!unit)
                return -EINVAL;
        *p += strlen(unit->name);
        if (__builtin_mul_overflow(whole, unit->ns, &ns) ||
            __builtin_add_overflow(ns, (int64_t)((double)part * (double)unit->ns / (double)scale), &ns))
                return -ERANGE;
        *ret_ns = ns;
        return 0;
}

int duration_parse(const char *text, int64_t *ret_ns) {
        bool negative = *text == '-';
        const char *p = text + (*text == '-' || *text == '+');
        int64_t sum = 0, ns;

        if (strcmp(p, "0") == 0) {
                *ret_ns = 0;
                return 0;
        }
        if (!*p)
                return -EINVAL;
        while (*p) {
                int r = parse_part(&p, &ns);

                if (r < 0)
                        return r;
                if (__builtin_add_overflow(sum, ns, &sum))
                        return -ERANGE;
        }
        *ret_ns = negative ? -sum : sum;
        return 0;
}

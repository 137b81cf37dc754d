#include "lib/duration.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
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

/* @n units of 10^-@digits each, without zeros at the end. */
static size_t put_decimal(char *text, size_t size, uint64_t n, unsigned digits) {
        uint64_t scale = 1;
        int length;

        for (unsigned i = 0; i < digits; i++)
                scale *= 10;
        length = snprintf(text, size, "%llu.%0*llu", (unsigned long long)(n / scale), (int)digits,
                          (unsigned long long)(n % scale));
        while (text[length - 1] == '0')
                length--;
        return (size_t)(length - (text[length - 1] == '.'));
}

static const char *format_small(uint64_t ns, const char *sign, char *ret_text) {
        char number[DURATION_TEXT_MAX];
        const char *unit = ns < 1000 ? "ns" : ns < 1000000 ? "µs" : "ms";
        size_t n = ns < 1000 ? (size_t)snprintf(number, sizeof(number), "%llu", (unsigned long long)ns) :
                               put_decimal(number, sizeof(number), ns, ns < 1000000 ? 3 : 6);

        snprintf(ret_text, DURATION_TEXT_MAX, "%s%.*s%s", sign, (int)n, number, unit);
        return ret_text;
}

const char *duration_format(int64_t ns, char ret_text[DURATION_TEXT_MAX]) {
        const uint64_t minute = 60000000000;
        uint64_t all = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
        unsigned long long minutes = all / minute;
        const char *sign = ns < 0 ? "-" : "";
        char seconds[DURATION_TEXT_MAX];
        int n;

        if (all > 0 && all < 1000000000)
                return format_small(all, sign, ret_text);
        n = (int)put_decimal(seconds, sizeof(seconds), all % minute, 9);
        if (minutes >= 60)
                snprintf(ret_text, DURATION_TEXT_MAX, "%s%lluh%llum%.*ss", sign, minutes / 60, minutes % 60, n,
                         seconds);
        else if (minutes > 0)
                snprintf(ret_text, DURATION_TEXT_MAX, "%s%llum%.*ss", sign, minutes, n, seconds);
        else
                snprintf(ret_text, DURATION_TEXT_MAX, "%s%.*ss", sign, n, seconds);
        return ret_text;
}

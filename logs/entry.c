#include "logs/entry.h"

#include <string.h>

#define NS_PER_SECOND INT64_C(1000000000)

/* Reads exactly @digits digits. */
static bool number(const char **p, const char *end, unsigned digits, unsigned *ret_number) {
        unsigned n = 0;

        if ((size_t)(end - *p) < digits)
                return false;
        for (unsigned i = 0; i < digits; i++) {
                unsigned d = (unsigned)((*p)[i] - '0');

                if (d > 9)
                        return false;
                n = n * 10 + d;
        }
        *p += digits;
        *ret_number = n;
        return true;
}

static bool literal(const char **p, const char *end, char c) {
        if (*p == end || **p != c)
                return false;
        (*p)++;
        return true;
}

/* Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March, so that a leap day is the last
 * of its year. */
static int64_t days_of(unsigned year, unsigned month, unsigned day) {
        int64_t y = (int64_t)year - (month <= 2);
        int64_t m = month > 2 ? month - 3 : month + 9;

        return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + (int64_t)day - 1 - 719468;
}

static bool fraction(const char **p, const char *end, int64_t *ret_ns) {
        int64_t ns = 0, unit = NS_PER_SECOND / 10;
        const char *begin = *p;

        for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
                ns += (**p - '0') * unit;
        *ret_ns = ns;
        return *p > begin && *p - begin <= 9;
}

static bool offset(const char **p, const char *end, int64_t *ret_seconds) {
        unsigned hours, minutes;
        int sign = 1;

        *ret_seconds = 0;
        if (literal(p, end, 'Z'))
                return true;
        if (!literal(p, end, '+')) {
                if (!literal(p, end, '-'))
                        return false;
                sign = -1;
        }
        if (!number(p, end, 2, &hours) || !literal(p, end, ':') || !number(p, end, 2, &minutes) || hours > 23 ||
            minutes > 59)
                return false;
        *ret_seconds = sign * (int64_t)(hours * 3600 + minutes * 60);
        return true;
}

static bool parse_time(const char **p, const char *end, int64_t *ret_ns) {
        unsigned year, month, day, hour, minute, second;
        int64_t ns = 0, east;

        if (!number(p, end, 4, &year) || !literal(p, end, '-') || !number(p, end, 2, &month) || !literal(p, end, '-') ||
            !number(p, end, 2, &day) || !literal(p, end, 'T') || !number(p, end, 2, &hour) || !literal(p, end, ':') ||
            !number(p, end, 2, &minute) || !literal(p, end, ':') || !number(p, end, 2, &second))
                return false;
        /* int64_t holds nanoseconds from 1678 to 2261. */
        if (year < 1700 || year > 2200 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
            second > 60)
                return false;
        if (literal(p, end, '.') && !fraction(p, end, &ns))
                return false;
        if (!offset(p, end, &east))
                return false;
        *ret_ns = (days_of(year, month, day) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second) - east) *
                          NS_PER_SECOND +
                  ns;
        return true;
}

bool logs_line_parse(const char *line, size_t size, struct logs_line *ret_line) {
        const char *p = line, *end = line + size;
        struct logs_line l = { 0 };

        if (!parse_time(&p, end, &l.time_ns))
                return false;
        l.time_size = (size_t)(p - line);
        if (end - p < (ptrdiff_t)sizeof(" stdout F") - 1)
                return false;
        if (memcmp(p, " stderr ", 8) == 0)
                l.is_stderr = true;
        else if (memcmp(p, " stdout ", 8) != 0)
                return false;
        p += 8;
        if (*p != 'P' && *p != 'F')
                return false;
        l.partial = *p++ == 'P';
        if (p < end && *p == ':') /* further tags are for later versions of the format */
                while (p < end && *p != ' ')
                        p++;
        if (!literal(&p, end, ' '))
                return false;
        l.text_at = (size_t)(p - line);
        *ret_line = l;
        return true;
}

#include "lib/yaml_quote.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/yaml_scalar.h"

static const char *skip_digits(const char *p) {
        return p + strspn(p, "0123456789");
}

/* --- times: YYYY-M-D, alone or with h:m:s, a fraction, and behind a T a zone --- */

/* One or two digits, 0 to @max. */
static bool take_pair(const char **p, int max, int *ret) {
        int n = 0, digits = 0;

        while (digits < 2 && isdigit((unsigned char)**p)) {
                n = n * 10 + (**p - '0');
                (*p)++, digits++;
        }
        *ret = n;
        return digits > 0 && n <= max;
}

static bool take(const char **p, char c) {
        if (**p != c)
                return false;
        (*p)++;
        return true;
}

static int days_of(int year, int month) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return days[month - 1] + (month == 2 && leap);
}

static bool take_zone(const char **p) {
        int n;

        if (take(p, 'Z'))
                return true;
        return (take(p, '+') || take(p, '-')) && isdigit((unsigned char)(*p)[0]) && isdigit((unsigned char)(*p)[1]) &&
               take_pair(p, 24, &n) && take(p, ':') && isdigit((unsigned char)(*p)[0]) &&
               isdigit((unsigned char)(*p)[1]) && take_pair(p, 60, &n);
}

static bool is_time(const char *text) {
        const char *p = skip_digits(text);
        int year = atoi(text), month, day, n;
        char mark;

        if (p - text != 4 || !take(&p, '-') || !take_pair(&p, 12, &month) || month == 0 || !take(&p, '-') ||
            !take_pair(&p, 31, &day) || day == 0 || day > days_of(year, month))
                return false;
        mark = *p;
        if (!mark)
                return true;
        if (!strchr("Tt ", mark))
                return false;
        p++;
        if (!take_pair(&p, 23, &n) || !take(&p, ':') || !take_pair(&p, 59, &n) || !take(&p, ':') ||
            !take_pair(&p, 59, &n))
                return false;
        if ((*p == '.' || *p == ',') && skip_digits(p + 1) > p + 1)
                p = skip_digits(p + 1);
        return (mark == ' ' || take_zone(&p)) && !*p;
}

/* --- numbers --- */

/* Go's ParseInt() and ParseUint() with base 0, of at most 64 bits. */
static bool is_whole(const char *text) {
        const char *digits = text + (*text == '-' || *text == '+');
        int base = 10;
        char *end;

        if (digits[0] == '0' && digits[1]) {
                int mark = tolower((unsigned char)digits[1]);

                base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
                digits += mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1;
        }
        if (!isxdigit((unsigned char)*digits) || (base == 16 && tolower((unsigned char)digits[1]) == 'x'))
                return false;
        errno = 0;
        if (strtoull(digits, &end, base) > (uint64_t)INT64_MAX + (*text == '-') && (*text == '-' || *text == '+'))
                return false;
        return errno == 0 && !*end;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? that a double holds. */
static bool is_float(const char *text) {
        const char *begin = text + (*text == '-' || *text == '+'), *p = skip_digits(begin), *places;
        bool whole = p > begin;

        if (*p == '.') {
                places = p + 1;
                p = skip_digits(places);
                if (!whole && p == places)
                        return false;
        } else if (!whole)
                return false;
        if (*p == 'e' || *p == 'E') {
                places = ++p;
                p += *p == '-' || *p == '+';
                if (skip_digits(p) == p)
                        return false;
                p = skip_digits(p);
        }
        return !*p && isfinite(strtod(text, NULL));
}

static bool is_number(const char *text) {
        size_t n = 0;
        _cleanup_free_ char *plain = strdup(text);

        if (!plain)
                return true;
        for (const char *p = text; *p; p++)
                if (*p != '_' || *text == '.')
                        plain[n++] = *p;
        plain[n] = '\0';
        return (*text != '.' && is_whole(plain)) || is_float(plain);
}

/* [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?: what YAML 1.1 takes for a number of base 60. */
static bool is_base60(const char *text) {
        const char *p = text + (*text == '-' || *text == '+');

        if (!isdigit((unsigned char)*p))
                return false;
        p += strspn(p, "0123456789_");
        if (*p != ':')
                return false;
        while (*p == ':') {
                size_t n = strspn(p + 1, "0123456789");

                if (n == 0 || n > 2 || (n == 2 && p[1] > '5'))
                        return false;
                p += 1 + n;
        }
        return !*p || (*p == '.' && !p[1 + strspn(p + 1, "0123456789_")]);
}

bool yaml_needs_quotes(const char *text) {
        char number[YAML_NUMBER_MAX];
        struct value value = { 0 };

        if (strchr("0123456789+-.", *text) && *text)
                return !yaml_scalar_resolve(text, &value, number) || is_time(text) || is_number(text) ||
                       is_base60(text);
        return !yaml_scalar_resolve(text, &value, number) || value.kind != VALUE_STRING;
}

#include "kube/duration.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

static const struct {
        const char *name;
        double nanoseconds;
} units[] = {
        { "ns", 1 },           { "us", 1e3 }, { "\xc2\xb5s", 1e3 }, { "\xce\xbcs", 1e3 },
        { "ms", 1e6 },         { "s", 1e9 },  { "m", 60e9 },        { "h", 3600e9 },
};

static bool read_unit(const char **p, double *ret_nanoseconds) {
        size_t n = strcspn(*p, "0123456789.");

        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i].name) == n && strncmp(units[i].name, *p, n) == 0) {
                        *ret_nanoseconds = units[i].nanoseconds;
                        *p += n;
                        return true;
                }
        return false;
}

int duration_parse(const char *text, int64_t *ret_milliseconds, struct err **err) {
        const char *p = text;
        bool negative = *p == '-';
        double total = 0, unit;

        if (*p == '-' || *p == '+')
                p++;
        if (strcmp(p, "0") == 0) {
                *ret_milliseconds = 0;
                return 0;
        }
        if (!*p)
                return err_set(err, EINVAL, "duration \"%.64s\" is empty", text);
        while (*p) {
                size_t n = strspn(p, "0123456789.");
                char *end;
                double number = strtod(p, &end);

                if (n == 0 || end != p + n)
                        return err_set(err, EINVAL, "duration \"%.64s\" is not written as 1h, 2m30s or 500ms", text);
                p = end;
                if (!read_unit(&p, &unit))
                        return err_set(err, EINVAL, "duration \"%.64s\": unit missing or unknown; use ms, s, m, h",
                                       text);
                total += number * unit;
        }
        if (total >= 9.2e18)
                return err_set(err, EINVAL, "duration \"%.64s\" is too long", text);
        *ret_milliseconds = (int64_t)trunc(total / 1e6) * (negative ? -1 : 1);
        return 0;
}

#include "cli/format.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

#define SECOND INT64_C(1000000000)

int64_t format_now_ns(void) {
        return clock_ns(CLOCK_REALTIME);
}

const char *format_age(int64_t then, int64_t now, char ret_text[FORMAT_MAX]) {
        static const struct {
                int64_t below, unit; /* seconds */
                const char *one, *many;
        } steps[] = {
                { 1, 1, "Less than a second", NULL },
                { 2, 1, "1 second", NULL },
                { 60, 1, NULL, "seconds" },
                { 120, 60, "About a minute", NULL },
                { 3600, 60, NULL, "minutes" },
                { 5400, 3600, "About an hour", NULL },
                { 48 * 3600, 3600, NULL, "hours" },
                { 14 * 86400, 86400, NULL, "days" },
                { 60 * 86400, 7 * 86400, NULL, "weeks" },
                { 730 * 86400, 30 * 86400, NULL, "months" },
                { INT64_MAX, 365 * 86400, NULL, "years" },
        };
        int64_t seconds = (now - then) / SECOND;
        size_t i = 0;

        while (seconds >= steps[i].below)
                i++;
        if (steps[i].one)
                snprintf(ret_text, FORMAT_MAX, "%s ago", steps[i].one);
        else
                snprintf(ret_text, FORMAT_MAX, "%" PRId64 " %s ago",
                         (seconds + (steps[i].unit == 3600 ? 1800 : 0)) / steps[i].unit, steps[i].many);
        return ret_text;
}

/* HumanDuration() in k8s.io/apimachinery/pkg/util/duration. */
const char *format_duration(int64_t seconds, char ret_text[FORMAT_MAX]) {
        static const struct {
                int64_t below, unit, part;    /* seconds */
                const char *name, *part_name; /* NULL: the unit alone */
        } steps[] = {
                { 120, 1, 0, "s", NULL },           { 600, 60, 1, "m", "s" },
                { 3 * 3600, 60, 0, "m", NULL },     { 8 * 3600, 3600, 60, "h", "m" },
                { 48 * 3600, 3600, 0, "h", NULL },  { 8 * 86400, 86400, 3600, "d", "h" },
                { INT64_MAX, 86400, 0, "d", NULL },
        };
        int64_t rest;
        size_t i = 0;
        int n;

        if (seconds < 0)
                seconds = 0;
        while (seconds >= steps[i].below)
                i++;
        n = snprintf(ret_text, FORMAT_MAX, "%" PRId64 "%s", seconds / steps[i].unit, steps[i].name);
        rest = steps[i].part ? seconds % steps[i].unit / steps[i].part : 0;
        if (rest > 0)
                snprintf(ret_text + n, FORMAT_MAX - (size_t)n, "%" PRId64 "%s", rest, steps[i].part_name);
        return ret_text;
}

const char *format_size(uint64_t bytes, char ret_text[FORMAT_MAX]) {
        static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
        double n = (double)bytes;
        size_t i = 0;

        while (n >= 1000 && i + 1 < sizeof(units) / sizeof(units[0])) {
                n /= 1000;
                i++;
        }
        snprintf(ret_text, FORMAT_MAX, "%.3g%s", n, units[i]);
        return ret_text;
}

const char *format_id(const char *id, char ret_text[FORMAT_MAX]) {
        if (strncmp(id, "sha256:", 7) == 0)
                id += 7;
        snprintf(ret_text, FORMAT_MAX, "%.*s", FORMAT_ID_LENGTH, id);
        return ret_text;
}

const char *format_time(int64_t ns, char ret_text[FORMAT_MAX]) {
        time_t seconds = ns / SECOND;
        struct tm tm;
        size_t n;

        ret_text[0] = '\0';
        if (ns <= 0 || !gmtime_r(&seconds, &tm))
                return ret_text;
        n = strftime(ret_text, FORMAT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
        n += (size_t)snprintf(ret_text + n, FORMAT_MAX - n, ".%09" PRId64, ns % SECOND);
        while (ret_text[n - 1] == '0') /* as Go writes it */
                n--;
        n -= ret_text[n - 1] == '.';
        strcpy(ret_text + n, "Z");
        return ret_text;
}

/* "1h30m5s" */
static int parse_duration(const char *text, int64_t *ret_ns) {
        static const struct {
                const char *unit;
                double seconds;
        } units[] = { { "ms", 0.001 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } };
        double total = 0;

        if (!*text)
                return -EINVAL;
        while (*text) {
                char *end;
                double n = strtod(text, &end);
                size_t i = 0;

                if (end == text || n < 0)
                        return -EINVAL;
                while (i < 4 && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0)
                        i++;
                if (i == 4)
                        return -EINVAL;
                total += n * units[i].seconds;
                text = end + strlen(units[i].unit);
        }
        if (total > 1e9)
                return -EINVAL;
        *ret_ns = (int64_t)(total * 1e9);
        return 0;
}

/* What may follow seconds: a fraction, and Z or an offset. */
static int parse_zone(const char *p, int64_t *ret_ns) {
        int64_t ns = 0, digit = SECOND / 10;
        int hours, minutes, n = 0;

        if (*p == '.')
                for (p++; isdigit((unsigned char)*p); p++, digit /= 10)
                        ns += (*p - '0') * digit;
        if (*p == '+' || *p == '-') {
                if (sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &n) != 2 || n != 5)
                        return -EINVAL;
                ns -= (*p == '-' ? -1 : 1) * (hours * INT64_C(3600) + minutes * INT64_C(60)) * SECOND;
                p += 6;
        } else if (*p == 'Z')
                p++;
        *ret_ns = ns;
        return *p ? -EINVAL : 0;
}

int format_parse_since(const char *text, int64_t now, int64_t *ret_ns) {
        static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
        int64_t ns;

        if (parse_duration(text, &ns) == 0) {
                *ret_ns = now - ns;
                return 0;
        }
        for (size_t i = 0; i < 3; i++) {
                struct tm tm = {};
                const char *rest = strptime(text, forms[i], &tm);

                if (!rest || parse_zone(rest, &ns) < 0)
                        continue;
                *ret_ns = timegm(&tm) * SECOND + ns;
                return 0;
        }
        return -EINVAL;
}

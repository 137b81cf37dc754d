#include "kube/validate/schedule.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/duration.h"
#include "lib/go_text.h"

#define N_FIELDS 5
#define BLANKS " \t\n\v\f\r"
#define OUT_OF_MEMORY "out of memory"

/* A field's lowest and highest number; names stand for those from @low on. */
struct bounds {
        uint64_t low, high;
        const char *const *names;
};

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
                                           "aug", "sep", "oct", "nov", "dec", NULL },
                         *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };
static const struct bounds all_bounds[N_FIELDS] = {
        { 0, 59, NULL }, { 0, 23, NULL }, { 1, 31, NULL }, { 1, 12, month_names }, { 0, 6, day_names },
};

#define SAY(...) (arena_printf(arena, __VA_ARGS__) ?: OUT_OF_MEMORY)

static const char *quoted(struct arena *arena, const char *text) {
        return go_text_quote(arena, text) ?: "\"\"";
}

/* Go's strconv.Atoi() of what may not be negative. */
static const char *read_number(struct arena *arena, const char *text, uint64_t *ret_number) {
        const char *digits = text + (*text == '+' || *text == '-');
        long long number;

        if (!*digits || strspn(digits, "0123456789") != strlen(digits))
                return SAY("failed to parse int from %s: strconv.Atoi: parsing %s: invalid syntax", text,
                           quoted(arena, text));
        errno = 0;
        number = strtoll(text, NULL, 10);
        if (errno)
                return SAY("failed to parse int from %s: strconv.Atoi: parsing %s: value out of range", text,
                           quoted(arena, text));
        if (number < 0)
                return SAY("negative number (%lld) not allowed: %s", number, text);
        *ret_number = (uint64_t)number;
        return NULL;
}

static const char *read_name(struct arena *arena, const char *text, const struct bounds *b, uint64_t *ret_number) {
        for (size_t i = 0; b->names && b->names[i]; i++)
                if (strcasecmp(b->names[i], text) == 0) {
                        *ret_number = b->low + i;
                        return NULL;
                }
        return read_number(arena, text, ret_number);
}

/* "LOW-HIGH", "LOW" or "*": the part of a range before its step. */
static const char *read_span(struct arena *arena, char *span, const char *range, const struct bounds *b,
                             uint64_t ends[2]) {
        char *dash = strchr(span, '-');
        const char *problem;

        if (dash)
                *dash = '\0';
        ends[0] = b->low;
        ends[1] = b->high;
        if (strcmp(span, "*") == 0 || strcmp(span, "?") == 0)
                return NULL;
        problem = read_name(arena, span, b, &ends[0]);
        if (problem)
                return problem;
        if (dash && strchr(dash + 1, '-'))
                return SAY("too many hyphens: %s", range);
        ends[1] = ends[0];
        return dash ? read_name(arena, dash + 1, b, &ends[1]) : NULL;
}

static const char *span_problem(struct arena *arena, const char *range, const struct bounds *b,
                                const uint64_t ends[2]) {
        unsigned long long first = ends[0], last = ends[1], low = b->low, high = b->high;

        if (first < low)
                return SAY("beginning of range (%llu) below minimum (%llu): %s", first, low, range);
        if (last > high)
                return SAY("end of range (%llu) above maximum (%llu): %s", last, high, range);
        if (first > last)
                return SAY("beginning of range (%llu) beyond end of range (%llu): %s", first, last, range);
        return NULL;
}

static const char *range_problem(struct arena *arena, const char *range, const struct bounds *b) {
        char *span = arena_strdup(arena, range), *slash = span ? strchr(span, '/') : NULL;
        const char *problem;
        uint64_t ends[2], step = 1;
        bool single;

        if (!span)
                return OUT_OF_MEMORY;
        if (slash)
                *slash = '\0';
        single = !strchr(span, '-');
        problem = read_span(arena, span, range, b, ends);
        if (problem)
                return problem;
        if (slash && strchr(slash + 1, '/'))
                return SAY("too many slashes: %s", range);
        problem = slash ? read_number(arena, slash + 1, &step) : NULL;
        if (problem)
                return problem;
        if (slash && single) /* "N/STEP": from there on */
                ends[1] = b->high;
        problem = span_problem(arena, range, b, ends);
        if (problem)
                return problem;
        return step == 0 ? SAY("step of range should be a positive number: %s", range) : NULL;
}

static const char *field_problem(struct arena *arena, char *field, const struct bounds *b) {
        char *rest = NULL;

        for (char *range = strtok_r(field, ",", &rest); range; range = strtok_r(NULL, ",", &rest)) {
                const char *problem = range_problem(arena, range, b);

                if (problem)
                        return problem;
        }
        return NULL;
}

/* --- descriptors --- */

/* Why Go's time.ParseDuration() does not take @text, which duration_parse() has refused. */
static const char *duration_problem(struct arena *arena, const char *text) {
        static const char *const units[] = { "ns", "us", "\xc2\xb5s", "\xce\xbcs", "ms", "s", "m", "h" };
        const char *p = text + (*text == '-' || *text == '+');

        while (*p) {
                size_t digits = strspn(p, "0123456789"), point = p[digits] == '.',
                       places = point ? strspn(p + digits + 1, "0123456789") : 0, length;
                bool known = false;

                if (digits + places == 0)
                        break;
                p += digits + point + places;
                length = strcspn(p, ".0123456789");
                if (length == 0)
                        return SAY("time: missing unit in duration %s", quoted(arena, text));
                for (size_t i = 0; i < ELEMENTS(units); i++)
                        known = known || (strlen(units[i]) == length && strncmp(units[i], p, length) == 0);
                if (!known)
                        return SAY("time: unknown unit %s in duration %s",
                                   quoted(arena, arena_strndup(arena, p, length) ?: ""), quoted(arena, text));
                p += length;
        }
        return SAY("time: invalid duration %s", quoted(arena, text));
}

static const char *descriptor_problem(struct arena *arena, const char *text) {
        static const char *const known[] = { "@yearly", "@annually", "@monthly", "@weekly",
                                             "@daily",  "@midnight", "@hourly" };
        static const char every[] = "@every ";
        int64_t ns;

        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (strcmp(text, known[i]) == 0)
                        return NULL;
        if (strncmp(text, every, strlen(every)) != 0)
                return SAY("unrecognized descriptor: %s", text);
        if (duration_parse(text + strlen(every), &ns) == 0)
                return NULL;
        return SAY("failed to parse duration %s: %s", text, duration_problem(arena, text + strlen(every)));
}

/* --- the whole --- */

/* The text as Go prints a slice of its fields: "[a b c]". */
static const char *listed(struct arena *arena, const char *text) {
        char *list = arena_alloc(arena, strlen(text) + 3), *to = list;

        if (!list)
                return "[]";
        *to++ = '[';
        for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
                size_t length = strcspn(text, BLANKS);

                if (to > list + 1)
                        *to++ = ' ';
                to = mempcpy(to, text, length);
                text += length;
        }
        memcpy(to, "]", 2);
        return list;
}

static const char *fields_problem(struct arena *arena, const char *text) {
        char *copy = arena_strdup(arena, text), *rest = NULL, *fields[N_FIELDS];
        unsigned n = 0;

        if (!copy)
                return OUT_OF_MEMORY;
        for (char *field = strtok_r(copy, BLANKS, &rest); field; field = strtok_r(NULL, BLANKS, &rest), n++)
                if (n < N_FIELDS)
                        fields[n] = field;
        if (n != N_FIELDS)
                return SAY("expected exactly %d fields, found %u: %s", N_FIELDS, n, listed(arena, text));
        for (unsigned i = 0; i < N_FIELDS; i++) {
                const char *problem = field_problem(arena, fields[i], &all_bounds[i]);

                if (problem)
                        return problem;
        }
        return NULL;
}

static const char *location_problem(struct arena *arena, const char *name) {
        _cleanup_close_ int fd = -EBADF;
        char magic[4], path[256];
        const char *ends = name;

        if (!*name || strcmp(name, "UTC") == 0 || strcmp(name, "Local") == 0)
                return NULL;
        if (strstr(name, "..") || *name == '/' || *name == '\\')
                return "time: invalid location name";
        ends = stpncpy(stpcpy(path, ZONEINFO_DIRECTORY "/"), name, sizeof(path) - sizeof(ZONEINFO_DIRECTORY) - 1);
        if (ends < path + sizeof(path) - 1)
                fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                return SAY("unknown time zone %s", name);
        if (read(fd, magic, sizeof(magic)) < 0)
                return errno == EISDIR ? "is a directory" : SAY("unknown time zone %s", name);
        return memcmp(magic, "TZif", sizeof(magic)) == 0 ? NULL : "malformed time zone information";
}

const char *schedule_problem(struct arena *arena, const char *text) {
        if (strncmp(text, "TZ=", 3) == 0 || strncmp(text, "CRON_TZ=", 8) == 0) {
                const char *name = strchr(text, '=') + 1, *blank = strchr(text, ' '), *problem;

                if (!blank)
                        return "invalid schedule format: runtime error: slice bounds out of range [:-1]";
                name = arena_strndup(arena, name, (size_t)(blank - name)) ?: "";
                problem = location_problem(arena, name);
                if (problem)
                        return SAY("provided bad location %s: %s", name, problem);
                text = blank + strspn(blank, BLANKS);
        }
        return *text == '@' ? descriptor_problem(arena, text) : fields_problem(arena, text);
}

/* One of the parts of a name that "/" divides. */
static bool is_zone_part(const char *part, size_t length) {
        bool dots = (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.');

        if (length == 0 || length > 14 || *part == '-' || dots)
                return false;
        for (size_t i = 0; i < length; i++)
                if (!isalnum((unsigned char)part[i]) && !strchr(".-_+", part[i]))
                        return false;
        return true;
}

const char *schedule_zone_problem(struct arena *arena, const char *name) {
        for (const char *part = name;; part++) {
                size_t length = strcspn(part, "/");

                if (!is_zone_part(part, length))
                        return SAY("unknown time zone %s", name);
                part += length;
                if (!*part)
                        break;
        }
        return location_problem(arena, name);
}

/* Sets of a job's indexes as text: "0-2,4". */
#include <stdlib.h>
#include <string.h>

#include "kube/validate/job.h"
#include "lib/arena.h"

#define FRAGMENT_NUMBER_MAX 18 /* digits: more are no index */

struct interval {
        int64_t first, last;
};

/* Go's strconv.Atoi(). */
static const char *read_index(struct validation *v, const char *text, size_t length, int64_t completions,
                              int64_t *ret_index) {
        bool sign = length > 0 && (*text == '+' || *text == '-');
        const char *copy = arena_strndup(v->arena, text, length);

        if (!copy || length == sign || strspn(copy + sign, "0123456789") != length - sign ||
            length > FRAGMENT_NUMBER_MAX)
                return validate_text(v, "cannot convert string to integer for index: %s", validate_quoted(v, copy));
        *ret_index = strtoll(copy, NULL, 10);
        return *ret_index < completions ? NULL : validate_text(v, "too large index: %s", validate_quoted(v, copy));
}

static const char *read_interval(struct validation *v, const char *text, size_t length, int64_t completions,
                                 struct interval *ret) {
        const char *dash = memchr(text, '-', length), *problem;
        size_t first = dash ? (size_t)(dash - text) : length, rest = dash ? length - first - 1 : 0;

        if (dash && memchr(dash + 1, '-', rest))
                return validate_text(v,
                                     "the fragment %s violates the requirement that an index interval can have at "
                                     "most two parts separated by '-'",
                                     validate_quoted(v, arena_strndup(v->arena, text, length)));
        problem = read_index(v, text, first, completions, &ret->first);
        ret->last = ret->first;
        if (problem || !dash)
                return problem;
        problem = read_index(v, dash + 1, rest, completions, &ret->last);
        if (!problem && ret->first >= ret->last)
                problem = validate_text(v, "non-increasing order, previous: %lld, current: %lld", (long long)ret->first,
                                        (long long)ret->last);
        return problem;
}

const char *validate_indexes(struct validation *v, const char *indexes, int64_t completions, int64_t *ret_total) {
        struct interval last = { -1, -1 }, now;
        bool one = false;

        *ret_total = 0;
        for (const char *p = indexes ?: ""; *p || one; one = true) {
                size_t length = strcspn(p, ",");
                const char *problem = read_interval(v, p, length, completions, &now);

                if (!problem && one && last.last >= now.first)
                        problem = validate_text(v, "non-increasing order, previous: %lld, current: %lld",
                                                (long long)last.last, (long long)now.first);
                if (problem) {
                        *ret_total = 0;
                        return problem;
                }
                *ret_total += now.last - now.first + 1;
                last = now;
                if (!p[length])
                        break;
                p += length + 1;
        }
        return NULL;
}

/* The next interval at *@p that can be read; false at the end. */
static bool next_interval(struct validation *v, const char **p, int64_t completions, struct interval *ret) {
        while (*p) {
                const char *text = *p;
                size_t length = strcspn(text, ",");

                *p = text[length] ? text + length + 1 : NULL;
                if (!read_interval(v, text, length, completions, ret))
                        return true;
        }
        return false;
}

const char *validate_indexes_apart(struct validation *v, const char *a, const char *b, int64_t completions) {
        struct interval one, other;
        bool more;

        if (!a || !*a || !b || !*b)
                return NULL;
        more = next_interval(v, &a, completions, &one) && next_interval(v, &b, completions, &other);
        while (more) {
                if (one.first <= other.last && other.first <= one.last)
                        return validate_text(v, "failedIndexes and completedIndexes overlap at index: %lld",
                                             (long long)(one.first > other.first ? one.first : other.first));
                more = one.first <= other.first ? next_interval(v, &a, completions, &one) :
                                                  next_interval(v, &b, completions, &other);
        }
        return NULL;
}

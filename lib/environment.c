#include "lib/environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/cleanup.h"

/* What is taken whatever the stack's limit is. */
#define EXEC_LEAST ((size_t)128 << 10)

struct entry {
        const char *text;
        size_t name_length, at;
};

/* By name, then in the list's order. */
static int compare(const void *a, const void *b) {
        const struct entry *x = a, *y = b;
        size_t n = x->name_length < y->name_length ? x->name_length : y->name_length;
        int r = memcmp(x->text, y->text, n);

        if (r == 0 && x->name_length != y->name_length)
                r = x->name_length < y->name_length ? -1 : 1;
        return r ? r : x->at < y->at ? -1 : 1;
}

static bool same_name(const struct entry *a, const struct entry *b) {
        return a->name_length == b->name_length && memcmp(a->text, b->text, a->name_length) == 0;
}

long environment_merge(const char **list, size_t n) {
        _cleanup_free_ struct entry *entries = n > 1 ? malloc(n * sizeof(*entries)) : NULL;
        size_t left = 0;

        if (n <= 1)
                return (long)n;
        if (!entries)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                entries[i] = (struct entry){ list[i], strcspn(list[i], "="), i };
        qsort(entries, n, sizeof(*entries), compare);
        for (size_t i = 0, last; i < n; i = last + 1) {
                for (last = i; last + 1 < n && same_name(&entries[i], &entries[last + 1]); last++)
                        list[entries[last].at] = NULL;
                list[entries[last].at] = NULL;
                list[entries[i].at] = entries[last].text;
        }
        for (size_t i = 0; i < n; i++)
                if (list[i])
                        list[left++] = list[i];
        return (long)left;
}

size_t environment_exec_size(const char *const *list, size_t n) {
        size_t size = n * sizeof(*list);

        for (size_t i = 0; i < n; i++)
                size += strlen(list[i]) + 1;
        return size;
}

size_t environment_exec_max(void) {
        struct rlimit stack;

        if (getrlimit(RLIMIT_STACK, &stack) < 0 || stack.rlim_cur / 4 >= ENVIRONMENT_EXEC_MAX)
                return ENVIRONMENT_EXEC_MAX;
        return stack.rlim_cur / 4 > EXEC_LEAST ? (size_t)stack.rlim_cur / 4 : EXEC_LEAST;
}

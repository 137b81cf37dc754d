#include "lib/nearest.h"

#include <limits.h>
#include <string.h>

struct nearest nearest_to(const char *text) {
        return (struct nearest){ .text = text, .distance = UINT_MAX };
}

static unsigned least(unsigned a, unsigned b) {
        return a < b ? a : b;
}

/* The edit distance in which two letters that changed places count as one (optimal string alignment). */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b) {
        unsigned rows[3][NEAREST_TEXT_MAX + 1];
        unsigned *before = rows[0], *above = rows[1], *row = rows[2];

        for (unsigned k = 0; k <= n_b; k++)
                above[k] = k;
        for (size_t i = 1; i <= n_a; i++) {
                unsigned *free_row = before;

                row[0] = (unsigned)i;
                for (size_t k = 1; k <= n_b; k++) {
                        row[k] = least(least(above[k], row[k - 1]) + 1, above[k - 1] + (a[i - 1] != b[k - 1]));
                        if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                                row[k] = least(row[k], before[k - 2] + 1);
                }
                before = above;
                above = row;
                row = free_row;
        }
        return above[n_b];
}

void nearest_try(struct nearest *nearest, const char *name) {
        size_t n = strlen(nearest->text), n_name = strlen(name), longer = n > n_name ? n : n_name;
        unsigned d;

        if (n == 0 || longer > NEAREST_TEXT_MAX)
                return;
        d = distance(nearest->text, n, name, n_name);
        if (d > (longer < 3 ? 1 : longer / 3) && !(n >= 2 && n_name > n && memcmp(nearest->text, name, n) == 0))
                return;
        if (d >= nearest->distance)
                return;
        nearest->name = name;
        nearest->distance = d;
}

/* A kubelet's /metrics/resource, twice: the second answer follows the first. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/usage/points.h"
#include "lib/cleanup.h"
#include "lib/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct usage_points *read_points(const uint8_t *data, size_t size, int64_t now,
                                        const struct usage_points *before) {
        _cleanup_free_ char *text = malloc(size + 1);
        _cleanup_err_ struct err *err = NULL;
        struct usage_points *points = NULL;

        if (!text)
                return NULL;
        if (size > 0)
                memcpy(text, data, size);
        if (usage_points_read(text, size, now, before, &points, &err) < 0)
                return NULL;
        return points;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const uint8_t *split = size > 0 ? memchr(data, '\f', size) : NULL;
        size_t n = split ? (size_t)(split - data) : size;
        struct usage_points *first = read_points(data, n, 1000000, NULL),
                            *second = split ? read_points(split + 1, size - n - 1, 1015000, first) : NULL;
        const struct usage_points *all[] = { first, second };
        int64_t nano;
        size_t found;

        for (size_t k = 0; k < ELEMENTS(all); k++)
                for (size_t i = 0; all[k] && i < all[k]->n; i++) {
                        usage_point_rate(&all[k]->all[i], &nano);
                        if (!usage_points_find(all[k], all[k]->all[i].namespace, all[k]->all[i].pod, &found))
                                abort();
                }
        usage_points_free(first);
        usage_points_free(second);
        return 0;
}

#include "api/usage/points.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/usage/parse.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/grow.h"

/* A container that began within the last round has its start as the point before, once it has run for a while. */
#define FRESH_MIN_MS 10000
#define FRESH_MAX_MS 15000
#define CPU_MAX 1e6     /* that a node has: what is more is no measurement */
#define MEMORY_MAX 9e18 /* bytes */

struct reading {
        struct usage_points *points;
        size_t room;
        int64_t now_ms;
};

static int compare(const void *a, const void *b) {
        const struct usage_point *one = a, *other = b;

        return strcmp(one->namespace, other->namespace) ?:
                       strcmp(one->pod, other->pod)     ?:
                                                          strcmp(one->container, other->container);
}

/* --- samples, each a point of its own at first --- */

static void take(struct usage_point *point, const struct usage_sample *sample, int64_t now_ms) {
        int64_t at = sample->at_ms ?: now_ms;

        switch (sample->metric) {
        case USAGE_CPU:
                point->cpu = sample->value;
                point->has_cpu = true;
                point->at_ms = at;
                break;
        case USAGE_MEMORY:
                point->memory = sample->value < MEMORY_MAX ? sample->value : MEMORY_MAX;
                point->has_memory = true;
                break;
        case USAGE_START:
                point->start_ms = sample->value < 1e12 ? (int64_t)(sample->value * 1000) : 0;
                break;
        }
}

static int on_sample(void *data, const struct usage_sample *sample) {
        struct reading *reading = data;
        struct usage_points *points = reading->points;
        struct usage_point *point;
        int r;

        if (!*sample->container) {
                take(&points->node, sample, reading->now_ms);
                return 0;
        }
        if ((r = GROW(points->all, reading->room, points->n + 1, USAGE_SAMPLES_MAX)) < 0)
                return r;
        point = &points->all[points->n++];
        *point = (struct usage_point){ .namespace = sample->namespace,
                                       .pod = sample->pod,
                                       .container = sample->container };
        take(point, sample, reading->now_ms);
        return 0;
}

/* --- one point a container --- */

static void join(struct usage_point *to, const struct usage_point *from) {
        if (from->has_cpu) {
                to->cpu = from->cpu;
                to->at_ms = from->at_ms;
                to->has_cpu = true;
        }
        if (from->has_memory) {
                to->memory = from->memory;
                to->has_memory = true;
        }
        to->start_ms = from->start_ms ?: to->start_ms;
}

/* Those of whom both are known; texts move into the arena. */
static int settle(struct usage_points *points) {
        struct usage_point *all = points->all;
        size_t n = 0, kept = 0;

        if (points->n > 0)
                qsort(all, points->n, sizeof(*all), compare);
        for (size_t i = 0; i < points->n; i++)
                if (n > 0 && compare(&all[n - 1], &all[i]) == 0)
                        join(&all[n - 1], &all[i]);
                else
                        all[n++] = all[i];
        for (size_t i = 0; i < n; i++) {
                if (!all[i].has_cpu || !all[i].has_memory)
                        continue;
                all[kept] = all[i];
                all[kept].namespace = arena_strdup(points->arena, all[i].namespace);
                all[kept].pod = arena_strdup(points->arena, all[i].pod);
                all[kept].container = arena_strdup(points->arena, all[i].container);
                if (!all[kept].namespace || !all[kept].pod || !all[kept].container)
                        return -ENOMEM;
                kept++;
        }
        points->n = kept;
        return 0;
}

static void follow(struct usage_point *point, const struct usage_point *last) {
        int64_t age = point->start_ms > 0 ? point->at_ms - point->start_ms : 0;

        if (age >= FRESH_MIN_MS && age < FRESH_MAX_MS) {
                point->before_ms = point->start_ms;
                point->cpu_before = 0;
                return;
        }
        if (!last || !last->has_cpu || point->start_ms >= last->at_ms)
                return;
        if (point->at_ms > last->at_ms) {
                point->before_ms = last->at_ms;
                point->cpu_before = last->cpu;
        } else if (last->before_ms < point->at_ms) {
                point->before_ms = last->before_ms;
                point->cpu_before = last->cpu_before;
        }
}

static void follow_all(struct usage_points *points, const struct usage_points *before) {
        follow(&points->node, before ? &before->node : NULL);
        for (size_t i = 0; i < points->n; i++)
                follow(&points->all[i], before && before->n > 0 ? bsearch(&points->all[i], before->all, before->n,
                                                                          sizeof(*before->all), compare) :
                                                                  NULL);
}

int usage_points_read(char *text, size_t length, int64_t now_ms, const struct usage_points *before,
                      struct usage_points **ret_points, struct err **err) {
        struct usage_points *points = calloc(1, sizeof(*points));
        struct reading reading = { .points = points, .now_ms = now_ms };
        int r;

        if (points)
                points->arena = arena_new();
        if ((r = points && points->arena ? usage_parse(text, length, on_sample, &reading, err) : -ENOMEM) < 0 ||
            (r = settle(points)) < 0) {
                usage_points_free(points);
                return r;
        }
        follow_all(points, before);
        *ret_points = points;
        return 0;
}

struct usage_points *usage_points_free(struct usage_points *points) {
        if (!points)
                return NULL;
        arena_free(points->arena);
        free(points->all);
        free(points);
        return NULL;
}

/* --- what they say --- */

const struct usage_point *usage_points_find(const struct usage_points *points, const char *namespace, const char *pod,
                                            size_t *ret_n) {
        const struct usage_point key = { .namespace = namespace, .pod = pod, .container = "" };
        size_t low = 0, high = points->n, n = 0;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare(&points->all[middle], &key) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        while (low + n < points->n && strcmp(points->all[low + n].pod, pod) == 0 &&
               strcmp(points->all[low + n].namespace, namespace) == 0)
                n++;
        *ret_n = n;
        return n > 0 ? &points->all[low] : NULL;
}

bool usage_point_rate(const struct usage_point *point, int64_t *ret_nano) {
        double rate;

        if (!point->has_cpu || !point->has_memory || point->before_ms <= 0 || point->at_ms <= point->before_ms ||
            point->cpu < point->cpu_before)
                return false;
        rate = (point->cpu - point->cpu_before) / ((double)(point->at_ms - point->before_ms) / 1000);
        *ret_nano = (int64_t)((rate < CPU_MAX ? rate : CPU_MAX) * 1e9);
        return true;
}

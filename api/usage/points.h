/* What was measured of a node and its containers: the last point of each, and the one before, as metrics-server keeps
 * them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

#define USAGE_SAMPLES_MAX 65536 /* of a scrape; more is no node's */

/* Of a container, or, without names, the node. */
struct usage_point {
        const char *namespace, *pod, *container;
        int64_t start_ms;         /* since 1970; 0: not known */
        int64_t at_ms, before_ms; /* of this and the point before; before_ms 0: there is none */
        double cpu, cpu_before;   /* seconds that were used until then */
        double memory;            /* bytes */
        bool has_cpu, has_memory;
};

/* Of one node; in an arena of its own. */
struct usage_points {
        struct arena *arena;
        struct usage_point node;
        struct usage_point *all; /* sorted by namespace, pod, container */
        size_t n;
};

/* Reads an answer, which came at @now_ms and is changed; @before (NULL: none) is what was known. *@ret_points is its
 * caller's. 0, -EINVAL, -E2BIG past USAGE_SAMPLES_MAX, -ENOMEM. */
int usage_points_read(char *text, size_t length, int64_t now_ms, const struct usage_points *before,
                      struct usage_points **ret_points, struct err **err);
struct usage_points *usage_points_free(struct usage_points *points); /* NULL is fine; returns NULL */

/* The first container of the pod; they stand side by side. NULL: none. */
const struct usage_point *usage_points_find(const struct usage_points *points, const char *namespace, const char *pod,
                                            size_t *ret_n);

/* What is used, in billionths of a CPU. False: it cannot be told yet. */
bool usage_point_rate(const struct usage_point *point, int64_t *ret_nano);

/* Counts by topology: of each key of labels and its value. For api/scheduler alone. */
#pragma once

#include <stdint.h>

struct arena;

struct sched_pair {
        const char *key, *value; /* lent; NULL: the place is empty */
        int64_t n;
};

/* Zeroed is empty. All is in an arena, and goes with it. */
struct sched_pairs {
        struct sched_pair *all;
        uint32_t n, room;
};

/* The count of the two, 0 at first; NULL without memory. Valid until the next call. */
int64_t *sched_pairs_get(struct arena *arena, struct sched_pairs *pairs, const char *key, const char *value);
/* NULL: never counted. */
int64_t *sched_pairs_find(const struct sched_pairs *pairs, const char *key, const char *value);

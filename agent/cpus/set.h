/* Sets of the host's CPUs, and their text as the kernel and Kubernetes write it: "0-3,7". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define CPUS_MAX 4096 /* CPUs are numbered below it */
#define CPUS_SET_TEXT_MAX (CPUS_MAX / 2 * 5 + 1)

struct cpus_set {
        uint64_t words[CPUS_MAX / 64];
};

static inline bool cpus_set_has(const struct cpus_set *set, int cpu) {
        return set->words[cpu / 64] >> (cpu % 64) & 1;
}

static inline void cpus_set_add(struct cpus_set *set, int cpu) {
        set->words[cpu / 64] |= (uint64_t)1 << (cpu % 64);
}

/* The first CPU of @set from @from on; -1: there is none. for (int c = -1; (c = cpus_set_next(s, c + 1)) >= 0;) */
int cpus_set_next(const struct cpus_set *set, int from);

size_t cpus_set_count(const struct cpus_set *set);
bool cpus_set_is_empty(const struct cpus_set *set);
bool cpus_set_equal(const struct cpus_set *a, const struct cpus_set *b);
bool cpus_set_meets(const struct cpus_set *a, const struct cpus_set *b);

struct cpus_set cpus_set_union(const struct cpus_set *a, const struct cpus_set *b);
struct cpus_set cpus_set_without(const struct cpus_set *a, const struct cpus_set *b);
struct cpus_set cpus_set_both(const struct cpus_set *a, const struct cpus_set *b);

/* "" is the empty set. -EINVAL with what is wrong. */
int cpus_set_parse(const char *text, struct cpus_set *ret_set, struct err **err);

/* Writes the text to @ret_text, of CPUS_SET_TEXT_MAX bytes, and returns it. */
const char *cpus_set_format(const struct cpus_set *set, char *ret_text);

#include "agent/cpus/set.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (CPUS_MAX / 64)

int cpus_set_next(const struct cpus_set *set, int from) {
        for (int w = from / 64; w < WORDS; w++) {
                uint64_t bits = set->words[w];

                if (w == from / 64)
                        bits &= ~(uint64_t)0 << (from % 64);
                if (bits)
                        return w * 64 + __builtin_ctzll(bits);
        }
        return -1;
}

size_t cpus_set_count(const struct cpus_set *set) {
        size_t n = 0;

        for (int w = 0; w < WORDS; w++)
                n += (size_t)__builtin_popcountll(set->words[w]);
        return n;
}

bool cpus_set_is_empty(const struct cpus_set *set) {
        return cpus_set_next(set, 0) < 0;
}

bool cpus_set_equal(const struct cpus_set *a, const struct cpus_set *b) {
        return memcmp(a, b, sizeof(*a)) == 0;
}

struct cpus_set cpus_set_union(const struct cpus_set *a, const struct cpus_set *b) {
        struct cpus_set set = *a;

        for (int w = 0; w < WORDS; w++)
                set.words[w] |= b->words[w];
        return set;
}

struct cpus_set cpus_set_without(const struct cpus_set *a, const struct cpus_set *b) {
        struct cpus_set set = *a;

        for (int w = 0; w < WORDS; w++)
                set.words[w] &= ~b->words[w];
        return set;
}

struct cpus_set cpus_set_both(const struct cpus_set *a, const struct cpus_set *b) {
        struct cpus_set set = *a;

        for (int w = 0; w < WORDS; w++)
                set.words[w] &= b->words[w];
        return set;
}

bool cpus_set_meets(const struct cpus_set *a, const struct cpus_set *b) {
        struct cpus_set both = cpus_set_both(a, b);

        return !cpus_set_is_empty(&both);
}

/* A number at *@text, which moves behind it; -1: there is none. */
static long read_number(const char **text) {
        char *end = NULL;
        long number;

        if (!isdigit((unsigned char)**text))
                return -1;
        errno = 0;
        number = strtol(*text, &end, 10);
        *text = end;
        return errno || number >= CPUS_MAX ? -1 : number;
}

int cpus_set_parse(const char *text, struct cpus_set *ret_set, struct err **err) {
        struct cpus_set set = { 0 };
        const char *p = text;

        while (*p) {
                long first = read_number(&p), last = first;

                if (first >= 0 && *p == '-') {
                        p++;
                        last = read_number(&p);
                }
                if (first < 0 || last < first || (*p && (*p != ',' || !p[1])))
                        return err_set(err, EINVAL, "\"%.200s\" is no list of CPUs like 0-3,7, numbered below %d", text,
                                       CPUS_MAX);
                for (long c = first; c <= last; c++)
                        cpus_set_add(&set, (int)c);
                p += *p == ',';
        }
        *ret_set = set;
        return 0;
}

const char *cpus_set_format(const struct cpus_set *set, char *ret_text) {
        size_t at = 0;

        ret_text[0] = '\0';
        for (int c = -1; (c = cpus_set_next(set, c + 1)) >= 0;) {
                int last = c;

                while (last + 1 < CPUS_MAX && cpus_set_has(set, last + 1))
                        last++;
                at += (size_t)snprintf(ret_text + at, CPUS_SET_TEXT_MAX - at, last > c ? "%s%d-%d" : "%s%d",
                                       at ? "," : "", c, last);
                c = last;
        }
        return ret_text;
}

/* Texts, and arrays of them. */
#pragma once

#include <stdbool.h>
#include <string.h>

/* The order of two texts' bytes, for qsort(3) and bsearch(3) over an array of pointers to them. */
static inline int texts_order(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static inline bool texts_end_in(const char *text, const char *end) {
        size_t n = strlen(text), m = strlen(end);

        return n >= m && strcmp(text + n - m, end) == 0;
}

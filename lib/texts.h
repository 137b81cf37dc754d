/* Arrays of texts. */
#pragma once

#include <string.h>

/* The order of two texts' bytes, for qsort(3) and bsearch(3) over an array of pointers to them. */
static inline int texts_order(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

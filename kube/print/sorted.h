/* Rows that are kept until all are there, and go out sorted. For kube/print alone. */
#pragma once

#include <stdint.h>

struct json_writer;
struct print_sorted;

struct print_sorted *print_sorted_new(void);                         /* NULL without memory */
struct print_sorted *print_sorted_free(struct print_sorted *sorted); /* NULL is fine; returns NULL */

/* Where the next row is written to, until the one behind it is added; NULL without memory. */
struct json_writer *print_sorted_add(struct print_sorted *sorted, int64_t rank, const char *name);

/* Writes the member "rows": the lowest rank first, and of one rank by name. */
void print_sorted_write(struct print_sorted *sorted, struct json_writer *out);

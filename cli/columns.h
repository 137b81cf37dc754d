/* Tables for people: columns as wide as their widest cell, the last one not padded. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#define COLUMNS_MAX 16
#define COLUMNS_WIDTH_LEAST 12
#define COLUMNS_GAP 3

struct columns {
        char **cells; /* row after row, the first is the heading */
        size_t n, allocated;
        unsigned width; /* columns */
};

/* Begins a table with its headings, separated by tabs: "CONTAINER\tIMAGE". */
void columns_begin(struct columns *columns, const char *headings);

/* Appends a row of cells, separated by tabs. Control characters in cells become '?': names come from anywhere. */
void columns_row(struct columns *columns, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes the table and frees its cells. */
void columns_end(struct columns *columns, FILE *out);

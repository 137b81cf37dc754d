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

/* Appends a row of cells, separated by the tabs of @format, or COLUMNS_NEXT in what it is given. Control characters in
 * cells become '?', tabs as well: names come from anywhere. */
#define COLUMNS_NEXT "\xff" /* in no UTF-8 */
void columns_row(struct columns *columns, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes of the control character that @text begins with, of C0 or C1 (ISO 6429; UTF-8): terminals may take it for a
 * command. 0: it begins with none. */
unsigned columns_control(const char *text);

/* Writes the table and frees its cells. */
void columns_end(struct columns *columns, FILE *out);

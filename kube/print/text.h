/* A text that grows in an arena, for the cells of one row. What fails sticks, and is told by print_text_cell(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct print_row;

struct print_text {
        struct arena *arena;
        char *text;
        size_t length, size;
        bool failed;
};

void print_text_put(struct print_text *text, const char *more);
void print_text_add(struct print_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* @more with @separator before it, unless it is the first. */
void print_text_join(struct print_text *text, const char *separator, const char *more);

/* Its text, NUL-terminated; NULL without memory. */
const char *print_text_end(struct print_text *text);

/* Writes it as a cell; @other where it is empty, unless that is NULL. */
void print_text_cell(struct print_row *row, struct print_text *text, const char *other);

#include "cli/columns.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/grow.h"
#include "lib/utf8.h"

unsigned columns_control(const char *text) {
        unsigned char c = (unsigned char)text[0], next = c ? (unsigned char)text[1] : 0;

        if (c == 0xc2 && next >= 0x80 && next < 0xa0)
                return 2;
        return (c != 0 && c < 0x20) || c == 0x7f;
}

/* In place, for it only gets shorter. */
static void mask(char *text) {
        char *to = text;

        for (unsigned n; *text; text += n ?: 1) {
                n = columns_control(text);
                *to++ = n > 0 ? '?' : *text;
        }
        *to = '\0';
}

static void add_cell(struct columns *columns, const char *text, size_t n) {
        char *cell = strndup(text, n);

        if (GROW(columns->cells, columns->allocated, columns->n + 1, GROW_NO_MAX) < 0) {
                free(cell);
                return;
        }
        if (cell)
                mask(cell);
        columns->cells[columns->n++] = cell;
}

/* Adds the cells of one row; missing ones are empty. */
static unsigned add_row(struct columns *columns, const char *text, unsigned width) {
        unsigned n = 0;

        for (bool more = true; more && n < COLUMNS_MAX && (width == 0 || n < width); n++) {
                size_t length = strcspn(text, COLUMNS_NEXT);

                add_cell(columns, text, length);
                more = text[length] != '\0';
                text += length + more;
        }
        for (; n < width; n++)
                add_cell(columns, "", 0);
        return n;
}

/* A copy in which the tabs are what divides cells. NULL without memory. */
static char *divide(const char *text) {
        char *copy = strdup(text);

        for (char *c = copy; c && *c; c++)
                *c = *c == '\t' ? *COLUMNS_NEXT : *c;
        return copy;
}

void columns_begin(struct columns *columns, const char *headings) {
        _cleanup_free_ char *text = divide(headings);

        *columns = (struct columns){};
        columns->width = add_row(columns, text ?: headings, 0);
}

void columns_row(struct columns *columns, const char *format, ...) {
        _cleanup_free_ char *text = NULL, *divided = divide(format);
        va_list args;

        va_start(args, format);
        if (!divided || vasprintf(&text, divided, args) < 0)
                text = NULL;
        va_end(args);
        if (text)
                add_row(columns, text, columns->width);
}

void columns_end(struct columns *columns, FILE *out) {
        size_t widths[COLUMNS_MAX] = {};

        for (size_t i = 0; i < columns->n; i++) {
                size_t w = columns->cells[i] ? utf8_count(columns->cells[i]) : 0, *width = &widths[i % columns->width];

                if (w > *width)
                        *width = w;
        }
        for (size_t i = 0; i < columns->n; i++) {
                const char *cell = columns->cells[i] ? columns->cells[i] : "";
                size_t width = widths[i % columns->width] + COLUMNS_GAP;

                if (width < COLUMNS_WIDTH_LEAST)
                        width = COLUMNS_WIDTH_LEAST;
                if ((i + 1) % columns->width == 0)
                        fprintf(out, "%s\n", cell);
                else
                        fprintf(out, "%s%*s", cell, (int)(width - utf8_count(cell)), "");
                free(columns->cells[i]);
        }
        free(columns->cells);
        *columns = (struct columns){};
}

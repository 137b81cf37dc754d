#include "kube/print/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kube/print/column.h"
#include "lib/arena.h"
#include "lib/json_writer.h"

static bool reserve(struct print_text *t, size_t n) {
        size_t size = t->size ? t->size : 64;
        char *more;

        if (t->failed)
                return false;
        if (t->size - t->length > n)
                return true;
        while (size - t->length <= n)
                size *= 2;
        more = arena_alloc_uncleared(t->arena, size);
        if (!more) {
                t->failed = true;
                return false;
        }
        if (t->length > 0)
                memcpy(more, t->text, t->length);
        more[t->length] = '\0';
        t->text = more;
        t->size = size;
        return true;
}

void print_text_put(struct print_text *t, const char *more) {
        size_t length = strlen(more);

        if (!reserve(t, length))
                return;
        memcpy(t->text + t->length, more, length + 1);
        t->length += length;
}

void print_text_add(struct print_text *t, const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(NULL, 0, format, ap);
        va_end(ap);
        if (n < 0 || !reserve(t, (size_t)n))
                return;
        va_start(ap, format);
        vsnprintf(t->text + t->length, (size_t)n + 1, format, ap);
        va_end(ap);
        t->length += (size_t)n;
}

void print_text_join(struct print_text *t, const char *separator, const char *more) {
        if (t->text)
                print_text_put(t, separator);
        print_text_put(t, more);
}

const char *print_text_end(struct print_text *t) {
        return reserve(t, 0) ? t->text : NULL;
}

void print_text_cell(struct print_row *row, struct print_text *t, const char *other) {
        const char *text = print_text_end(t);

        if (!text)
                json_writer_fail(row->out, -ENOMEM);
        else
                json_string(row->out, other && !*text ? other : text);
}

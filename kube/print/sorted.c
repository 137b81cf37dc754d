#include "kube/print/sorted.h"

#include <stdlib.h>
#include <string.h>

#include "lib/grow.h"
#include "lib/json_writer.h"

struct sorted_row {
        int64_t rank;
        char *name;
        size_t begin, end; /* of its text in `rows` */
};

struct print_sorted {
        struct json_writer rows; /* values one behind the other */
        struct sorted_row *list;
        size_t n, size;
};

struct print_sorted *print_sorted_new(void) {
        struct print_sorted *s = calloc(1, sizeof(*s));

        if (s)
                s->rows.go_escapes = true;
        return s;
}

struct print_sorted *print_sorted_free(struct print_sorted *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->n; i++)
                free(s->list[i].name);
        free(s->list);
        json_writer_done(&s->rows);
        free(s);
        return NULL;
}

struct json_writer *print_sorted_add(struct print_sorted *s, int64_t rank, const char *name) {
        if (GROW(s->list, s->size, s->n + 1, GROW_NO_MAX) < 0)
                return NULL;
        if (s->n > 0)
                s->list[s->n - 1].end = s->rows.length;
        s->rows.comma = false;
        s->list[s->n] = (struct sorted_row){ .rank = rank, .name = strdup(name), .begin = s->rows.length };
        return s->list[s->n].name ? (s->n++, &s->rows) : NULL;
}

static int by_rank(const void *a, const void *b) {
        const struct sorted_row *left = a, *right = b;

        if (left->rank != right->rank)
                return left->rank < right->rank ? -1 : 1;
        return strcmp(left->name, right->name);
}

void print_sorted_write(struct print_sorted *s, struct json_writer *out) {
        if (s->rows.error < 0) {
                json_writer_fail(out, s->rows.error);
                return;
        }
        if (s->n > 0)
                s->list[s->n - 1].end = s->rows.length;
        qsort(s->list, s->n, sizeof(*s->list), by_rank);
        json_key(out, "rows");
        json_begin_list(out);
        for (size_t i = 0; i < s->n; i++)
                json_raw(out, s->rows.text + s->list[i].begin, s->list[i].end - s->list[i].begin);
        json_end_list(out);
}

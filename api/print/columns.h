/* The columns of a kind's table, as data: where each cell comes from. */
#pragma once

#include <stdint.h>

struct arena;
struct json_writer;
struct kube_kind;
struct value;

struct print_column {
        const char *name, *type, *format;
        int priority; /* 0 is always shown; 1 with -o wide */
        /* Writes the cell. @path is the row's argument: where in the object, dots between keys. */
        void (*cell)(struct json_writer *w, struct arena *arena, const struct value *object, const char *path);
        const char *path;
};

/* Never NULL: a kind without a table has its name and when it was made. */
const struct print_column *print_columns_of(const struct kube_kind *kind, uint32_t *ret_n);

/* "5m", "3h12m", "2d": how long @seconds are, as kubectl shows ages; in @arena. */
const char *api_print_age(struct arena *arena, int64_t seconds);

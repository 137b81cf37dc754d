/* What a JSONPath is read into. For kube/print/path*.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/value.h"

enum path_node_kind {
        PATH_FIELD,
        PATH_SLICE,
        PATH_WILDCARD,
        PATH_DESCENT,
        PATH_UNION,
        PATH_FILTER,
        PATH_LITERAL,
        PATH_UNKNOWN, /* a word that means nothing: the path can be read, and finds nothing */
};

struct path_bound {
        bool known, derived; /* derived: it is the start's next */
        int64_t value;
};

/* A list of steps, each of which takes what the one before has found. */
struct print_path {
        struct path_node *first;
};

struct path_node {
        struct path_node *next;
        enum path_node_kind kind;
        const char *name;           /* PATH_FIELD */
        struct path_bound bound[3]; /* PATH_SLICE: start, end, step */
        struct print_path *paths;   /* PATH_UNION: @n; PATH_FILTER: what is compared, with what */
        size_t n;
        const char *op;       /* PATH_FILTER: "==", "exists" */
        struct value literal; /* PATH_LITERAL */
};

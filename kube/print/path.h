/* JSONPath as k8s.io/client-go reads it: fields, indexes, slices, unions, filters, wildcards, descent. Not in it, as no
 * column can use them: range and end. For kube/print alone. */
#pragma once

#include "kube/print/column.h"

struct err;
struct kube_wanted;

#define PRINT_PATH_RESULTS_MAX 65536 /* of a step; a path that finds more finds nothing */
#define PRINT_PATH_DEPTH 16          /* of filters and unions in each other */

/* Reads @text (".spec.replicas") into @arena. 0, -EINVAL, -E2BIG, -ENOMEM. */
int print_path_parse(struct arena *arena, const char *text, const struct print_path **ret_path, struct err **err);

/* Adds what @path looks at; 0 or -ENOMEM. */
int print_path_want(struct arena *arena, struct kube_wanted *wanted, const struct print_path *path);

/* The first thing that is found, which may be null; *@ret_value is NULL for nothing, and for a path that does not fit
 * the object. 0 or -ENOMEM. */
int print_path_first(struct arena *arena, const struct print_path *path, const struct value *object,
                     const struct value **ret_value);

/* A cell of a CustomResourceDefinition's column. */
void print_custom_cell(struct print_row *row, const struct print_column *column);

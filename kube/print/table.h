/* Objects as a meta.k8s.io Table: what `kubectl get` asks for, with the columns and cells of kube-apiserver.
 *
 * A kind's columns are rows of a table (kube/print/column.h); so are a CustomResourceDefinition's, which are given at
 * run time with JSONPaths. A kind that nobody has columns for has Name and Created At.
 *
 * Objects come as the bytes that are stored and sent, one after the other, and rows go out into a growing text. Of an
 * object only the paths that its columns name are read (kube/project.h), all else is passed over: a tree of the whole
 * takes three times as long as the row, a struct binds the columns to types that are known when compiled. Memory is for
 * one object, whatever the length of the list.
 *
 *     struct print_table_writer t = { .columns = print_columns_of("", "v1", "Pod"), .now = now, .out = &w };
 *
 *     r = print_table_begin(&t, &head, &err);
 *     for (each pod, r == 0)
 *             r = print_table_row(&t, pod->json->data, pod->json->size, &err);
 *     r = print_table_end(&t);
 *
 * Between two rows the caller may take what is in @out away, so that a list goes on in pieces.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/types.h"

struct arena;
struct err;
struct json_writer;

/* The columns of a kind. */
struct print_columns;

/* Of Kubernetes' own kinds; never NULL. They are there for good. */
const struct print_columns *print_columns_of(const char *group, const char *version, const char *kind);

/* A column at run time: additionalPrinterColumns of a CustomResourceDefinition. */
struct print_definition {
        const char *name, *type, *format, *description; /* format and description may be NULL */
        const char *json_path;                          /* ".spec.replicas" */
        int32_t priority;
};

#define PRINT_DEFINITIONS_MAX 256
#define PRINT_JSON_PATH_MAX 4096 /* bytes */

/* Name, and @definitions behind it. 0; -EINVAL with *@err for a path that cannot be read; -E2BIG past a maximum; or
 * -ENOMEM. All texts are copied. */
int print_columns_new(const struct print_definition *definitions, size_t n, struct print_columns **ret_columns,
                      struct err **err);
struct print_columns *print_columns_free(struct print_columns *columns); /* NULL is fine; returns NULL */

enum print_include { PRINT_METADATA, PRINT_OBJECT, PRINT_NONE };

/* The parameter includeObject; "" is Metadata. False, which is 400 with print_include_error(), for another text. */
bool print_include_parse(const char *text, enum print_include *ret_include);

/* Sets *@err to kube-apiserver's words for an includeObject that is none; returns -EINVAL. */
int print_include_error(const char *text, struct err **err);

/* A list's metadata. Of a single object only its resourceVersion is given. */
struct print_head {
        const char *json;                    /* the whole of it, a map; NULL: what stands below */
        const char *resource_version, *next; /* next: metadata.continue; NULL or "": none */
        int64_t remaining;                   /* remainingItemCount; 0: none */
};

struct print_table_writer {
        const struct print_columns *columns;
        const char *version; /* of meta.k8s.io, "v1" or "v1beta1"; NULL: "v1" */
        enum print_include include;
        bool no_headers; /* columnDefinitions is null: in every event of a watch but the first */
        struct kube_time now;
        struct json_writer *out; /* with .go_escapes */

        /* The writer's; zeroed at first. */
        struct arena *kept, *arena; /* until the end; until the next row */
        struct kube_wanted *wanted;
        struct print_sorted *sorted;
        size_t count;
};

/* 0 or -ENOMEM. What fails in @out sticks there, and is told by print_table_end(). */
int print_table_begin(struct print_table_writer *table, const struct print_head *head, struct err **err);

/* An object's row. -EINVAL when @text is no JSON object, -E2BIG when it is nested too deep, -ENOMEM; what is in @out is
 * then not to be used. Rows of a kind that kube-apiserver sorts (flow schemas) are kept until the end. */
int print_table_row(struct print_table_writer *table, const char *text, size_t length, struct err **err);

/* The same where the version that is kept is not the one that is asked for: @text as it is kept, of whose version the
 * columns are, and @shown as the client wants it, which is what PRINT_OBJECT gives. */
int print_table_row_shown(struct print_table_writer *table, const char *text, size_t length, const char *shown,
                          size_t shown_length, struct err **err);

/* 0, or the error that stuck in @out. */
int print_table_end(struct print_table_writer *table);

void print_table_done(struct print_table_writer *table);
#define _cleanup_print_table_ __attribute__((cleanup(print_table_done)))

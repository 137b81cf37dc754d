/* What is wrong with an object: a list of errors and warnings, each with the field's path and its line.
 *
 * The wording is kube-apiserver's (`spec.containers[0].image: Required value`), so that what users know or search for
 * is what they read. Paths are found again in the value tree the object came from, which is where the lines are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct value;

/* More than these, and than half of them of warnings, are counted, not kept. */
#define PROBLEMS_MAX 64

/* The longest path of a field, with its NUL. */
#define FIELD_PATH_MAX 512

struct problem {
        bool warning;
        uint32_t line;     /* 0: not known */
        const char *text;  /* path and sentence */
        uint32_t n_path;   /* bytes of @text that are the path; behind them ": " */
        const char *in_go; /* what Go's reader says instead, without the path; NULL: the same */
};

struct problems {
        struct arena *arena;        /* holds the texts */
        const struct value *source; /* for lines; may be NULL */
        const char *file;           /* for problems_err(); may be NULL */
        struct problem items[PROBLEMS_MAX];
        uint32_t count;            /* kept */
        uint32_t errors, warnings; /* all */
};

/* @arena must live as long as @problems are read; @source only until the last is added. */
void problems_init(struct problems *problems, struct arena *arena, const char *file, const struct value *source);

/* Add an error or warning on field @path ("spec.containers[0].image"; "" for the whole object). */
void problem_error(struct problems *problems, const char *path, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void problem_warning(struct problems *problems, const char *path, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* An error with a sentence of any length. */
void problem_put(struct problems *problems, const char *path, const char *sentence);

/* As the two above, with the line known. */
void problem_add(struct problems *problems, bool warning, uint32_t line, const char *path, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/* What Go's reader says of the problem that was added last; the text lives as long as the problems. */
void problem_in_go(struct problems *problems, const char *sentence);

/* The errors as one: `FILE:LINE: TEXT; FILE:LINE: TEXT`. Returns 0 when there is none, else -EINVAL. */
int problems_err(const struct problems *problems, struct err **err);

/* The same of one problem, for a log line; returns @ret_text. */
const char *problem_format(const struct problems *problems, const struct problem *problem, char *ret_text, size_t size);

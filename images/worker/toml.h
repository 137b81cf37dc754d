/* Reading of TOML 1.0 as far as registry configuration uses it: tables, quoted and dotted keys, strings, booleans,
 * whole numbers, and lists of them. Dates, multi-line strings, inline tables and lists of tables are refused with their
 * line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

#define TOML_KEYS_MAX 8    /* parts of a key, its table's with it */
#define TOML_VALUES_MAX 64 /* items of a list */

struct toml_entry {
        const char *keys[TOML_KEYS_MAX]; /* the table's parts, then the key's */
        size_t n_keys;
        const char *values[TOML_VALUES_MAX]; /* lists within lists are flattened */
        size_t n_values;
        bool list, nested; /* it was a list; a list of lists */
        unsigned line;
};

/* Calls @each for every key; it returns 0, or a negative errno with *@err, which ends the reading. @text is
 * NUL-terminated. */
int toml_parse(const char *text, int (*each)(void *data, const struct toml_entry *entry, struct err **err), void *data,
               struct err **err);

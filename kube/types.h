/* The small types that Kubernetes' objects are made of, as C holds them.
 *
 * What Go has as a pointer to tell "not given" from zero is an enum tri, a struct opt_int or an object's pointer that
 * is NULL; strings that are not given are NULL. Zeroed memory is an object in which nothing is given.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/quantity.h"

enum tri { TRI_UNSET, TRI_FALSE, TRI_TRUE };

struct opt_int {
        int64_t value;
        bool set;
};

/* A list of @type; all have the layout of struct list. */
#define LIST_OF(type)                                                                                                  \
        struct {                                                                                                       \
                type *items;                                                                                           \
                uint32_t count;                                                                                        \
        }

struct list {
        void *items;
        uint32_t count;
};

/* Loops over @list, @item pointing to each in turn. An empty list's items may be NULL. */
#define list_for_each(item, list)                                                                                      \
        for (__typeof__((list)->items + 0) item = (list)->items, _end_##item = item ? item + (list)->count : item;     \
             item < _end_##item; item++)

typedef LIST_OF(const char *) string_list;
typedef LIST_OF(int64_t) int_list;

/* Maps are sorted by key, a key once. */
struct string_pair {
        const char *key, *value;
};
typedef LIST_OF(struct string_pair) string_map;

struct resource_amount {
        const char *name; /* "cpu", "memory", "hugepages-2Mi", "example.com/gpu" */
        struct quantity amount;
};
typedef LIST_OF(struct resource_amount) resource_list;

/* A port by number or by name. */
struct int_or_string {
        const char *text; /* NULL: @number counts */
        int32_t number;
        bool set; /* it was given */
};

struct opt_double {
        double value;
        bool set;
};

struct opt_quantity {
        struct quantity amount;
        bool set;
};

/* A point in time, UTC; of a micro time @nanoseconds are whole microseconds. */
struct kube_time {
        int64_t seconds; /* since 1970 */
        int32_t nanoseconds;
        bool set;
};

struct kube_bytes {
        const uint8_t *data; /* NULL: not given */
        uint32_t length;
};

/* Any JSON, as compact text. */
struct kube_raw {
        const char *text; /* ends with NUL; NULL: not given */
        uint32_t length;
};

/* Entries of the maps whose values are no objects; string_pair and resource_amount are the others. */
struct kube_bytes_entry {
        const char *key;
        struct kube_bytes value;
};
struct kube_raw_entry {
        const char *key;
        struct kube_raw value;
};
struct kube_time_entry {
        const char *key;
        struct kube_time value;
};
struct kube_strings_entry {
        const char *key;
        string_list value;
};

/* True when @text, which may be NULL, is @word: what names a choice ("restartPolicy: Never") is kept as text. */
bool kube_is(const char *text, const char *word);

/* True when one of @list, which may be NULL, is @text; an item that is NULL is "". */
bool kube_has(const string_list *list, const char *text);

/* The order of two struct string_pair in a map, for qsort(3). */
int kube_pair_order(const void *a, const void *b);

/* The value of @key; NULL when there is none. */
const char *string_map_get(const string_map *map, const char *key);

/* The amount of @name; NULL when there is none. */
const struct quantity *resource_get(const resource_list *list, const char *name);

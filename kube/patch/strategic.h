/* The parts of strategic merge patches: maps, lists, orders. For kube/patch alone.
 *
 * Go's implementation changes documents in place; where that shows in what it gives (the order of a list from which
 * items were deleted), the comment says so. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kube/patch/patch.h"
#include "kube/patch/schema.h"
#include "lib/value.h"
#include "lib/value_keys.h"

#define PATCH_DIRECTIVE "$patch"
#define PATCH_RETAIN_KEYS "$retainKeys"
#define PATCH_DELETE_FROM "$deleteFromPrimitiveList"
#define PATCH_SET_ORDER "$setElementOrder"

struct patch_work {
        struct arena *arena;
        struct err **err;
        bool combine; /* two patches become one: directives and nulls are kept. Else a patch goes into a document */
};

/* Scalars, or items by their merge key, so that equal ones are found. The texts are as good as the values; that of a
 * string is the string itself. */
struct patch_ids {
        struct value map; /* member i is item i, its key the text */
        struct value_keys keys;
};

void patch_ids_done(struct patch_ids *ids);
#define _cleanup_patch_ids_ __attribute__((cleanup(patch_ids_done)))

/* Of @list's items; @key NULL: the items themselves. An item that is no map or has no such member equals none. A list
 * or map cannot be compared: -PATCH_INCONSISTENT. */
int patch_identify(struct patch_work *w, const struct value *list, const char *key, struct patch_ids *ret_ids);

/* The text of item @i, and the first item of that text; VALUE_NONE: none. */
const char *patch_id(const struct patch_ids *ids, uint32_t i);
uint32_t patch_first(const struct patch_ids *ids, const char *id);

/* @patch merged into @map, of @schema. */
int patch_merge_maps(struct patch_work *w, const struct patch_schema *schema, const struct value *map,
                     const struct value *patch, struct value *ret_value);

/* A list after it was merged. */
struct patch_merged {
        struct value list;
        struct value server; /* what Go's array of the list looks like afterwards */
};

/* Two lists, of items of @field->below. @deleting: the patch names the scalars to delete. */
int patch_merge_lists(struct patch_work *w, const struct patch_field *field, const struct value *list,
                      const struct value *patch, bool deleting, struct patch_merged *ret_merged);

/* The list that "$setElementOrder" in a patch makes of @list and @patch (NULL: not there). */
int patch_order_lists(struct patch_work *w, const struct patch_field *field, const struct value *list,
                      const struct value *patch, const struct value *order, struct value *ret_value);

/* The order of items: those in @wanted come as they are there, the others as in @server. */
struct patch_order {
        const char *key; /* what names an item; NULL: itself */
        bool maps;
        const struct value *wanted, *server;
};

/* Puts @merged in @order, as much between each other as that says. */
int patch_put_in_order(struct patch_work *w, const struct patch_order *order, const struct value *merged,
                       struct value *ret_value);

/* Puts @list in @order; what is not in it, and what is to be deleted, as Go's sort leaves it. */
int patch_sort(struct patch_work *w, const char *key, bool maps, struct value *list, const struct value *order);

/* The kind of all items of both lists. */
int patch_common_kind(struct patch_work *w, const struct value *a, const struct value *b, enum value_kind *ret_kind);

/* Failures with Go's words. */
int patch_no_memory(struct patch_work *w);
int patch_inconsistent(struct patch_work *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
int patch_wrong_type(struct patch_work *w, const char *expected, const struct value *found);
int patch_no_merge_key(struct patch_work *w, const struct value *map, const char *key);
int patch_malformed(struct patch_work *w, const char *what);

/* Whether a and b are the same scalar: 1.0 and 1.00 are, 1 and 1.0 are not. */
bool patch_same(const struct value *a, const struct value *b);

bool patch_is_text(const struct value *value, const char *text);

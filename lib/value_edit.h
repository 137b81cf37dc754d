/* Changed trees: an edit begins with a tree, and ends with another that shares with it all that was not changed.
 *
 * The first tree stays as it is. Of what is changed only the lists and maps on the way are copied, each once in an edit
 * however often it is changed; everything else is shared, so the first tree, and all keys and values that are put in,
 * must live as long as the result, which is in the edit's arena. Depth is bounded by VALUE_DEPTH_MAX, and what an edit
 * takes from its arena by VALUE_EDIT_BYTES_MAX.
 *
 *     value_edit_begin(&edit, arena, pod);
 *     r = value_edit_set(&edit, "/metadata/labels/app", &(struct value)VALUE_TEXT("web"), err);
 *     changed = value_edit_end(&edit);
 */
#pragma once

#include <string.h>

#include "lib/value.h"

struct err;

#define VALUE_EDIT_BYTES_MAX ((size_t)64 << 20)

struct value_edit {
        struct arena *arena;
        struct value root;
        size_t bytes;
        int error; /* why the last that gave NULL did so: -E2BIG or -ENOMEM */
};

/* @root NULL: an empty map. */
void value_edit_begin(struct value_edit *edit, struct arena *arena, const struct value *root);

/* The changed tree; NULL without memory. Ends the edit. */
const struct value *value_edit_end(struct value_edit *edit);

/* By JSON pointer, which must be one (RFC 6901). They give 0, -EINVAL (no pointer), -ENOENT (nothing is there, or
 * something that has no such child), -E2BIG or -ENOMEM; then the tree is as good as before. */

/* Puts @value in the place of what is there; a member that is not there is added, with the maps above it. "-" is behind
 * the last item. */
int value_edit_set(struct value_edit *edit, const char *pointer, const struct value *value, struct err **err);

/* As set, but in front of the item that is there (RFC 6902, "add"). */
int value_edit_add(struct value_edit *edit, const char *pointer, const struct value *value, struct err **err);

int value_edit_remove(struct value_edit *edit, const char *pointer, struct err **err);

/* Below the pointers: what an edit may change is what these return and were given by these. A change of a list or map
 * makes pointers to its children useless. They give 0, -E2BIG or -ENOMEM. */

/* The root, to be changed; NULL: see value_edit.error. */
struct value *value_edit_root(struct value_edit *edit);

/* Item or member @at of @parent, which is to be changed itself; NULL: see value_edit.error. */
struct value *value_edit_child(struct value_edit *edit, struct value *parent, uint32_t at);

/* The place of @key in @map; VALUE_NONE of lib/value_keys.h: none. */
uint32_t value_edit_find(const struct value *map, const char *key);

/* Replaces the member, or adds it at the end. */
int value_edit_put(struct value_edit *edit, struct value *map, const char *key, const struct value *value);

/* @at may be the list's count. */
int value_edit_insert(struct value_edit *edit, struct value *list, uint32_t at, const struct value *value);

/* @ret_value, which may be NULL, gets what was there. */
void value_edit_take(struct value *parent, uint32_t at, struct value *ret_value);

/* Makes @value, which is part of the edit, safe to be put in a second time: changes of either copy it from now on. */
void value_edit_share(struct value *value);

/* Values of one's own, which point to what they were made from. */
#define VALUE_TEXT(text_)                                                                                              \
        { .kind = VALUE_STRING, .count = (uint32_t)strlen(text_), .text = (text_) }
#define VALUE_INTEGER(integer_)                                                                                        \
        { .kind = VALUE_INT, .integer = (integer_) }
#define VALUE_EMPTY(kind_)                                                                                             \
        { .kind = (kind_) }

/* Places in a document that a JSON patch works on. One is found without a change to the document, which is made the
 * patch's own on the way there only when something changes in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/value_edit.h"
#include "lib/value_keys.h"

#define PATCH_MISSING "missing value" /* Go's words */

struct err;

/* A patch at work. */
struct patching {
        struct value_edit edit;
        size_t copied;  /* bytes, by "copy" */
        uint64_t steps; /* values that were looked at or moved */
        struct err **err;
};

/* Where a path ends: the last list or map on it, and the token that names what is in there. */
struct patch_place {
        const struct value *parent; /* NULL: the path leads nowhere */
        const char *token;
        uint32_t on_the_way[VALUE_DEPTH_MAX]; /* of the root's children, theirs, ... */
        uint32_t depth;
};

/* Lists and maps are. */
bool patch_is_parent(const struct value *value);

/* 0, whether there is such a place or not; -PATCH_TOO_LARGE after PATCH_STEPS_MAX values, -ENOMEM. */
int patch_place_find(struct patching *p, const char *path, struct patch_place *ret_place);

/* Which of its parent's children it is: VALUE_NONE for a member that is not there; false, with Go's words (NULL without
 * memory), for an item that is not. */
bool patch_place_at(struct patching *p, const struct patch_place *place, uint32_t *ret_at, const char **ret_why);

/* NULL for VALUE_NONE. */
const struct value *patch_child(const struct value *parent, uint32_t at);

/* Whether @value may stand there: 0, or -PATCH_TOO_LARGE. */
int patch_place_check(struct patching *p, const struct value *value, const struct patch_place *place);

/* The parent at @place, to be changed. */
int patch_place_own(struct patching *p, const struct patch_place *place, struct value **ret_parent);

/* Puts @value to @place. *@ret_why gets Go's words when the token is no place there, else NULL. */
int patch_place_put(struct patching *p, const struct patch_place *place, const struct value *value,
                    const char **ret_why);

/* Takes what is at @place away, to *@ret_value where that is not NULL. *@ret_why as above. */
int patch_place_take(struct patching *p, const struct patch_place *place, struct value *ret_value,
                     const char **ret_why);

/* What a change of the tree failed with, as the patch's error. */
int patch_place_failed(struct patching *p, int error);
int patch_place_no_memory(struct patching *p);

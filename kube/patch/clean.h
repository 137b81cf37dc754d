/* A value of a patch as it goes into a document that has nothing there. */
#pragma once

#include <stdbool.h>

struct arena;
struct value;

enum {
        PATCH_CLEAN_NULLS = 1 << 0,      /* members that are null go, also within lists; items stay */
        PATCH_CLEAN_DIRECTIVES = 1 << 1, /* maps with "$patch" go */
};

/* @value without what @what says, as a new tree where there is any of it, and itself where not. *@ret_gone is true when
 * nothing of it stays. 0 or -ENOMEM. */
int patch_clean(struct arena *arena, const struct value *value, unsigned what, struct value *ret_value, bool *ret_gone);

/* The parts of what makes strategic merge patches. For kube/patch alone. */
#pragma once

#include "kube/patch/strategic.h"

struct patch_diff {
        struct patch_work work;
        bool no_order;     /* no $setElementOrder */
        bool no_changes;   /* deletions alone */
        bool no_deletions; /* changes and additions alone */
};

/* The patch from @original to @modified, maps of @schema; empty when they are alike. @retain: it says $retainKeys. */
int patch_diff_maps(struct patch_diff *d, const struct patch_schema *schema, const struct value *original,
                    const struct value *modified, bool retain, struct value *ret_patch);

/* Of two merged lists. Lists that are empty are not in the patch. */
struct patch_list_diff {
        struct value changes;   /* also deletions, of maps */
        struct value deletions; /* of scalars */
        struct value order;
};

int patch_diff_lists(struct patch_diff *d, const struct patch_field *field, const struct value *original,
                     const struct value *modified, struct patch_list_diff *ret_diff);

/* Whether two patches, of maps of @schema, want something different of the same field. */
int patch_in_conflict(struct patch_work *w, const struct patch_schema *schema, const struct value *a,
                      const struct value *b, bool *ret_conflict);

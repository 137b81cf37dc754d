/* Whether two strategic merge patches want something different of the same field. */
#include <string.h>

#include "kube/patch/diff.h"

static int in_conflict(struct patch_work *w, const struct patch_field *field, const struct value *a,
                       const struct value *b, bool *ret_conflict);

static int members_in_conflict(struct patch_work *w, const struct patch_schema *schema, const struct value *a,
                               const struct value *b, bool *ret_conflict) {
        _cleanup_value_keys_ struct value_keys keys = { 0 };

        *ret_conflict = false;
        value_keys_init(&keys, b);
        for (uint32_t i = 0; i < a->count && !*ret_conflict; i++) {
                const struct value_member *member = &a->members[i];
                bool list = member->value.kind == VALUE_LIST, parent = list || member->value.kind == VALUE_MAP;
                uint32_t at = value_keys_find(&keys, member->key);
                struct patch_field field = { 0 };
                int r = 0;

                if (at == VALUE_NONE || strcmp(member->key, PATCH_DIRECTIVE) == 0 ||
                    strcmp(member->key, PATCH_RETAIN_KEYS) == 0)
                        continue;
                if (parent)
                        r = patch_lookup(schema, member->key, list, &field, w->err);
                if (r >= 0)
                        r = in_conflict(w, &field, &member->value, &b->members[at].value, ret_conflict);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int maps_in_conflict(struct patch_work *w, const struct patch_field *field, const struct value *a,
                            const struct value *b, bool *ret_conflict) {
        const struct value *x = value_get(a, PATCH_DIRECTIVE), *y = value_get(b, PATCH_DIRECTIVE);

        *ret_conflict = (x || y) && !value_equal(x, y);
        if (*ret_conflict || field->replace)
                return 0;
        return members_in_conflict(w, &field->below, a, b, ret_conflict);
}

/* Items of one merge key may contradict each other. */
static int items_in_conflict(struct patch_work *w, const struct patch_field *field, const struct value *a,
                             const struct value *b, bool *ret_conflict) {
        const struct patch_field item = { .below = field->below };
        _cleanup_patch_ids_ struct patch_ids x = { 0 }, y = { 0 };
        int r = patch_identify(w, a, field->merge_key, &x);

        *ret_conflict = false;
        if (r < 0 || (r = patch_identify(w, b, field->merge_key, &y)) < 0)
                return r;
        for (uint32_t i = 0; r >= 0 && i < a->count && !*ret_conflict; i++) {
                uint32_t at = patch_first(&y, patch_id(&x, i));

                if (!value_get(&a->items[i], field->merge_key ?: ""))
                        return patch_no_merge_key(w, &a->items[i], field->merge_key);
                if (at != VALUE_NONE)
                        r = in_conflict(w, &item, &a->items[i], &b->items[at], ret_conflict);
        }
        return r;
}

/* Scalars that are not merged conflict where they are not the same, in whatever order. */
static int scalars_in_conflict(struct patch_work *w, const struct value *a, const struct value *b, bool *ret_conflict) {
        _cleanup_patch_ids_ struct patch_ids x = { 0 }, y = { 0 };
        int r = patch_identify(w, a, NULL, &x);

        *ret_conflict = false;
        if (r < 0 || (r = patch_identify(w, b, NULL, &y)) < 0)
                return r;
        for (uint32_t i = 0; i < a->count && !*ret_conflict; i++)
                *ret_conflict = patch_first(&y, patch_id(&x, i)) == VALUE_NONE;
        return r;
}

static int lists_in_conflict(struct patch_work *w, const struct patch_field *field, const struct value *a,
                             const struct value *b, bool *ret_conflict) {
        const struct patch_field item = { .below = field->below };
        enum value_kind kind;
        int r = patch_common_kind(w, a, b, &kind);

        if (r < 0)
                return r;
        *ret_conflict = false;
        if (field->merge)
                return kind == VALUE_MAP ? items_in_conflict(w, field, a, b, ret_conflict) : 0;
        *ret_conflict = a->count != b->count;
        if (*ret_conflict)
                return 0;
        if (kind != VALUE_MAP)
                return scalars_in_conflict(w, a, b, ret_conflict);
        for (uint32_t i = 0; r >= 0 && i < a->count && !*ret_conflict; i++)
                r = in_conflict(w, &item, &a->items[i], &b->items[i], ret_conflict);
        return r;
}

static int in_conflict(struct patch_work *w, const struct patch_field *field, const struct value *a,
                       const struct value *b, bool *ret_conflict) {
        *ret_conflict = true;
        if (a->kind == VALUE_MAP)
                return b->kind == VALUE_MAP ? maps_in_conflict(w, field, a, b, ret_conflict) : 0;
        if (a->kind == VALUE_LIST)
                return b->kind == VALUE_LIST ? lists_in_conflict(w, field, a, b, ret_conflict) : 0;
        *ret_conflict = !patch_same(a, b);
        return 0;
}

int patch_in_conflict(struct patch_work *w, const struct patch_schema *schema, const struct value *a,
                      const struct value *b, bool *ret_conflict) {
        const struct patch_field whole = { .below = *schema };

        return maps_in_conflict(w, &whole, a, b, ret_conflict);
}

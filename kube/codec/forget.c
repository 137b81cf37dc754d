/* What protobuf does not tell apart, in trees. */
#include <errno.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/type.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static const struct value nothing = { .kind = VALUE_NULL }, no_bytes = VALUE_TEXT("");

/* A value of a type: what a field is, or an entry of one that is a map. */
struct spot {
        const struct kube_field *field;
        bool entry;
};

static bool is_many(const struct spot *spot) {
        return spot->entry ? spot->field->form == KUBE_MAP_OF_LISTS : spot->field->form >= KUBE_LIST;
}

/* What it is instead of @value; NULL: what it is. */
static const struct value *instead(const struct spot *spot, const struct value *value) {
        bool written = spot->entry || spot->field->flags & KUBE_ALWAYS; /* what is left out when empty needs nothing */

        if (spot->entry && !is_many(spot) && spot->field->element == KUBE_BYTES && value_is_null(value))
                return &no_bytes;
        if (is_many(spot) && written && (value_is(value, VALUE_LIST) || value_is(value, VALUE_MAP)) &&
            value_count(value) == 0)
                return &nothing;
        return NULL;
}

/* The spot of item or member @i of @value, which is of @type or, where that is NULL, at @spot; false: nothing is known
 * of it. */
static bool below(const struct kube_type *type, const struct spot *spot, const struct value *value, uint32_t i,
                  struct spot *ret_spot) {
        if (type) {
                const char *key = value->members[i].key;

                *ret_spot = (struct spot){ kube_type_field(type, key, strlen(key)), false };
                return ret_spot->field;
        }
        *ret_spot = (struct spot){ spot->field, true };
        return value_is(value, VALUE_MAP) && !spot->entry && spot->field->form >= KUBE_MAP;
}

/* The type of what is at @spot, where it is one object; NULL: it is something else. */
static const struct kube_type *type_at(const struct spot *spot) {
        return spot->field->element == KUBE_OBJECT && !is_many(spot) && !(spot->field->type->flags & KUBE_EITHER) ?
                       spot->field->type :
                       NULL;
}

static const struct kube_type *item_type(const struct spot *spot) {
        return spot && !spot->entry && spot->field->form == KUBE_LIST && spot->field->element == KUBE_OBJECT ?
                       spot->field->type :
                       NULL;
}

static bool has_any(const struct kube_type *type, const struct spot *spot, const struct value *value);

/* Whether there is anything to forget in item or member @i. */
static bool has_in(const struct kube_type *type, const struct spot *spot, const struct value *value, uint32_t i) {
        struct spot next;

        if (value_is(value, VALUE_LIST))
                return item_type(spot) && has_any(item_type(spot), NULL, &value->items[i]);
        return below(type, spot, value, i, &next) &&
               (instead(&next, &value->members[i].value) || has_any(type_at(&next), &next, &value->members[i].value));
}

static bool has_any(const struct kube_type *type, const struct spot *spot, const struct value *value) {
        if (!value_is(value, VALUE_MAP) && !(value_is(value, VALUE_LIST) && !type))
                return false;
        for (uint32_t i = 0; i < value->count; i++)
                if (has_in(type, spot, value, i))
                        return true;
        return false;
}

static int forget(struct value_edit *edit, const struct kube_type *type, const struct spot *spot, struct value *value) {
        int error = 0;

        for (uint32_t i = 0; error == 0 && i < value->count; i++) {
                const struct value *other = NULL;
                struct spot next = { 0 };
                struct value *child;

                if (!has_in(type, spot, value, i))
                        continue;
                if (value_is(value, VALUE_MAP) && below(type, spot, value, i, &next))
                        other = instead(&next, &value->members[i].value);
                child = value_edit_child(edit, value, i);
                if (!child)
                        return edit->error;
                if (other)
                        *child = *other;
                else if (next.field)
                        error = forget(edit, type_at(&next), &next, child);
                else
                        error = forget(edit, item_type(spot), NULL, child);
        }
        return error;
}

int kube_value_forget(struct arena *arena, const struct kube_type *type, const struct value *tree,
                      const struct value **ret_tree) {
        struct value_edit edit;
        struct value *root;
        int error;

        *ret_tree = tree;
        if (!(type->flags & KUBE_MESSAGE) || !has_any(type, NULL, tree))
                return 0;
        value_edit_begin(&edit, arena, tree);
        root = value_edit_root(&edit);
        error = root ? forget(&edit, type, NULL, root) : edit.error;
        *ret_tree = value_edit_end(&edit);
        return error ?: *ret_tree ? 0 : -ENOMEM;
}

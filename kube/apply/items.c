#include "kube/apply/items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/apply/schema.h"
#include "kube/apply/text.h"
#include "lib/arena.h"
#include "lib/go_text.h"
#include "lib/json.h"

/* What a key is that an item does not give: the schema's default; of a field that Go always writes, its zero. */
static int key_default(struct arena *arena, const struct apply_atom *element, const char *key,
                       const struct value **ret_value) {
        static const struct value empty = { .kind = VALUE_STRING, .text = "" }, zero = { .kind = VALUE_INT };
        static const struct value no = { .kind = VALUE_BOOL };
        const struct kube_field *field = kube_type_field(element->type, key, strlen(key));

        *ret_value = NULL;
        if (!field)
                return 0;
        if (field->fallback)
                return json_parse(arena, field->fallback, strlen(field->fallback), NULL, ret_value, NULL) == -ENOMEM ?
                               -ENOMEM :
                               0;
        if (field->form != KUBE_ONE || !(field->flags & KUBE_ALWAYS))
                return 0;
        if (field->element == KUBE_STRING)
                *ret_value = &empty;
        else if (field->element == KUBE_INT32 || field->element == KUBE_INT64)
                *ret_value = &zero;
        else if (field->element == KUBE_BOOL)
                *ret_value = &no;
        return 0;
}

static const char *no_keys(struct arena *arena, const char *const *keys) {
        const char *text = "associative list with keys has an element that omits all key fields [";

        for (uint32_t i = 0; keys[i]; i++) {
                const char *name = go_text_quote(arena, keys[i]);

                text = name ? apply_append(arena, text, "%s%s", i > 0 ? " " : "", name) : NULL;
        }
        return apply_append(arena, text, "] (and doesn't have default values for any key fields)");
}

static void insert_key(struct apply_key *key, const char *name, const struct value *value) {
        uint32_t at = key->count++;

        for (; at > 0 && strcmp(key->fields[at - 1].key, name) > 0; at--)
                key->fields[at] = key->fields[at - 1];
        key->fields[at] = (struct value_member){ .key = name, .value = *value };
}

static int keyed_step(struct arena *arena, const struct apply_atom *atom, const struct value *item,
                      struct apply_item_step *ret) {
        struct apply_atom element = apply_atom_of(&atom->items);
        struct apply_key *key;
        uint32_t n = 0;

        while (atom->keys[n])
                n++;
        key = arena_alloc(arena, sizeof(*key) + n * sizeof(key->fields[0]));
        if (!key)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
                const struct value *value = value_get(item, atom->keys[i]);

                if (!value && !(element.shapes & APPLY_MAP)) {
                        ret->problem = arena_printf(arena,
                                                    "couldn't find default value for %s: associative list may not have "
                                                    "non-map types",
                                                    atom->keys[i]);
                        return ret->problem ? 0 : -ENOMEM;
                }
                if (!value && element.type && key_default(arena, &element, atom->keys[i], &value) < 0)
                        return -ENOMEM;
                if (value)
                        insert_key(key, atom->keys[i], value);
        }
        if (n > 0 && key->count == 0) {
                ret->problem = no_keys(arena, atom->keys);
                return ret->problem ? 0 : -ENOMEM;
        }
        ret->step = (struct apply_step){ .kind = APPLY_STEP_KEY, .key = key };
        return 0;
}

int apply_item_step(struct arena *arena, const struct apply_atom *atom, const struct value *item,
                    struct apply_item_step *ret_step) {
        *ret_step = (struct apply_item_step){ .step = { .kind = APPLY_STEP_VALUE, .value = item } };
        if (atom->keys && item->kind == VALUE_NULL)
                ret_step->problem = "associative list with keys may not have a null element";
        else if (atom->keys && item->kind != VALUE_MAP)
                ret_step->problem = "associative list with keys may not have non-map elements";
        else if (atom->keys)
                return keyed_step(arena, atom, item, ret_step);
        else if (item->kind == VALUE_MAP)
                ret_step->problem = "associative list without keys has an element that's a map type";
        else if (item->kind == VALUE_LIST)
                ret_step->problem = "not supported: associative list with lists as elements";
        else if (item->kind == VALUE_NULL)
                ret_step->problem = "associative list without keys has an element that's an explicit null";
        return 0;
}

static int by_step(const void *a, const void *b, void *data) {
        const struct apply_items *items = data;
        const uint32_t *i = a, *j = b;
        int order = apply_step_compare(&items->steps[*i], &items->steps[*j]);

        return order ? order : (*i > *j) - (*i < *j);
}

int apply_items_of(struct arena *arena, const struct apply_atom *atom, const struct value *list,
                   struct apply_items *ret_items) {
        struct apply_items items = { .list = list };
        const uint32_t n = value_is(list, VALUE_LIST) ? list->count : 0;
        bool sorted = true;

        *ret_items = items;
        if (n == 0)
                return 0;
        items.steps = arena_alloc_array(arena, n, sizeof(*items.steps));
        items.order = arena_alloc_array(arena, n, sizeof(*items.order));
        if (!items.steps || !items.order)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
                struct apply_item_step step;

                if (apply_item_step(arena, atom, &list->items[i], &step) < 0)
                        return -ENOMEM;
                items.steps[i] = step.step;
                if (step.problem)
                        continue;
                if (items.count > 0 && apply_step_compare(&items.steps[items.order[items.count - 1]], &step.step) > 0)
                        sorted = false;
                items.order[items.count++] = i;
        }
        if (!sorted)
                qsort_r(items.order, items.count, sizeof(*items.order), by_step, &items);
        *ret_items = items;
        return 0;
}

uint32_t apply_items_find(const struct apply_items *items, const struct apply_step *step, uint32_t *ret_count) {
        uint32_t low = 0, high = items->count, n = 0;

        while (low < high) {
                uint32_t middle = low + (high - low) / 2;

                if (apply_step_compare(&items->steps[items->order[middle]], step) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        while (low + n < items->count && (n == 0 || ret_count) &&
               apply_step_compare(&items->steps[items->order[low + n]], step) == 0)
                n++;
        if (ret_count)
                *ret_count = n;
        return n > 0 ? items->order[low] : APPLY_NO_ITEM;
}

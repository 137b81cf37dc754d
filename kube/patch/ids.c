/* What scalars, and items of lists by their merge keys, are compared by; and the words of what can go wrong. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kube/patch/go_text.h"
#include "kube/patch/strategic.h"
#include "lib/arena.h"
#include "lib/err.h"

int patch_no_memory(struct patch_work *w) {
        return err_set(w->err, ENOMEM, "out of memory");
}

int patch_inconsistent(struct patch_work *w, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = err_setv(w->err, PATCH_INCONSISTENT, format, ap);
        va_end(ap);
        return r;
}

int patch_wrong_type(struct patch_work *w, const char *expected, const struct value *found) {
        return patch_inconsistent(w, "expected a %s, but received a %s", expected, patch_type_text(found));
}

int patch_no_merge_key(struct patch_work *w, const struct value *map, const char *key) {
        return patch_inconsistent(w, "map: %s does not contain declared merge key: %s", patch_text(w->arena, map) ?: "",
                                  key ?: "");
}

int patch_malformed(struct patch_work *w, const char *what) {
        return err_set(w->err, PATCH_MALFORMED, "invalid patch format of %s", what);
}

bool patch_same(const struct value *a, const struct value *b) {
        double x, y;

        if (value_is(a, VALUE_NUMBER) && value_is(b, VALUE_NUMBER))
                return value_double(a, &x) && value_double(b, &y) && x == y;
        return value_equal(a, b);
}

bool patch_is_text(const struct value *value, const char *text) {
        return value_is(value, VALUE_STRING) && strcmp(value->text, text) == 0;
}

/* A string is its own text. All else begins with a byte that no UTF-8 has: 1 is not "1". */
#define NO_ID "\xff"

static const char *id_of(struct patch_work *w, const struct value *value) {
        double number;

        switch ((enum value_kind)value->kind) {
        case VALUE_STRING:
                return value->text;
        case VALUE_INT:
                return arena_printf(w->arena, NO_ID "i%" PRId64, value->integer);
        case VALUE_NUMBER:
                return value_double(value, &number) ? arena_printf(w->arena, NO_ID "%a", number) : NULL;
        case VALUE_BOOL:
                return value->boolean ? NO_ID "true" : NO_ID "false";
        default:
                return NO_ID "null";
        }
}

void patch_ids_done(struct patch_ids *ids) {
        value_keys_done(&ids->keys);
}

int patch_identify(struct patch_work *w, const struct value *list, const char *key, struct patch_ids *ret_ids) {
        uint32_t n = value_count(list);
        struct value_member *members = arena_alloc_array(w->arena, n, sizeof(*members));

        if (!members)
                return patch_no_memory(w);
        for (uint32_t i = 0; i < n; i++) {
                const struct value *value = key ? value_get(&list->items[i], key) : &list->items[i];

                members[i].key = NO_ID;
                if (!value)
                        continue;
                if (value->kind == VALUE_MAP || value->kind == VALUE_LIST)
                        return patch_inconsistent(w, "%s cannot be compared: %s", key ?: "an item",
                                                  patch_text(w->arena, value) ?: "");
                members[i].key = id_of(w, value);
                if (!members[i].key)
                        return patch_no_memory(w);
        }
        ret_ids->map = (struct value){ .kind = VALUE_MAP, .count = n, .members = members };
        value_keys_init(&ret_ids->keys, &ret_ids->map);
        return 0;
}

const char *patch_id(const struct patch_ids *ids, uint32_t i) {
        return ids->map.members[i].key;
}

uint32_t patch_first(const struct patch_ids *ids, const char *id) {
        return strcmp(id, NO_ID) == 0 ? VALUE_NONE : value_keys_find(&ids->keys, id);
}

int patch_common_kind(struct patch_work *w, const struct value *a, const struct value *b, enum value_kind *ret_kind) {
        const struct value *lists[] = { a, b }, *first = NULL;

        for (int l = 0; l < 2; l++)
                for (uint32_t i = 0; i < value_count(lists[l]); i++) {
                        const struct value *item = &lists[l]->items[i];

                        if (!first && item->kind == VALUE_LIST)
                                return err_set(w->err, PATCH_UNFIT, "lists of lists are not supported");
                        if (item->kind == VALUE_NULL || (first && item->kind != first->kind))
                                return patch_inconsistent(w, "list element types are not identical: [%s %s]",
                                                          patch_text(w->arena, a) ?: "",
                                                          b ? patch_text(w->arena, b) ?: "" : "");
                        first = item;
                }
        if (!first)
                return patch_inconsistent(w, "no elements in any of the given slices");
        *ret_kind = (enum value_kind)first->kind;
        return 0;
}

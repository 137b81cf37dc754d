#include "api/defaults/defaults.h"

#include <errno.h>
#include <string.h>

#include "api/defaults/table.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/value_edit.h"

struct walk {
        struct arena *arena;
        struct value_edit edit;
};

/* Whether the full name of a type ends with @end, behind a dot. */
static bool is_type(const struct kube_type *type, const char *end) {
        size_t n = strlen(type->name), m = strlen(end);

        return n > m && type->name[n - m - 1] == '.' && strcmp(type->name + n - m, end) == 0;
}

/* The rows of a type stand together in the table. */
static size_t first_row(const struct kube_type *type) {
        size_t i = 0;

        while (i < defaults_table_count && !is_type(type, defaults_table[i].type))
                i++;
        return i;
}

static int value_of(struct walk *w, const struct defaults_row *row, const struct value *object,
                    const struct value **ret_value) {
        *ret_value = row->make ? row->make(w->arena, object) : NULL;
        if (!row->json || (row->make && !*ret_value))
                return 0;
        return json_parse(w->arena, row->json, strlen(row->json), NULL, ret_value, NULL);
}

static int set_rows(struct walk *w, const struct kube_type *type, const struct kube_type *above, struct value *object) {
        for (size_t i = first_row(type); i < defaults_table_count && is_type(type, defaults_table[i].type); i++) {
                const struct defaults_row *row = &defaults_table[i];
                const struct value *value = NULL, *given = value_get(object, row->field);
                int r;

                if (row->above && !(above && is_type(above, row->above)))
                        continue;
                if (!value_is_null(given) && !(value_is(given, VALUE_STRING) && given->count == 0))
                        continue;
                r = value_of(w, row, object, &value);
                if (r == 0 && value)
                        r = value_edit_put(&w->edit, object, row->field, value);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int walk_object(struct walk *w, const struct kube_type *type, const struct kube_type *above,
                       struct value *object);

static int walk_children(struct walk *w, const struct kube_type *type, const struct kube_type *above,
                         struct value *parent) {
        for (uint32_t i = 0; i < value_count(parent); i++) {
                struct value *child = value_edit_child(&w->edit, parent, i);
                int r = child ? walk_object(w, type, above, child) : w->edit.error;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int walk_field(struct walk *w, const struct kube_field *field, const struct kube_type *above,
                      struct value *object, uint32_t at) {
        struct value *child = value_edit_child(&w->edit, object, at);

        if (!child)
                return w->edit.error;
        switch (field->form) {
        case KUBE_ONE:
        case KUBE_OPTIONAL:
                return walk_object(w, field->type, above, child);
        case KUBE_LIST:
                return value_is(child, VALUE_LIST) ? walk_children(w, field->type, above, child) : 0;
        case KUBE_MAP:
                return value_is(child, VALUE_MAP) ? walk_children(w, field->type, above, child) : 0;
        default:
                return 0;
        }
}

/* Rows first: what they add has defaults of its own. */
static int walk_object(struct walk *w, const struct kube_type *type, const struct kube_type *above,
                       struct value *object) {
        int r = value_is(object, VALUE_MAP) ? set_rows(w, type, above, object) : 0;

        for (uint32_t i = 0; r == 0 && value_is(object, VALUE_MAP) && i < value_count(object); i++) {
                const char *key = object->members[i].key;
                const struct kube_field *field = kube_type_field(type, key, strlen(key));

                if (field && field->element == KUBE_OBJECT && strcmp(key, "metadata") != 0 && strcmp(key, "status") != 0)
                        r = walk_field(w, field, type, object, i);
        }
        return r;
}

int defaults_set(struct arena *arena, const struct kube_type *type, const struct value *tree,
                 const struct value **ret_tree) {
        struct walk w = { .arena = arena };
        struct value *root;
        int r;

        value_edit_begin(&w.edit, arena, tree);
        root = value_edit_root(&w.edit);
        r = root ? walk_object(&w, type, NULL, root) : w.edit.error;
        *ret_tree = value_edit_end(&w.edit);
        return r ?: *ret_tree ? 0 : -ENOMEM;
}

/* Whether a value fits its schema, in structured-merge-diff's words (typed/validate.go). */
#include <errno.h>

#include "kube/apply/apply.h"
#include "kube/apply/items.h"
#include "kube/apply/text.h"
#include "kube/apply/typed.h"
#include "kube/patch/go_text.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/go_text.h"

#define ERRORS_SHOWN 64 /* a text holds fewer */

/* The way to a value, from its end. */
struct way {
        const struct way *up; /* NULL: the root, without a step */
        const struct apply_step *step;
};

struct validation {
        struct arena *arena;
        bool duplicates, failed;
        uint32_t count;
        const char *first, *all;
};

static const char *way_text(struct arena *arena, const struct way *way) {
        const char *above, *step;

        if (!way || !way->step)
                return "";
        above = way_text(arena, way->up);
        step = apply_step_text(arena, way->step);
        return above && step ? apply_append(arena, above, "%s", step) : NULL;
}

static void complain(struct validation *v, const struct way *way, const char *message) {
        const char *place;

        if (v->count++ >= ERRORS_SHOWN)
                return;
        place = way_text(v->arena, way);
        if (place && message)
                v->first = *place ? arena_printf(v->arena, "%s: %s", place, message) : message;
        v->all = apply_append(v->arena, v->all, "\n  %s", v->first);
        v->failed |= !place || !message || !v->first || !v->all;
}

/* "%#v" of a value in Go. */
static const char *go_syntax(struct arena *arena, const struct value *value) {
        const char *text, *part;

        switch (value->kind) {
        case VALUE_STRING:
                return go_text_quote(arena, value->text);
        case VALUE_NULL:
                return "interface {}(nil)";
        case VALUE_LIST:
                text = "[]interface {}{";
                for (uint32_t i = 0; i < value->count && text; i++) {
                        part = go_syntax(arena, &value->items[i]);
                        text = part ? apply_append(arena, text, "%s%s", i > 0 ? ", " : "", part) : NULL;
                }
                return apply_append(arena, text, "}");
        case VALUE_MAP:
                text = "map[string]interface {}{";
                for (uint32_t i = 0; i < value->count && text; i++) {
                        const char *key = go_text_quote(arena, value->members[i].key);

                        part = go_syntax(arena, &value->members[i].value);
                        text = part && key ? apply_append(arena, text, "%s%s:%s", i > 0 ? ", " : "", key, part) : NULL;
                }
                return apply_append(arena, text, "}");
        default:
                return patch_scalar_text(arena, value);
        }
}

static void expected(struct validation *v, const struct way *way, const char *what, const struct value *value) {
        const char *text = patch_text(v->arena, value);

        complain(v, way, text ? arena_printf(v->arena, "expected %s, got &{%s}", what, text) : NULL);
}

static void check_scalar(struct validation *v, const struct way *way, uint8_t scalar, const struct value *value) {
        const bool number = value->kind == VALUE_INT || value->kind == VALUE_NUMBER;
        const char *text;

        if (value->kind == VALUE_NULL)
                return;
        switch (scalar) {
        case APPLY_NUMERIC:
                if (!number)
                        complain(v, way,
                                 arena_printf(v->arena, "expected numeric (int or float), got %s",
                                              patch_type_text(value)));
                break;
        case APPLY_STRING:
                if (value->kind == VALUE_STRING)
                        break;
                text = go_syntax(v->arena, value);
                complain(
                        v, way,
                        text ? arena_printf(v->arena, "expected string, got &value.valueUnstructured{Value:%s}", text) :
                               NULL);
                break;
        case APPLY_BOOLEAN:
                if (value->kind != VALUE_BOOL)
                        expected(v, way, "boolean", value);
                break;
        default:
                if (value->kind == VALUE_LIST || value->kind == VALUE_MAP)
                        expected(v, way, "any scalar", value);
                break;
        }
}

static void check(struct validation *v, const struct way *way, const struct apply_place *place,
                  const struct value *value);

/* True when item @i has a step that an item before it has too. */
static bool is_repeated(const struct apply_items *items, uint32_t i) {
        return apply_items_find(items, &items->steps[i], NULL) < i;
}

static void check_items(struct validation *v, const struct way *way, const struct apply_atom *atom,
                        const struct value *list) {
        struct apply_items items;

        if (apply_items_of(v->arena, atom, list, &items) < 0) {
                v->failed = true;
                return;
        }
        for (uint32_t i = 0; i < list->count && !v->failed; i++) {
                const struct way below = { way, &items.steps[i] };
                struct apply_item_step step;

                if (apply_item_step(v->arena, atom, &list->items[i], &step) < 0) {
                        v->failed = true;
                        return;
                }
                if (step.problem) {
                        complain(v, way, arena_printf(v->arena, "element %u: %s", i, step.problem));
                        return;
                }
                if (!v->duplicates && is_repeated(&items, i)) {
                        const char *text = apply_step_text(v->arena, &items.steps[i]);

                        complain(v, way, text ? arena_printf(v->arena, "duplicate entries for key %s", text) : NULL);
                }
                check(v, &below, &atom->items, &list->items[i]);
        }
}

static void check_list(struct validation *v, const struct way *way, const struct apply_atom *atom,
                       const struct value *value) {
        if (value->kind == VALUE_NULL)
                return;
        if (value->kind != VALUE_LIST) {
                expected(v, way, "list", value);
                return;
        }
        if (!atom->whole_list) {
                check_items(v, way, atom, value);
                return;
        }
        for (uint32_t i = 0; i < value->count && !v->failed; i++) {
                const struct apply_step step = { .kind = APPLY_STEP_INDEX, .index = i };
                const struct way below = { way, &step };

                check(v, &below, &atom->items, &value->items[i]);
        }
}

static void check_map(struct validation *v, const struct way *way, const struct apply_atom *atom,
                      const struct value *value) {
        if (value->kind == VALUE_NULL)
                return;
        if (value->kind != VALUE_MAP) {
                expected(v, way, "map", value);
                return;
        }
        for (uint32_t i = 0; i < value->count && !v->failed; i++) {
                const struct value_member *member = &value->members[i];
                const struct apply_step step = { .kind = APPLY_STEP_FIELD, .name = member->key };
                const struct apply_place place = apply_member(atom, member->key, NULL);
                const struct way below = { way, &step };

                if (place.kind == APPLY_PLACE_NONE) {
                        complain(v, &below, "field not declared in schema");
                        return;
                }
                check(v, &below, &place, &member->value);
        }
}

static void check(struct validation *v, const struct way *way, const struct apply_place *place,
                  const struct value *value) {
        const struct apply_atom atom = apply_atom_of(place);

        switch (apply_shape(apply_shapes_of(&atom, value))) {
        case APPLY_MAP:
                check_map(v, way, &atom, value);
                break;
        case APPLY_SCALAR:
                check_scalar(v, way, atom.scalar, value);
                break;
        case APPLY_LIST:
                check_list(v, way, &atom, value);
                break;
        default:
                complain(v, way, "schema error: invalid atom: inlined");
        }
}

int apply_validate(struct arena *arena, const struct apply_place *place, const struct value *value, bool duplicates,
                   struct err **err) {
        struct validation v = { .arena = arena, .duplicates = duplicates, .all = "errors:" };
        const struct way root = { 0 };

        check(&v, &root, place, value);
        if (v.failed)
                return err_set(err, ENOMEM, "out of memory");
        if (v.count == 0)
                return 0;
        return err_set(err, APPLY_FAILED, "%s", v.count == 1 ? v.first : v.all);
}

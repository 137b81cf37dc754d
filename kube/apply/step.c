/* Steps of paths: their order and their text. */
#include <string.h>

#include "kube/apply/set.h"
#include "kube/apply/text.h"
#include "lib/arena.h"
#include "lib/value.h"
#include "lib/value_keys.h"

/* The order of kinds among each other. */
static const uint8_t ranks[] = {
        [VALUE_INT] = 0,  [VALUE_NUMBER] = 0, [VALUE_STRING] = 1, [VALUE_BOOL] = 2,
        [VALUE_LIST] = 3, [VALUE_MAP] = 4,    [VALUE_NULL] = 5,
};

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_values(const struct value *a, const struct value *b);

static int compare_numbers(const struct value *a, const struct value *b) {
        double left = 0, right = 0;

        if (a->kind == VALUE_INT && b->kind == VALUE_INT)
                return COMPARE(a->integer, b->integer);
        value_double(a, &left);
        value_double(b, &right);
        return COMPARE(left, right);
}

static int compare_lists(const struct value *a, const struct value *b) {
        for (uint32_t i = 0; i < a->count && i < b->count; i++) {
                int r = compare_values(&a->items[i], &b->items[i]);

                if (r != 0)
                        return r;
        }
        return COMPARE(a->count, b->count);
}

static int compare_maps(const struct value *a, const struct value *b) {
        for (uint32_t i = 0; i < a->count && i < b->count; i++) {
                int r = strcmp(a->members[i].key, b->members[i].key);

                if (r == 0)
                        r = compare_values(&a->members[i].value, &b->members[i].value);
                if (r != 0)
                        return r;
        }
        return COMPARE(a->count, b->count);
}

static int compare_values(const struct value *a, const struct value *b) {
        if (ranks[a->kind] != ranks[b->kind])
                return COMPARE(ranks[a->kind], ranks[b->kind]);
        switch (a->kind) {
        case VALUE_INT:
        case VALUE_NUMBER:
                return compare_numbers(a, b);
        case VALUE_STRING:
                return strcmp(a->text, b->text);
        case VALUE_BOOL:
                return COMPARE(a->boolean, b->boolean);
        case VALUE_LIST:
                return compare_lists(a, b);
        case VALUE_MAP:
                return compare_maps(a, b);
        default:
                return 0;
        }
}

static int compare_keys(const struct apply_key *a, const struct apply_key *b) {
        for (uint32_t i = 0; a != b && i < a->count && i < b->count; i++) {
                int r = strcmp(a->fields[i].key, b->fields[i].key);

                if (r == 0)
                        r = compare_values(&a->fields[i].value, &b->fields[i].value);
                if (r != 0)
                        return r;
        }
        return COMPARE(a->count, b->count);
}

int apply_step_compare(const struct apply_step *a, const struct apply_step *b) {
        if (a->kind != b->kind)
                return COMPARE(a->kind, b->kind);
        switch (a->kind) {
        case APPLY_STEP_FIELD:
                return a->name == b->name ? 0 : strcmp(a->name, b->name);
        case APPLY_STEP_KEY:
                return compare_keys(a->key, b->key);
        case APPLY_STEP_VALUE:
                return compare_values(a->value, b->value);
        default:
                return COMPARE(a->index, b->index);
        }
}

static const char *key_text(struct arena *arena, const struct apply_key *key) {
        const char *text = "";

        for (uint32_t i = 0; i < key->count && text; i++) {
                const char *value = apply_value_text(arena, &key->fields[i].value);

                text = value ? arena_printf(arena, "%s%s%s=%s", text, i > 0 ? "," : "", key->fields[i].key, value) :
                               NULL;
        }
        return text ? arena_printf(arena, "[%s]", text) : NULL;
}

const char *apply_step_text(struct arena *arena, const struct apply_step *step) {
        const char *value;

        switch (step->kind) {
        case APPLY_STEP_FIELD:
                return arena_printf(arena, ".%s", step->name);
        case APPLY_STEP_KEY:
                return key_text(arena, step->key);
        case APPLY_STEP_VALUE:
                value = apply_value_text(arena, step->value);
                return value ? arena_printf(arena, "[=%s]", value) : NULL;
        default:
                return arena_printf(arena, "[%lld]", (long long)step->index);
        }
}

static bool same_maps(const struct value *a, const struct value *b) {
        _cleanup_value_keys_ struct value_keys keys = { 0 };

        if (a->count != b->count)
                return false;
        if (a->members == b->members)
                return true;
        value_keys_init(&keys, b);
        for (uint32_t i = 0; i < a->count; i++) {
                uint32_t at = value_keys_find(&keys, a->members[i].key);

                if (at == VALUE_NONE || !apply_value_same(&a->members[i].value, &b->members[at].value))
                        return false;
        }
        return true;
}

bool apply_value_same(const struct value *a, const struct value *b) {
        if (ranks[a->kind] != ranks[b->kind])
                return false;
        if (a->kind == VALUE_MAP)
                return same_maps(a, b);
        if (a->kind != VALUE_LIST)
                return compare_values(a, b) == 0;
        if (a->count != b->count)
                return false;
        for (uint32_t i = 0; a->items != b->items && i < a->count; i++)
                if (!apply_value_same(&a->items[i], &b->items[i]))
                        return false;
        return true;
}

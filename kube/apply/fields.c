#include "kube/apply/fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"

#define EXACT_MAX ((int64_t)1 << 53) /* Go reads numbers here as doubles */

/* ---- reading ---- */

static int read_json(struct arena *arena, const char *text, const struct value **ret_value, struct err **err) {
        return json_parse(arena, text, strlen(text), NULL, ret_value, err);
}

static int by_name(const void *a, const void *b) {
        const struct value_member *x = a, *y = b;

        return strcmp(x->key, y->key);
}

static int read_key(struct arena *arena, const char *text, struct apply_step *ret_step, struct err **err) {
        const struct value *map;
        struct apply_key *key;
        int r = read_json(arena, text, &map, err);

        if (r < 0)
                return r;
        if (map->kind != VALUE_MAP)
                return err_set(err, EINVAL, "the key %.200s is no object", text);
        key = arena_alloc(arena, sizeof(*key) + map->count * sizeof(key->fields[0]));
        if (!key)
                return err_set(err, ENOMEM, "out of memory");
        key->count = map->count;
        if (map->count > 0)
                memcpy(key->fields, map->members, map->count * sizeof(key->fields[0]));
        qsort(key->fields, key->count, sizeof(key->fields[0]), by_name);
        *ret_step = (struct apply_step){ .kind = APPLY_STEP_KEY, .key = key };
        return 0;
}

static int read_index(const char *text, struct apply_step *ret_step, struct err **err) {
        char *end;
        long long index;

        errno = 0;
        index = strtoll(text, &end, 10);
        if (errno || end == text || *end || strchr(" \t\n\v\f\r", *text))
                return err_set(err, EINVAL, "strconv.Atoi: parsing \"%.200s\": invalid syntax", text);
        *ret_step = (struct apply_step){ .kind = APPLY_STEP_INDEX, .index = index };
        return 0;
}

/* *@ret_known: false for a step of a later version. */
static int read_step(struct arena *arena, const char *text, struct apply_step *ret_step, bool *ret_known,
                     struct err **err) {
        int r;

        *ret_known = true;
        if (strlen(text) < 2)
                return err_set(err, EINVAL, "key must be 2 characters long:");
        if (text[1] != ':')
                return err_set(err, EINVAL, "missing colon: %.200s", text);
        switch (text[0]) {
        case 'f':
                *ret_step = (struct apply_step){ .kind = APPLY_STEP_FIELD, .name = text + 2 };
                return 0;
        case 'k':
                return read_key(arena, text + 2, ret_step, err);
        case 'v':
                *ret_step = (struct apply_step){ .kind = APPLY_STEP_VALUE };
                r = read_json(arena, text + 2, &ret_step->value, err);
                return r;
        case 'i':
                return read_index(text + 2, ret_step, err);
        default:
                *ret_known = false;
                return 0;
        }
}

static int read_set(struct arena *arena, const struct value *fields, bool *ret_member,
                    const struct apply_set **ret_below, struct err **err) {
        struct apply_builder b = { .arena = arena };
        uint32_t i;
        int r;

        *ret_member = false;
        *ret_below = NULL;
        if (!value_is_null(fields) && fields->kind != VALUE_MAP)
                return err_set(err, EINVAL, "fieldsV1 holds %s where it should hold a map", value_kind_name(fields));
        for (i = 0; i < value_count(fields); i++) {
                const struct value_member *field = &fields->members[i];
                const struct apply_set *below;
                struct apply_step step;
                bool member, known;

                if (strcmp(field->key, ".") == 0) {
                        *ret_member = true;
                        continue;
                }
                r = read_step(arena, field->key, &step, &known, err);
                if (r < 0)
                        return r;
                if (!known)
                        continue;
                r = read_set(arena, &field->value, &member, &below, err);
                if (r < 0)
                        return r;
                apply_builder_add(&b, &step, member, below);
        }
        if (apply_builder_below(&b, ret_below) < 0)
                return err_set(err, ENOMEM, "out of memory");
        *ret_member |= !*ret_below;
        return 0;
}

int apply_fields_read(struct arena *arena, const struct value *fields, const struct apply_set **ret_set,
                      struct err **err) {
        const struct apply_set *set;
        bool member;
        int r = read_set(arena, fields, &member, &set, err);

        if (r < 0)
                return r;
        *ret_set = set ?: &apply_set_none;
        return 0;
}

/* ---- writing ---- */

static void write_scalar(struct json_writer *w, const struct value *value) {
        char text[KUBE_DOUBLE_TEXT_MAX];
        double number;

        if (value->kind == VALUE_INT && (value->integer > EXACT_MAX || value->integer < -EXACT_MAX)) {
                json_value(w, value);
        } else if (value->kind == VALUE_NUMBER && value_double(value, &number)) {
                json_raw(w, text, kube_double_format(number, text));
        } else {
                json_value(w, value);
        }
}

static const char *written(struct arena *arena, const struct apply_step *step) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;
        const char *copy;

        if (step->kind == APPLY_STEP_VALUE) {
                write_scalar(&w, step->value);
        } else {
                json_begin_map(&w);
                for (uint32_t i = 0; i < step->key->count; i++) {
                        json_key(&w, step->key->fields[i].key);
                        write_scalar(&w, &step->key->fields[i].value);
                }
                json_end_map(&w);
        }
        if (json_writer_finish(&w, &text, NULL) < 0)
                return NULL;
        copy = arena_printf(arena, "%c:%s", step->kind == APPLY_STEP_VALUE ? 'v' : 'k', text);
        return copy;
}

static const char *step_name(struct arena *arena, const struct apply_step *step) {
        size_t length;
        char *text;

        switch (step->kind) {
        case APPLY_STEP_FIELD:
                length = strlen(step->name);
                text = arena_alloc_uncleared(arena, length + 3);
                if (!text)
                        return NULL;
                memcpy(text, "f:", 2);
                memcpy(text + 2, step->name, length + 1);
                return text;
        case APPLY_STEP_INDEX:
                return arena_printf(arena, "i:%lld", (long long)step->index);
        default:
                return written(arena, step);
        }
}

static int write_set(struct arena *arena, const struct apply_set *set, bool self, struct value *ret_fields) {
        const uint32_t n = set ? set->count : 0;
        struct value_member *members = arena_alloc_array(arena, n + 1, sizeof(*members));
        uint32_t count = 0;

        if (!members)
                return -ENOMEM;
        if (self && n > 0)
                members[count++] = (struct value_member){ .key = ".", .value = { .kind = VALUE_MAP } };
        for (uint32_t i = 0; i < n; i++) {
                struct value_member *member = &members[count++];
                const struct apply_node *node = &set->nodes[i];

                member->key = step_name(arena, &node->step);
                if (!member->key)
                        return -ENOMEM;
                member->value = (struct value){ .kind = VALUE_MAP };
                if (node->below && write_set(arena, node->below, node->member, &member->value) < 0)
                        return -ENOMEM;
        }
        *ret_fields = (struct value){ .kind = VALUE_MAP, .count = count, .members = members };
        return 0;
}

int apply_fields_write(struct arena *arena, const struct apply_set *set, struct value *ret_fields) {
        return write_set(arena, set, false, ret_fields);
}

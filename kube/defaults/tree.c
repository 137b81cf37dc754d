/* Defaults of types that have no struct, in trees. */
#include <errno.h>
#include <string.h>

#include "kube/defaults/defaults.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/value.h"

static int fill_value(struct arena *arena, const struct kube_type *type, const struct value *value,
                      struct value *ret_value);

static bool is_changed(const struct value *before, const struct value *after) {
        return before->kind != after->kind || before->count != after->count || before->items != after->items;
}

/* Each of @value's items or members is filled in by @type; the copy is made when the first has changed. */
static int fill_each(struct arena *arena, const struct kube_type *type, const struct value *value,
                     struct value *ret_value) {
        const bool list = value->kind == VALUE_LIST;
        const size_t size = list ? sizeof(struct value) : sizeof(struct value_member);
        char *copy = NULL;

        *ret_value = *value;
        for (uint32_t i = 0; i < value->count; i++) {
                const struct value *below = list ? &value->items[i] : &value->members[i].value;
                struct value filled;

                if (fill_value(arena, type, below, &filled) < 0)
                        return -ENOMEM;
                if (!is_changed(below, &filled))
                        continue;
                if (!copy) {
                        copy = arena_alloc_array(arena, value->count, size);
                        if (!copy)
                                return -ENOMEM;
                        memcpy(copy, list ? (const void *)value->items : value->members, value->count * size);
                        if (list)
                                ret_value->items = (struct value *)copy;
                        else
                                ret_value->members = (struct value_member *)copy;
                }
                *(list ? &((struct value *)copy)[i] : &((struct value_member *)copy)[i].value) = filled;
        }
        return 0;
}

static int fill_field(struct arena *arena, const struct kube_field *field, const struct value *value,
                      struct value *ret_value) {
        *ret_value = *value;
        if (!field->type)
                return 0;
        if (field->form == KUBE_ONE || field->form == KUBE_OPTIONAL)
                return fill_value(arena, field->type, value, ret_value);
        if (value->kind == (field->form == KUBE_LIST ? VALUE_LIST : VALUE_MAP) && field->form != KUBE_MAP_OF_LISTS)
                return fill_each(arena, field->type, value, ret_value);
        return 0;
}

static uint32_t find(const struct value *map, const char *key) {
        for (uint32_t i = 0; i < map->count; i++)
                if (strcmp(map->members[i].key, key) == 0)
                        return i;
        return map->count;
}

/* What @field of @map is: *@ret_at its place, which is behind the last where it is new; the count again for nothing. */
static int fill_member(struct arena *arena, const struct kube_field *field, const struct value *map, uint32_t *ret_at,
                       struct value *ret_value) {
        const struct value *value;

        *ret_at = find(map, field->name);
        value = *ret_at < map->count ? &map->members[*ret_at].value : NULL;
        if (value_is_null(value) && field->fallback) {
                if (json_parse(arena, field->fallback, strlen(field->fallback), NULL, &value, NULL) < 0)
                        return -ENOMEM;
        } else if (!value) {
                ret_value->kind = VALUE_NULL;
                return 0;
        }
        return fill_field(arena, field, value, ret_value);
}

static int fill_value(struct arena *arena, const struct kube_type *type, const struct value *value,
                      struct value *ret_value) {
        struct value_member *members = NULL;
        struct value map = *value;

        *ret_value = *value;
        if (value->kind != VALUE_MAP)
                return 0;
        for (uint16_t i = 0; i < type->n_fields; i++) {
                struct value filled;
                uint32_t at;

                if (fill_member(arena, &type->fields[i], &map, &at, &filled) < 0)
                        return -ENOMEM;
                if (at == map.count ? filled.kind == VALUE_NULL : !is_changed(&map.members[at].value, &filled))
                        continue;
                if (!members) {
                        members = arena_alloc_array(arena, (size_t)value->count + type->n_fields, sizeof(*members));
                        if (!members)
                                return -ENOMEM;
                        if (value->count > 0)
                                memcpy(members, value->members, value->count * sizeof(*members));
                        map.members = members;
                }
                members[at] = (struct value_member){ .key = type->fields[i].name, .value = filled };
                map.count += at == map.count;
        }
        *ret_value = map;
        return 0;
}

int defaults_fill_tree(struct arena *arena, const struct kube_type *type, const struct value *value,
                       const struct value **ret_value) {
        struct value *filled = arena_new_of(arena, struct value);

        if (!filled || fill_value(arena, type, value, filled) < 0)
                return -ENOMEM;
        *ret_value = filled;
        return 0;
}

/* Objects as wholes: an empty one, and the field that says who owns the others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/apply/job.h"
#include "kube/codec.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value_edit.h"

#define MANAGED_FIELDS "managedFields"

/* What Go writes of a struct that nothing is set in: fields that are not left out when they are empty. */
static int write_empty(struct arena *arena, const struct kube_type *type, const struct value **ret_value) {
        static const struct value none = { .kind = VALUE_MAP };
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ void *object = NULL;
        _cleanup_free_ char *text = NULL;
        size_t length;

        *ret_value = &none;
        if (!type || type->size == 0)
                return 0;
        object = calloc(1, type->size);
        if (!object)
                return -ENOMEM;
        kube_json_write(&w, type, object);
        if (json_writer_finish(&w, &text, &length) < 0)
                return -ENOMEM;
        return json_parse(arena, text, length, NULL, ret_value, NULL) < 0 ? -ENOMEM : 0;
}

int apply_empty_object(struct apply_job *job, const struct value **ret_object) {
        const struct value kind = VALUE_TEXT(job->target->kind), version = VALUE_TEXT(job->version);
        struct value_edit edit;
        const struct value *empty;

        if (write_empty(job->arena, job->target->type, &empty) < 0)
                return -ENOMEM;
        value_edit_begin(&edit, job->arena, empty);
        if (value_edit_set(&edit, "/kind", &kind, NULL) < 0 || value_edit_set(&edit, "/apiVersion", &version, NULL) < 0)
                return -ENOMEM;
        *ret_object = value_edit_end(&edit);
        return *ret_object ? 0 : -ENOMEM;
}

const struct value *apply_managed_fields(const struct value *object) {
        return value_get(value_get(object, "metadata"), MANAGED_FIELDS);
}

/* @map, a map or NULL, with member @key, or without it where @value is null. It comes last. */
static int put_last(struct arena *arena, const struct value *map, const char *key, const struct value *value,
                    struct value *ret_map) {
        struct value_member *members = arena_alloc_array(arena, (size_t)value_count(map) + 1, sizeof(*members));
        uint32_t n = 0;

        if (!members)
                return -ENOMEM;
        for (uint32_t i = 0; value_is(map, VALUE_MAP) && i < map->count; i++)
                if (strcmp(map->members[i].key, key) != 0)
                        members[n++] = map->members[i];
        if (value->kind != VALUE_NULL)
                members[n++] = (struct value_member){ .key = key, .value = *value };
        *ret_map = (struct value){ .kind = VALUE_MAP, .count = n, .members = members };
        return 0;
}

int apply_put_managed_fields(struct arena *arena, const struct value *object, const struct value *entries,
                             const struct value **ret_object) {
        const struct value *metadata = value_get(object, "metadata");
        struct value *changed;
        struct value_member *members;
        struct value inner;

        *ret_object = object;
        if (entries->kind == VALUE_NULL && !value_get(metadata, MANAGED_FIELDS))
                return 0;
        changed = arena_new_of(arena, struct value);
        if (!changed || put_last(arena, metadata, MANAGED_FIELDS, entries, &inner) < 0)
                return -ENOMEM;
        if (!metadata) {
                *ret_object = changed;
                return put_last(arena, object, "metadata", &inner, changed);
        }
        members = arena_alloc_array(arena, object->count, sizeof(*members));
        if (!members)
                return -ENOMEM;
        memcpy(members, object->members, object->count * sizeof(*members));
        for (uint32_t i = 0; i < object->count; i++)
                if (strcmp(members[i].key, "metadata") == 0)
                        members[i].value = inner;
        *changed = (struct value){ .kind = VALUE_MAP, .count = object->count, .members = members };
        *ret_object = changed;
        return 0;
}

#include "kube/field.h"

#include <string.h>

#include "kube/codec.h"
#include "kube/type.h"
#include "lib/json_writer.h"

/* True when nothing is given there, so that it is left out. */
static bool is_empty(const struct field *field, const void *at) {
        switch ((enum field_kind)field->kind) {
        case FIELD_STRING:
        case FIELD_OBJECT:
        case FIELD_KUBE:
                return !*(const void *const *)at;
        case FIELD_BOOL:
                return !*(const bool *)at;
        case FIELD_TRI:
        case FIELD_ENUM:
                return *(const int *)at == 0;
        case FIELD_INT32:
                return *(const int32_t *)at == 0;
        case FIELD_INT64:
                return *(const int64_t *)at == 0;
        case FIELD_OPT_INT32:
        case FIELD_OPT_INT64:
                return !((const struct opt_int *)at)->set;
        case FIELD_QUANTITY:
                return ((const struct quantity *)at)->value == 0;
        case FIELD_INT_OR_STRING:
        case FIELD_EMBED:
                return false;
        case FIELD_STRINGS:
        case FIELD_INTS:
        case FIELD_STRING_MAP:
        case FIELD_RESOURCES:
        case FIELD_LIST:
        case FIELD_KUBE_LIST:
                return ((const struct list *)at)->count == 0;
        case FIELD_IGNORED:
        case FIELD_IGNORED_MAP:
                return true;
        }
        return true;
}

static void write_quantity(struct json_writer *w, struct quantity quantity) {
        char text[QUANTITY_TEXT_MAX];

        json_string(w, quantity_format(quantity, text));
}

static void write_strings(struct json_writer *w, const string_list *list) {
        json_begin_list(w);
        for (uint32_t i = 0; i < list->count; i++)
                json_string(w, list->items[i]);
        json_end_list(w);
}

static void write_ints(struct json_writer *w, const int_list *list) {
        json_begin_list(w);
        for (uint32_t i = 0; i < list->count; i++)
                json_int(w, list->items[i]);
        json_end_list(w);
}

static void write_string_map(struct json_writer *w, const string_map *map) {
        json_begin_map(w);
        for (uint32_t i = 0; i < map->count; i++)
                json_add_string(w, map->items[i].key, map->items[i].value);
        json_end_map(w);
}

static void write_resources(struct json_writer *w, const resource_list *list) {
        json_begin_map(w);
        for (uint32_t i = 0; i < list->count; i++) {
                json_key(w, list->items[i].name);
                write_quantity(w, list->items[i].amount);
        }
        json_end_map(w);
}

static void write_object(struct json_writer *w, const struct object_type *type, const void *object, uint8_t shown);

static void write_list(struct json_writer *w, const struct object_type *type, const struct list *list, uint8_t shown) {
        json_begin_list(w);
        for (uint32_t i = 0; i < list->count; i++)
                write_object(w, type, (const char *)list->items + i * type->size, shown);
        json_end_list(w);
}

static void write_kube_list(struct json_writer *w, const struct kube_type *type, const void *at) {
        struct list list;

        memcpy(&list, at, sizeof(list));
        json_begin_list(w);
        for (uint32_t i = 0; i < list.count; i++)
                kube_json_write(w, type, (const char *)list.items + i * type->size);
        json_end_list(w);
}

static void write_field(struct json_writer *w, const struct field *field, const void *at, uint8_t shown) {
        const struct int_or_string *port = at;

        switch ((enum field_kind)field->kind) {
        case FIELD_STRING:
                json_string(w, *(const char *const *)at ?: "");
                break;
        case FIELD_BOOL:
                json_bool(w, *(const bool *)at);
                break;
        case FIELD_TRI:
                json_bool(w, *(const enum tri *)at == TRI_TRUE);
                break;
        case FIELD_INT32:
                json_int(w, *(const int32_t *)at);
                break;
        case FIELD_INT64:
                json_int(w, *(const int64_t *)at);
                break;
        case FIELD_OPT_INT32:
        case FIELD_OPT_INT64:
                json_int(w, ((const struct opt_int *)at)->value);
                break;
        case FIELD_QUANTITY:
                write_quantity(w, *(const struct quantity *)at);
                break;
        case FIELD_ENUM:
                json_string(w, *(const int *)at ? field->names[*(const int *)at - 1] : "");
                break;
        case FIELD_INT_OR_STRING:
                if (port->text)
                        json_string(w, port->text);
                else
                        json_int(w, port->number);
                break;
        case FIELD_STRINGS:
                write_strings(w, at);
                break;
        case FIELD_INTS:
                write_ints(w, at);
                break;
        case FIELD_STRING_MAP:
                write_string_map(w, at);
                break;
        case FIELD_RESOURCES:
                write_resources(w, at);
                break;
        case FIELD_OBJECT:
                write_object(w, field->type, *(const void *const *)at, shown);
                break;
        case FIELD_EMBED:
                write_object(w, field->type, at, shown);
                break;
        case FIELD_LIST:
                write_list(w, field->type, at, shown);
                break;
        case FIELD_KUBE:
                kube_json_write(w, field->kube, *(const void *const *)at);
                break;
        case FIELD_KUBE_LIST:
                write_kube_list(w, field->kube, at);
                break;
        case FIELD_IGNORED:
        case FIELD_IGNORED_MAP:
                json_null(w);
                break;
        }
}

/* @shown: flags of what is written although it is empty. */
static void write_object(struct json_writer *w, const struct object_type *type, const void *object, uint8_t shown) {
        json_begin_map(w);
        for (size_t i = 0; i < type->n_fields; i++) {
                const struct field *field = &type->fields[i];
                const void *at = (const char *)object + field->offset;

                if (is_empty(field, at) && !(field->flags & shown))
                        continue;
                json_key(w, field->name);
                write_field(w, field, at, shown);
        }
        json_end_map(w);
}

void object_write(struct json_writer *w, const struct object_type *type, const void *object) {
        write_object(w, type, object, FIELD_ALWAYS | FIELD_DEFAULTED);
}

void object_write_given(struct json_writer *w, const struct object_type *type, const void *object) {
        write_object(w, type, object, FIELD_ALWAYS);
}

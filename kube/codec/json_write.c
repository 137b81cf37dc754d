/* Structs to JSON, as Go's encoder writes them: fields in the order of their rows, and the same ones left out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/codec/entries.h"
#include "kube/scalar.h"
#include "kube/type.h"
#include "lib/base64.h"
#include "lib/json_writer.h"

static struct list list_at(const void *at) {
        struct list list;

        memcpy(&list, at, sizeof(list));
        return list;
}

static const void *pointer_at(const void *at) {
        const void *pointer;

        memcpy(&pointer, at, sizeof(pointer));
        return pointer;
}

/* Nothing is given: of what Go has as a struct something always is, unless it says omitzero. */
static bool is_empty_one(const struct kube_field *field, const void *at) {
        const char *text;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                text = *(const char *const *)at;
                return !text || !*text;
        case KUBE_BOOL:
                return !*(const bool *)at;
        case KUBE_INT32:
                return *(const int32_t *)at == 0;
        case KUBE_INT64:
                return *(const int64_t *)at == 0;
        case KUBE_DOUBLE:
                return *(const double *)at == 0;
        case KUBE_BYTES:
                return ((const struct kube_bytes *)at)->length == 0;
        case KUBE_TIME:
        case KUBE_MICRO_TIME:
                return (field->flags & KUBE_OMIT_ZERO) && !((const struct kube_time *)at)->set;
        default:
                return false;
        }
}

static bool is_absent(const struct kube_field *field, const void *at) {
        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                return !*(const char *const *)at;
        case KUBE_BOOL:
                return *(const enum tri *)at == TRI_UNSET;
        case KUBE_INT32:
        case KUBE_INT64:
                return !((const struct opt_int *)at)->set;
        case KUBE_DOUBLE:
                return !((const struct opt_double *)at)->set;
        case KUBE_QUANTITY:
                return !((const struct opt_quantity *)at)->set;
        case KUBE_TIME:
        case KUBE_MICRO_TIME:
                return !((const struct kube_time *)at)->set;
        case KUBE_INT_OR_STRING:
                return !((const struct int_or_string *)at)->set;
        case KUBE_BYTES:
                return !((const struct kube_bytes *)at)->data;
        case KUBE_JSON:
        case KUBE_RAW:
        case KUBE_FIELDS:
                return !((const struct kube_raw *)at)->text;
        case KUBE_OBJECT:
                return !pointer_at(at);
        }
        return true;
}

bool kube_is_unset(const struct kube_field *field, const void *at) {
        switch ((enum kube_form)field->form) {
        case KUBE_ONE:
                return is_empty_one(field, at);
        case KUBE_OPTIONAL:
                return is_absent(field, at);
        case KUBE_LIST:
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                return list_at(at).count == 0;
        }
        return true;
}

static bool is_left_out(const struct kube_field *field, const void *at) {
        return !(field->flags & KUBE_ALWAYS) && kube_is_unset(field, at);
}

static void write_text(struct json_writer *w, const char *text) {
        json_string(w, text ? text : "");
}

static void write_quantity(struct json_writer *w, struct quantity quantity) {
        char text[QUANTITY_TEXT_MAX];

        json_string(w, quantity_format(quantity, text));
}

static void write_time(struct json_writer *w, const struct kube_time *time, bool micro) {
        char text[KUBE_TIME_TEXT_MAX];

        if (time->set)
                json_string_length(w, text, kube_time_format(time, micro, text));
        else
                json_null(w);
}

static void write_double(struct json_writer *w, double number) {
        char text[KUBE_DOUBLE_TEXT_MAX];

        json_raw(w, text, kube_double_format(number, text));
}

static void write_int_or_string(struct json_writer *w, const struct int_or_string *value) {
        if (value->text)
                json_string(w, value->text);
        else
                json_int(w, value->number);
}

static void write_bytes(struct json_writer *w, const struct kube_bytes *bytes) {
        char few[BASE64_LENGTH(300) + 1], *text = few;
        size_t length = BASE64_LENGTH((size_t)bytes->length);

        if (!bytes->data) {
                json_null(w);
                return;
        }
        if (length >= sizeof(few) && !(text = malloc(length + 1))) {
                json_writer_fail(w, -ENOMEM);
                return;
        }
        base64_encode(bytes->data, bytes->length, text);
        json_string_length(w, text, length);
        if (text != few)
                free(text);
}

static void write_raw(struct json_writer *w, const struct kube_raw *raw) {
        if (raw->text)
                json_document(w, raw->text, raw->length);
        else
                json_null(w);
}

static void write_one(struct json_writer *w, const struct kube_field *field, const void *at) {
        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                write_text(w, *(const char *const *)at);
                break;
        case KUBE_BOOL:
                json_bool(w, *(const bool *)at);
                break;
        case KUBE_INT32:
                json_int(w, *(const int32_t *)at);
                break;
        case KUBE_INT64:
                json_int(w, *(const int64_t *)at);
                break;
        case KUBE_DOUBLE:
                write_double(w, *(const double *)at);
                break;
        case KUBE_QUANTITY:
                write_quantity(w, *(const struct quantity *)at);
                break;
        case KUBE_TIME:
        case KUBE_MICRO_TIME:
                write_time(w, at, field->element == KUBE_MICRO_TIME);
                break;
        case KUBE_INT_OR_STRING:
                write_int_or_string(w, at);
                break;
        case KUBE_BYTES:
                write_bytes(w, at);
                break;
        case KUBE_JSON:
        case KUBE_RAW:
        case KUBE_FIELDS:
                write_raw(w, at);
                break;
        case KUBE_OBJECT:
                kube_json_write(w, field->type, at);
                break;
        }
}

static void write_optional(struct json_writer *w, const struct kube_field *field, const void *at) {
        if (is_absent(field, at)) {
                json_null(w);
                return;
        }
        switch ((enum kube_element)field->element) {
        case KUBE_BOOL:
                json_bool(w, *(const enum tri *)at == TRI_TRUE);
                break;
        case KUBE_INT32:
        case KUBE_INT64:
                json_int(w, ((const struct opt_int *)at)->value);
                break;
        case KUBE_DOUBLE:
                write_double(w, ((const struct opt_double *)at)->value);
                break;
        case KUBE_QUANTITY:
                write_quantity(w, ((const struct opt_quantity *)at)->amount);
                break;
        case KUBE_OBJECT:
                kube_json_write(w, field->type, pointer_at(at));
                break;
        default:
                write_one(w, field, at);
        }
}

static void write_list(struct json_writer *w, const struct kube_field *field, const void *at) {
        size_t size = kube_element_size(field);
        struct list list = list_at(at);

        if (!list.items) {
                json_null(w);
                return;
        }
        json_begin_list(w);
        for (uint32_t i = 0; i < list.count; i++)
                write_one(w, field, (const char *)list.items + i * size);
        json_end_list(w);
}

static void write_map(struct json_writer *w, const struct kube_field *field, const void *at) {
        size_t size = kube_entry_size(field);
        struct list list = list_at(at);

        if (!list.items) {
                json_null(w);
                return;
        }
        json_begin_map(w);
        for (uint32_t i = 0; i < list.count; i++) {
                const char *entry = (const char *)list.items + i * size;

                json_key(w, *(const char *const *)entry);
                if (field->form == KUBE_MAP_OF_LISTS)
                        write_list(w, field, entry + KUBE_ENTRY_VALUE);
                else
                        write_one(w, field, entry + KUBE_ENTRY_VALUE);
        }
        json_end_map(w);
}

static void write_field(struct json_writer *w, const struct kube_field *field, const void *at) {
        switch ((enum kube_form)field->form) {
        case KUBE_ONE:
                write_one(w, field, at);
                break;
        case KUBE_OPTIONAL:
                write_optional(w, field, at);
                break;
        case KUBE_LIST:
                write_list(w, field, at);
                break;
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                write_map(w, field, at);
                break;
        }
}

static void write_either(struct json_writer *w, const struct kube_type *type, const void *object) {
        const struct kube_field *field = kube_either_given(type, object);

        if (field)
                write_field(w, field, (const char *)object + field->offset);
        else
                json_null(w);
}

void kube_json_write(struct json_writer *w, const struct kube_type *type, const void *object) {
        if (type->flags & KUBE_EITHER) {
                write_either(w, type, object);
                return;
        }
        json_begin_map(w);
        for (size_t i = 0; i < type->n_fields; i++) {
                const struct kube_field *field = &type->fields[i];
                const void *at = (const char *)object + field->offset;

                if (is_left_out(field, at))
                        continue;
                json_key_plain(w, field->name, field->name_length);
                write_field(w, field, at);
        }
        json_end_map(w);
}

void kube_json_begin_items(struct json_writer *w, const char *kind) {
        json_begin_map(w);
        json_add_string(w, "kind", kind);
        json_add_string(w, "apiVersion", "v1");
        json_key(w, "metadata");
        json_begin_map(w);
        json_end_map(w);
        json_key(w, "items");
        json_begin_list(w);
}

void kube_json_end_items(struct json_writer *w) {
        json_end_list(w);
        json_end_map(w);
}

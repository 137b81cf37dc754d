#include "cli/output.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/format.h"
#include "cli/yaml.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

#define NAME_MAX_BYTES 64

int output_parse(const char *text, enum output fallback, enum output *ret_output, struct err **err) {
        static const char *const names[] = { [OUTPUT_TABLE] = "table", [OUTPUT_JSON] = "json", [OUTPUT_YAML] = "yaml" };

        if (!text) {
                *ret_output = fallback;
                return 0;
        }
        for (unsigned i = 0; i < ELEMENTS(names); i++)
                if (strcmp(names[i], text) == 0) {
                        *ret_output = (enum output)i;
                        return 0;
                }
        return err_set(err, EINVAL, "--output: \"%s\" is none of json, yaml, table", text);
}

/* pod_sandbox_id → podSandboxId */
static const char *camel(const char *name, char ret_name[NAME_MAX_BYTES]) {
        size_t n = 0;

        for (; *name && n + 1 < NAME_MAX_BYTES; name++) {
                if (*name == '_' && name[1])
                        ret_name[n++] = (char)toupper((unsigned char)*++name);
                else if (*name != '_')
                        ret_name[n++] = *name;
        }
        ret_name[n] = '\0';
        return ret_name;
}

static void write_base64(struct json_writer *w, const ProtobufCBinaryData *data) {
        _cleanup_free_ char *text = malloc(BASE64_LENGTH(data->len) + 1);

        if (!text)
                return json_null(w);
        base64_encode(data->data, data->len, text);
        json_string(w, text);
}

static void write_enum(struct json_writer *w, const ProtobufCFieldDescriptor *field, int value) {
        const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(field->descriptor, value);

        if (known)
                json_string(w, known->name);
        else
                json_int(w, value);
}

static void write_number64(struct json_writer *w, bool is_signed, const void *value) {
        char text[32];

        if (is_signed)
                snprintf(text, sizeof(text), "%" PRId64, *(const int64_t *)value);
        else
                snprintf(text, sizeof(text), "%" PRIu64, *(const uint64_t *)value);
        json_string(w, text);
}

/* One value of @field at @value. */
static void write_value(struct json_writer *w, const ProtobufCFieldDescriptor *field, const void *value, bool times) {
        char text[FORMAT_MAX];

        switch (field->type) {
        case PROTOBUF_C_TYPE_INT32:
        case PROTOBUF_C_TYPE_SINT32:
        case PROTOBUF_C_TYPE_SFIXED32:
                return json_int(w, *(const int32_t *)value);
        case PROTOBUF_C_TYPE_UINT32:
        case PROTOBUF_C_TYPE_FIXED32:
                return json_uint(w, *(const uint32_t *)value);
        case PROTOBUF_C_TYPE_INT64:
        case PROTOBUF_C_TYPE_SINT64:
        case PROTOBUF_C_TYPE_SFIXED64:
                return write_number64(w, true, value);
        case PROTOBUF_C_TYPE_UINT64:
        case PROTOBUF_C_TYPE_FIXED64:
                return write_number64(w, false, value);
        case PROTOBUF_C_TYPE_BOOL:
                return json_bool(w, *(const protobuf_c_boolean *)value);
        case PROTOBUF_C_TYPE_ENUM:
                return write_enum(w, field, *(const int *)value);
        case PROTOBUF_C_TYPE_STRING:
                return json_string(w, *(char *const *)value ? *(char *const *)value : "");
        case PROTOBUF_C_TYPE_BYTES:
                return write_base64(w, value);
        case PROTOBUF_C_TYPE_MESSAGE:
                if (!*(const ProtobufCMessage *const *)value)
                        return json_null(w);
                return output_message(w, *(const ProtobufCMessage *const *)value, times);
        case PROTOBUF_C_TYPE_FLOAT:
        case PROTOBUF_C_TYPE_DOUBLE:
                snprintf(text, sizeof(text), "%.17g",
                         field->type == PROTOBUF_C_TYPE_FLOAT ? (double)*(const float *)value : *(const double *)value);
                return json_raw(w, text, strlen(text));
        }
}

static size_t size_of(const ProtobufCFieldDescriptor *field) {
        switch (field->type) {
        case PROTOBUF_C_TYPE_INT64:
        case PROTOBUF_C_TYPE_SINT64:
        case PROTOBUF_C_TYPE_SFIXED64:
        case PROTOBUF_C_TYPE_UINT64:
        case PROTOBUF_C_TYPE_FIXED64:
        case PROTOBUF_C_TYPE_DOUBLE:
                return 8;
        case PROTOBUF_C_TYPE_BOOL:
                return sizeof(protobuf_c_boolean);
        case PROTOBUF_C_TYPE_STRING:
        case PROTOBUF_C_TYPE_MESSAGE:
                return sizeof(void *);
        case PROTOBUF_C_TYPE_BYTES:
                return sizeof(ProtobufCBinaryData);
        default:
                return 4;
        }
}

/* protobuf-c has maps as lists of entry messages, whose names end so. */
static bool is_map(const ProtobufCFieldDescriptor *field) {
        const ProtobufCMessageDescriptor *type = field->descriptor;
        size_t n;

        if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label != PROTOBUF_C_LABEL_REPEATED)
                return false;
        n = strlen(type->short_name);
        return n > 5 && strcmp(type->short_name + n - 5, "Entry") == 0 && type->n_fields == 2 &&
               strcmp(type->fields[0].name, "key") == 0 && strcmp(type->fields[1].name, "value") == 0;
}

/* What a runtime says in `info` is JSON in a string: shown as what it is. */
static bool write_embedded(struct json_writer *w, const char *text) {
        _cleanup_arena_ struct arena *arena = NULL;
        const struct value *value;

        if (!text || (text[0] != '{' && text[0] != '['))
                return false;
        arena = arena_new();
        if (!arena || json_parse(arena, text, strlen(text), NULL, &value, NULL) < 0)
                return false;
        json_value(w, value);
        return true;
}

static void write_map(struct json_writer *w, const ProtobufCFieldDescriptor *field, ProtobufCMessage *const *entries,
                      size_t n, bool times) {
        const ProtobufCMessageDescriptor *type = field->descriptor;

        json_begin_map(w);
        for (size_t i = 0; i < n; i++) {
                const char *base = (const char *)entries[i];
                const char *key = *(char *const *)(const void *)(base + type->fields[0].offset);
                const void *value = base + type->fields[1].offset;

                json_key(w, key ? key : "");
                write_value(w, &type->fields[1], value, times);
        }
        json_end_map(w);
}

static void write_repeated(struct json_writer *w, const ProtobufCFieldDescriptor *field, const char *base, bool times) {
        size_t n = *(const size_t *)(const void *)(base + field->quantifier_offset);
        const char *values = *(char *const *)(const void *)(base + field->offset);

        if (is_map(field))
                return write_map(w, field, (ProtobufCMessage *const *)(const void *)values, n, times);
        json_begin_list(w);
        for (size_t i = 0; i < n; i++)
                write_value(w, field, values + i * size_of(field), times);
        json_end_list(w);
}

static bool is_time(const char *name) {
        return strcmp(name, "created_at") == 0 || strcmp(name, "started_at") == 0 || strcmp(name, "finished_at") == 0;
}

void output_message(struct json_writer *w, const ProtobufCMessage *message, bool times) {
        const char *base = (const char *)message;

        json_begin_map(w);
        for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
                const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
                const void *value = base + field->offset;
                char name[NAME_MAX_BYTES], text[FORMAT_MAX];

                json_key(w, camel(field->name, name));
                if (field->label == PROTOBUF_C_LABEL_REPEATED)
                        write_repeated(w, field, base, times);
                else if (times && field->type == PROTOBUF_C_TYPE_INT64 && is_time(field->name))
                        json_string(w, *format_time(*(const int64_t *)value, text) ? text : "0001-01-01T00:00:00Z");
                else
                        write_value(w, field, value, times);
        }
        json_end_map(w);
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessage *message, const char *name) {
        return protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
}

/* The texts of the map `info`, each a member of its own. */
static void write_info(struct json_writer *w, const ProtobufCMessage *message) {
        const ProtobufCFieldDescriptor *field = find_field(message, "info");
        const char *base = (const char *)message;
        struct {
                ProtobufCMessage base;
                char *key, *value;
        } *const *entries;
        size_t n;

        if (!field)
                return;
        n = *(const size_t *)(const void *)(base + field->quantifier_offset);
        entries = *(void *const *)(const void *)(base + field->offset);
        for (size_t i = 0; i < n; i++) {
                json_key(w, entries[i]->key ? entries[i]->key : "");
                if (!write_embedded(w, entries[i]->value))
                        json_string(w, entries[i]->value ? entries[i]->value : "");
        }
}

void output_status(struct json_writer *w, const ProtobufCMessage *message) {
        const char *base = (const char *)message;

        json_begin_map(w);
        for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
                const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
                char name[NAME_MAX_BYTES];

                if (strcmp(field->name, "info") == 0)
                        continue;
                json_key(w, i == 0 ? "status" : camel(field->name, name));
                if (field->label == PROTOBUF_C_LABEL_REPEATED)
                        write_repeated(w, field, base, true);
                else
                        write_value(w, field, base + field->offset, true);
        }
        write_info(w, message);
        json_end_map(w);
}

static int print_yaml(const char *text, size_t length, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value_options options = { .bytes_max = SIZE_MAX, .nodes_max = UINT32_MAX };
        const struct value *value;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        r = json_parse(arena, text, length, &options, &value, err);
        if (r == 0)
                yaml_print(stdout, value);
        return r;
}

int output_print(struct json_writer *w, enum output output, struct err **err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r;

        r = json_writer_finish(w, &text, &length);
        if (r < 0)
                return err_errno(err, -r, "output");
        if (output == OUTPUT_YAML)
                return print_yaml(text, length, err);
        printf("%s\n", text);
        return 0;
}

int output_whole(const ProtobufCMessage *message, enum output output, bool times, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;

        output_message(&w, message, times);
        return output_print(&w, output, err);
}

/* OpenAPI v2 as gnostic's openapi.v2.Document: each message a table of the members that it has in JSON. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kube/openapi/version2.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/grow.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/yaml_write.h"

#define DEPTH_MAX 64
#define VARINT_MAX 10

struct output {
        uint8_t *bytes;
        size_t length, size;
        int error;
};

enum form {
        TEXT,
        TEXTS,
        VALUES, /* each as YAML, within an Any */
        FLAG,
        MESSAGE,
        MESSAGES, /* of a list */
        NAMED,    /* of a map: {name = 1, value = 2} each */
        CHOICE,   /* of the forms of a parameter */
};

struct message;

/* What stands at @key. @within: numbers of messages that only wrap it, from the outside; 0 ends them. */
struct row {
        const char *key;
        uint8_t number;
        enum form form;
        uint8_t within[3];
        const struct message *message;
};

struct message {
        const struct row *rows;
        size_t n;
        uint8_t extensions; /* the number of what begins with "x-"; 0: none */
};

#define MESSAGE_OF(rows, extensions)                                                                                   \
        { rows, sizeof(rows) / sizeof((rows)[0]), extensions }

static const struct message schema, path_item, operation, parameter;

static const struct row schema_rows[] = {
        { "$ref", 1, TEXT, { 0 }, NULL },
        { "format", 2, TEXT, { 0 }, NULL },
        { "description", 4, TEXT, { 0 }, NULL },
        { "required", 19, TEXTS, { 0 }, NULL },
        { "enum", 20, VALUES, { 0 }, NULL },
        { "additionalProperties", 21, MESSAGE, { 1 }, &schema },
        { "type", 22, TEXT, { 1 }, NULL },
        { "items", 23, MESSAGE, { 1 }, &schema },
        { "properties", 25, NAMED, { 1 }, &schema },
};
static const struct message schema = MESSAGE_OF(schema_rows, 31);

static const struct row body_rows[] = {
        { "name", 2, TEXT, { 0 }, NULL },
        { "in", 3, TEXT, { 0 }, NULL },
        { "required", 4, FLAG, { 0 }, NULL },
        { "schema", 5, MESSAGE, { 0 }, &schema },
};
static const struct message body = MESSAGE_OF(body_rows, 6);

static const struct row query_rows[] = {
        { "required", 1, FLAG, { 0 }, NULL }, { "in", 2, TEXT, { 0 }, NULL },
        { "name", 4, TEXT, { 0 }, NULL },     { "type", 6, TEXT, { 0 }, NULL },
        { "format", 7, TEXT, { 0 }, NULL },   { "uniqueItems", 20, FLAG, { 0 }, NULL },
};
static const struct message query = MESSAGE_OF(query_rows, 23);

static const struct row path_rows[] = {
        { "required", 1, FLAG, { 0 }, NULL }, { "in", 2, TEXT, { 0 }, NULL },
        { "name", 4, TEXT, { 0 }, NULL },     { "type", 5, TEXT, { 0 }, NULL },
        { "format", 6, TEXT, { 0 }, NULL },   { "uniqueItems", 19, FLAG, { 0 }, NULL },
};
static const struct message path = MESSAGE_OF(path_rows, 22);

/* By the parameter's "in": a ParametersItem's parameter is body_parameter, or non_body_parameter's form. */
static const struct row parameter_rows[] = {
        { "body", 1, MESSAGE, { 1 }, &body },
        { "query", 1, MESSAGE, { 2, 3 }, &query },
        { "path", 1, MESSAGE, { 2, 4 }, &path },
};
static const struct message parameter = MESSAGE_OF(parameter_rows, 0);

static const struct row response_rows[] = {
        { "description", 1, TEXT, { 0 }, NULL },
        { "schema", 2, MESSAGE, { 1 }, &schema },
};
static const struct message response = MESSAGE_OF(response_rows, 5);

/* A NamedResponseValue's value wraps the response. */
static const struct row response_value_rows[] = { { NULL, 1, MESSAGE, { 0 }, &response } };
static const struct message response_value = MESSAGE_OF(response_value_rows, 0);

static const struct row operation_rows[] = {
        { "tags", 1, TEXTS, { 0 }, NULL },
        { "description", 3, TEXT, { 0 }, NULL },
        { "operationId", 5, TEXT, { 0 }, NULL },
        { "produces", 6, TEXTS, { 0 }, NULL },
        { "consumes", 7, TEXTS, { 0 }, NULL },
        { "parameters", 8, CHOICE, { 0 }, &parameter },
        { "responses", 9, NAMED, { 1 }, &response_value },
        { "schemes", 10, TEXTS, { 0 }, NULL },
};
static const struct message operation = MESSAGE_OF(operation_rows, 13);

static const struct row path_item_rows[] = {
        { "get", 2, MESSAGE, { 0 }, &operation },     { "put", 3, MESSAGE, { 0 }, &operation },
        { "post", 4, MESSAGE, { 0 }, &operation },    { "delete", 5, MESSAGE, { 0 }, &operation },
        { "options", 6, MESSAGE, { 0 }, &operation }, { "head", 7, MESSAGE, { 0 }, &operation },
        { "patch", 8, MESSAGE, { 0 }, &operation },   { "parameters", 9, CHOICE, { 0 }, &parameter },
};
static const struct message path_item = MESSAGE_OF(path_item_rows, 10);

static const struct row info_rows[] = { { "title", 1, TEXT, { 0 }, NULL }, { "version", 2, TEXT, { 0 }, NULL } };
static const struct message info = MESSAGE_OF(info_rows, 7);

static const struct row key_rows[] = {
        { "type", 1, TEXT, { 0 }, NULL },
        { "name", 2, TEXT, { 0 }, NULL },
        { "in", 3, TEXT, { 0 }, NULL },
        { "description", 4, TEXT, { 0 }, NULL },
};
static const struct message key = MESSAGE_OF(key_rows, 5);
static const struct row security_rows[] = { { NULL, 2, MESSAGE, { 0 }, &key } }; /* api_key_security */
static const struct message security = MESSAGE_OF(security_rows, 0);
static const struct row scopes_rows[] = { { NULL, 1, TEXTS, { 0 }, NULL } };
static const struct message scopes = MESSAGE_OF(scopes_rows, 0);
static const struct row requirement_rows[] = { { NULL, 1, NAMED, { 0 }, &scopes } };
static const struct message requirement = MESSAGE_OF(requirement_rows, 0);

static const struct row document_rows[] = {
        { "swagger", 1, TEXT, { 0 }, NULL },
        { "info", 2, MESSAGE, { 0 }, &info },
        { "paths", 8, NAMED, { 2 }, &path_item },
        { "definitions", 9, NAMED, { 1 }, &schema },
        { "security", 12, MESSAGES, { 0 }, &requirement },
        { "securityDefinitions", 13, NAMED, { 1 }, &security },
};
static const struct message document = MESSAGE_OF(document_rows, 16);

/* --- bytes --- */

static void put(struct output *o, const void *bytes, size_t n) {
        if (o->error < 0 || (o->error = GROW(o->bytes, o->size, o->length + n, GROW_NO_MAX)) < 0)
                return;
        memcpy(o->bytes + o->length, bytes, n);
        o->length += n;
}

static size_t make_varint(uint8_t to[VARINT_MAX], uint64_t n) {
        size_t i = 0;

        for (; n > 0x7f; n >>= 7)
                to[i++] = (uint8_t)(n | 0x80);
        to[i++] = (uint8_t)n;
        return i;
}

static void put_varint(struct output *o, uint64_t n) {
        uint8_t bytes[VARINT_MAX];

        put(o, bytes, make_varint(bytes, n));
}

static void put_tag(struct output *o, unsigned number, unsigned wire) {
        put_varint(o, number << 3 | wire);
}

static void put_text(struct output *o, unsigned number, const char *text, size_t length) {
        put_tag(o, number, 2);
        put_varint(o, length);
        put(o, text, length);
}

/* A message whose length is not known yet: begin() gives where its bytes begin, end() puts the length before them. */
static size_t begin(struct output *o, unsigned number) {
        put_tag(o, number, 2);
        return o->length;
}

static void end(struct output *o, size_t at) {
        uint8_t bytes[VARINT_MAX];
        size_t length = o->length - at, n = make_varint(bytes, length);

        put(o, bytes, n); /* for the room */
        if (o->error < 0)
                return;
        memmove(o->bytes + at + n, o->bytes + at, length);
        memcpy(o->bytes + at, bytes, n);
}

/* --- values --- */

static void put_message(struct output *o, const struct message *message, const struct value *value, unsigned depth);

/* An Any. */
static void put_any(struct output *o, unsigned number, const struct value *value) {
        _cleanup_free_ char *yaml = NULL;
        size_t length = 0, any;
        int r = yaml_write(value, &yaml, &length);

        if (r < 0) {
                o->error = o->error ?: r;
                return;
        }
        any = begin(o, number);
        put_text(o, 2, yaml, length);
        end(o, any);
}

static void put_extension(struct output *o, unsigned number, const char *name, const struct value *value) {
        size_t named = begin(o, number);

        put_text(o, 1, name, strlen(name));
        put_any(o, 2, value);
        end(o, named);
}

static void put_one(struct output *o, const struct row *row, unsigned number, const struct value *value,
                    unsigned depth) {
        size_t at = begin(o, number);

        put_message(o, row->message, value, depth + 1);
        end(o, at);
}

static void put_named(struct output *o, const struct row *row, unsigned number, const struct value *map,
                      unsigned depth) {
        for (uint32_t i = 0; value_is(map, VALUE_MAP) && i < map->count; i++) {
                size_t at = begin(o, number);

                put_text(o, 1, map->members[i].key, strlen(map->members[i].key));
                put_one(o, row, 2, &map->members[i].value, depth);
                end(o, at);
        }
}

static void put_innermost(struct output *o, const struct row *row, unsigned number, const struct value *value,
                          unsigned depth) {
        switch (row->form) {
        case TEXT:
                return put_text(o, number, value_string_or(value, ""), strlen(value_string_or(value, "")));
        case TEXTS:
                for (uint32_t i = 0; i < value_count(value); i++)
                        put_text(o, number, value_string_or(value_at(value, i), ""),
                                 strlen(value_string_or(value_at(value, i), "")));
                return;
        case VALUES:
                for (uint32_t i = 0; i < value_count(value); i++)
                        put_any(o, number, value_at(value, i));
                return;
        case FLAG:
                put_tag(o, number, 0);
                return put_varint(o, value_bool_or(value, false));
        case MESSAGES:
        case CHOICE:
                for (uint32_t i = 0; i < value_count(value); i++)
                        put_one(o, row, number, value_at(value, i), depth);
                return;
        case NAMED:
                return put_named(o, row, number, value, depth);
        default:
                return put_one(o, row, number, value, depth);
        }
}

static void put_row(struct output *o, const struct row *row, const struct value *value, unsigned depth) {
        size_t at[sizeof(row->within)];
        unsigned number = row->number, n = 0;

        for (; n < sizeof(row->within) && row->within[n]; n++) {
                at[n] = begin(o, number);
                number = row->within[n];
        }
        put_innermost(o, row, number, value, depth);
        while (n-- > 0)
                end(o, at[n]);
}

/* Which of its forms a parameter has. */
static void put_parameter(struct output *o, const struct value *value, unsigned depth) {
        const char *in = value_string_or(value_get(value, "in"), "");

        for (size_t i = 0; i < parameter.n; i++)
                if (strcmp(parameter.rows[i].key, in) == 0)
                        return put_row(o, &parameter.rows[i], value, depth);
        o->error = o->error ?: -EINVAL;
}

static void put_message(struct output *o, const struct message *message, const struct value *value, unsigned depth) {
        if (depth > DEPTH_MAX)
                o->error = -EINVAL;
        if (o->error < 0)
                return;
        if (message == &parameter)
                return put_parameter(o, value, depth);
        for (size_t i = 0; i < message->n; i++) {
                const struct row *row = &message->rows[i];
                const struct value *member = row->key ? value_get(value, row->key) : value;

                if (member)
                        put_row(o, row, member, depth);
        }
        for (uint32_t i = 0; message->extensions && value_is(value, VALUE_MAP) && i < value->count; i++)
                if (strncmp(value->members[i].key, "x-", 2) == 0)
                        put_extension(o, message->extensions, value->members[i].key, &value->members[i].value);
}

int openapi_version2_protobuf(const char *json, size_t length, uint8_t **ret_bytes, size_t *ret_size) {
        const struct value_options options = { .nodes_max = UINT32_MAX, .bytes_max = SIZE_MAX };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct output o = { 0 };
        const struct value *tree;
        int r = arena ? json_parse(arena, json, length, &options, &tree, NULL) : -ENOMEM;

        if (r < 0)
                return r;
        put_message(&o, &document, tree, 0);
        if (o.error < 0) {
                free(o.bytes);
                return o.error;
        }
        *ret_bytes = o.bytes;
        *ret_size = o.length;
        return 0;
}

#include "kube/openapi/version2.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kube/kinds.h"
#include "kube/openapi/openapi.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/table.h"
#include "lib/value.h"

#define SCHEMAS "#/components/schemas/"
#define DEFINITIONS "#/definitions/"

/* A group version that is in the document, or a definition. */
struct name {
        struct table_node in_table;
};

struct making {
        const struct kube_registry *registry;
        struct arena *arena; /* of names */
        struct table versions, defined;
        struct json_writer paths, definitions;
        int error;
};

/* Whether @text was not in @table. */
static bool is_new(struct making *m, struct table *table, const char *text) {
        struct name *name;

        if (table_find(table, text))
                return false;
        name = arena_new_of(m->arena, struct name);
        text = arena_strdup(m->arena, text);
        if (!name || !text || table_add(table, &name->in_table, text) < 0)
                m->error = -ENOMEM;
        return m->error == 0;
}

/* --- schemas: defaults and choices of types are not said in v2 --- */

static void write_schema(struct json_writer *w, const struct value *schema);

static void write_reference(struct json_writer *w, const char *reference) {
        char text[512];

        snprintf(text, sizeof(text), DEFINITIONS "%s",
                 strncmp(reference, SCHEMAS, strlen(SCHEMAS)) == 0 ? reference + strlen(SCHEMAS) : reference);
        json_add_string(w, "$ref", text);
}

static void write_properties(struct json_writer *w, const struct value *properties) {
        json_key(w, "properties");
        json_begin_map(w);
        for (uint32_t i = 0; i < value_count(properties); i++) {
                json_key(w, properties->members[i].key);
                write_schema(w, &properties->members[i].value);
        }
        json_end_map(w);
}

static void write_schema_member(struct json_writer *w, const char *key, const struct value *value) {
        if (strcmp(key, "default") == 0)
                return;
        if (strcmp(key, "$ref") == 0)
                write_reference(w, value_string_or(value, ""));
        else if (strcmp(key, "allOf") == 0)
                write_reference(w, value_string_or(value_get(value_at(value, 0), "$ref"), ""));
        else if (strcmp(key, "oneOf") == 0)
                json_add_string(w, "type", "string");
        else if (strcmp(key, "properties") == 0)
                write_properties(w, value);
        else {
                json_key(w, key);
                if (strcmp(key, "items") == 0 || strcmp(key, "additionalProperties") == 0)
                        write_schema(w, value);
                else
                        json_value(w, value);
        }
}

static void write_schema(struct json_writer *w, const struct value *schema) {
        json_begin_map(w);
        for (uint32_t i = 0; value_is(schema, VALUE_MAP) && i < schema->count; i++)
                write_schema_member(w, schema->members[i].key, &schema->members[i].value);
        json_end_map(w);
}

/* --- operations --- */

static void write_keys(struct json_writer *w, const char *name, const struct value *content) {
        if (value_count(content) == 0)
                return;
        json_key(w, name);
        json_begin_list(w);
        for (uint32_t i = 0; i < content->count; i++)
                json_string(w, content->members[i].key);
        json_end_list(w);
}

static void write_schema_of(struct json_writer *w, const struct value *content) {
        if (value_count(content) == 0)
                return;
        json_key(w, "schema");
        write_schema(w, value_get(&content->members[0].value, "schema"));
}

static void write_body(struct json_writer *w, const struct value *body) {
        json_begin_map(w);
        json_add_string(w, "name", "body");
        json_add_string(w, "in", "body");
        if (value_bool_or(value_get(body, "required"), false))
                json_add_bool(w, "required", true);
        write_schema_of(w, value_get(body, "content"));
        json_end_map(w);
}

/* What a parameter's schema says stands in the parameter itself. */
static void write_parameter(struct json_writer *w, const struct value *parameter) {
        json_begin_map(w);
        for (uint32_t i = 0; value_is(parameter, VALUE_MAP) && i < parameter->count; i++) {
                const struct value_member *member = &parameter->members[i];

                for (uint32_t k = 0; strcmp(member->key, "schema") == 0 && k < value_count(&member->value); k++) {
                        json_key(w, member->value.members[k].key);
                        json_value(w, &member->value.members[k].value);
                }
                if (strcmp(member->key, "schema") != 0) {
                        json_key(w, member->key);
                        json_value(w, &member->value);
                }
        }
        json_end_map(w);
}

static void write_parameters(struct json_writer *w, const struct value *parameters, const struct value *body) {
        if (value_count(parameters) == 0 && !body)
                return;
        json_key(w, "parameters");
        json_begin_list(w);
        if (body)
                write_body(w, body);
        for (uint32_t i = 0; i < value_count(parameters); i++)
                write_parameter(w, value_at(parameters, i));
        json_end_list(w);
}

static void write_responses(struct json_writer *w, const struct value *responses) {
        json_key(w, "responses");
        json_begin_map(w);
        for (uint32_t i = 0; i < value_count(responses); i++) {
                const struct value *response = &responses->members[i].value;

                json_key(w, responses->members[i].key);
                json_begin_map(w);
                json_add_string(w, "description", value_string_or(value_get(response, "description"), ""));
                write_schema_of(w, value_get(response, "content"));
                json_end_map(w);
        }
        json_end_map(w);
}

/* What is no operation on objects (a list of resources) takes what it gives. */
static void write_consumes(struct json_writer *w, const struct value *operation) {
        const struct value *content = value_get(value_get(operation, "requestBody"), "content");

        if (!value_get(operation, "x-kubernetes-action"))
                content = value_find(operation, "responses.200.content");
        if (content)
                return write_keys(w, "consumes", content);
        json_key(w, "consumes");
        json_begin_list(w);
        json_string(w, "*/*");
        json_end_list(w);
}

static void write_operation(struct json_writer *w, const struct value *operation) {
        const struct value *responses = value_get(operation, "responses");

        json_begin_map(w);
        write_consumes(w, operation);
        write_keys(w, "produces", value_get(value_get(responses, "200"), "content"));
        json_key(w, "schemes");
        json_begin_list(w);
        json_string(w, "https");
        json_end_list(w);
        for (uint32_t i = 0; value_is(operation, VALUE_MAP) && i < operation->count; i++) {
                const char *key = operation->members[i].key;

                if (strcmp(key, "tags") != 0 && strcmp(key, "operationId") != 0 && strncmp(key, "x-", 2) != 0)
                        continue;
                json_key(w, key);
                json_value(w, &operation->members[i].value);
        }
        write_parameters(w, value_get(operation, "parameters"), value_get(operation, "requestBody"));
        write_responses(w, responses);
        json_end_map(w);
}

static void write_item(struct json_writer *w, const struct value *item) {
        json_begin_map(w);
        for (uint32_t i = 0; value_is(item, VALUE_MAP) && i < item->count; i++) {
                const struct value_member *member = &item->members[i];

                if (strcmp(member->key, "parameters") == 0)
                        continue;
                json_key(w, member->key);
                write_operation(w, &member->value);
        }
        write_parameters(w, value_get(item, "parameters"), NULL);
        json_end_map(w);
}

/* --- documents of v3, one after the other --- */

static void add_document(struct making *m, const struct value *document) {
        const struct value *paths = value_get(document, "paths"), *schemas = value_find(document, "components.schemas");

        for (uint32_t i = 0; i < value_count(paths); i++) {
                json_key(&m->paths, paths->members[i].key);
                write_item(&m->paths, &paths->members[i].value);
        }
        for (uint32_t i = 0; m->error == 0 && i < value_count(schemas); i++) {
                if (!is_new(m, &m->defined, schemas->members[i].key))
                        continue;
                json_key(&m->definitions, schemas->members[i].key);
                write_schema(&m->definitions, &schemas->members[i].value);
        }
}

static int read_version(struct making *m, const char *group, const char *version) {
        const struct value_options options = { .nodes_max = UINT32_MAX, .bytes_max = SIZE_MAX };
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *document;
        int r = arena ? openapi_write(&w, m->registry, group, version) : -ENOMEM;

        if (r < 0 || (r = json_parse(arena, w.text, w.length, &options, &document, NULL)) < 0)
                return r;
        add_document(m, document);
        return 0;
}

static void visit(void *data, const struct kube_kind *kind) {
        struct making *m = data;
        char name[512];

        if (m->error < 0 || !kind->resource)
                return;
        snprintf(name, sizeof(name), "%s/%s", kind->group, kind->version);
        if (is_new(m, &m->versions, name))
                m->error = read_version(m, kind->group, kind->version);
}

static void write_all(struct json_writer *out, const struct making *m) {
        static const char info[] = "{\"title\":\"Kubernetes\",\"version\":\"1.36\"}",
                          security[] = "[{\"BearerToken\":[]}]",
                          schemes[] = "{\"BearerToken\":{\"description\":\"Bearer Token authentication\",\"type\":"
                                      "\"apiKey\",\"name\":\"authorization\",\"in\":\"header\"}}";

        json_begin_map(out);
        json_add_string(out, "swagger", "2.0");
        json_key(out, "info");
        json_raw(out, info, sizeof(info) - 1);
        json_key(out, "paths");
        json_raw(out, m->paths.text, m->paths.length);
        json_key(out, "definitions");
        json_raw(out, m->definitions.text, m->definitions.length);
        json_key(out, "securityDefinitions");
        json_raw(out, schemes, sizeof(schemes) - 1);
        json_key(out, "security");
        json_raw(out, security, sizeof(security) - 1);
        json_end_map(out);
}

static void make(struct making *m) {
        json_begin_map(&m->paths);
        json_begin_map(&m->definitions);
        kube_registry_each(m->registry, visit, m);
        json_end_map(&m->paths);
        json_end_map(&m->definitions);
        if (m->error == 0)
                m->error = m->paths.error ?: m->definitions.error;
}

int openapi_write_version2(struct json_writer *out, const struct kube_registry *registry) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct making m = { .registry = registry, .arena = arena };

        if (arena)
                make(&m);
        else
                m.error = -ENOMEM;
        if (m.error == 0)
                write_all(out, &m);
        else
                json_writer_fail(out, m.error);
        table_clear(&m.versions);
        table_clear(&m.defined);
        json_writer_done(&m.paths);
        json_writer_done(&m.definitions);
        return out->error;
}

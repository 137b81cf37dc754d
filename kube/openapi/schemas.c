/* Types as schemas: what their rows say. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/openapi/internal.h"
#include "kube/type.h"
#include "lib/cleanup.h"
#include "lib/grow.h"
#include "lib/json_writer.h"

/* Elements that are a schema in place, with the value that stands where nothing is given; NULL: none. */
static const struct {
        const char *type, *format, *zero;
} plain[] = {
        [KUBE_STRING] = { "string", NULL, "\"\"" },  [KUBE_BOOL] = { "boolean", NULL, "false" },
        [KUBE_INT32] = { "integer", "int32", "0" },  [KUBE_INT64] = { "integer", "int64", "0" },
        [KUBE_DOUBLE] = { "number", "double", "0" }, [KUBE_BYTES] = { "string", "byte", NULL },
        [KUBE_OBJECT] = { NULL, NULL, NULL },
};

/* Elements that have schemas of their own. */
static const struct {
        const char *name, *schema;
} named[] = {
        [KUBE_QUANTITY] = { "io.k8s.apimachinery.pkg.api.resource.Quantity",
                            "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]}" },
        [KUBE_TIME] = { OPENAPI_META "Time", "{\"type\":\"string\",\"format\":\"date-time\"}" },
        [KUBE_MICRO_TIME] = { OPENAPI_META "MicroTime", "{\"type\":\"string\",\"format\":\"date-time\"}" },
        [KUBE_INT_OR_STRING] = { "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
                                 "{\"format\":\"int-or-string\",\"oneOf\":[{\"type\":\"integer\"},"
                                 "{\"type\":\"string\"}]}" },
        [KUBE_JSON] = { "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON", "{}" },
        [KUBE_RAW] = { "io.k8s.apimachinery.pkg.runtime.RawExtension", "{\"type\":\"object\"}" },
        [KUBE_FIELDS] = { OPENAPI_META "FieldsV1", "{\"type\":\"object\"}" },
        [KUBE_OBJECT] = { NULL, NULL },
};

static bool has(const struct openapi_types *types, const struct kube_type *type) {
        for (size_t i = 0; i < types->n; i++)
                if (types->list[i] == type)
                        return true;
        return false;
}

static bool append(struct openapi_types *types, const struct kube_type *type) {
        int r = GROW(types->list, types->size, types->n + 1, GROW_NO_MAX);

        if (r == 0)
                types->list[types->n++] = type;
        else
                types->error = r; /* sticks */
        return r == 0;
}

/* What is added is looked into when its turn comes, so that depth costs nothing. */
void openapi_types_add(struct openapi_types *types, const struct kube_type *type) {
        size_t at = types->n;

        if (!type || has(types, type) || !append(types, type))
                return;
        for (; at < types->n; at++) {
                const struct kube_type *below = types->list[at];

                for (uint16_t i = 0; i < below->n_fields; i++) {
                        const struct kube_field *field = &below->fields[i];

                        if (field->element == KUBE_OBJECT && field->type && !has(types, field->type) &&
                            !append(types, field->type))
                                return;
                        types->scalars |= 1u << field->element;
                }
        }
}

void openapi_types_done(struct openapi_types *types) {
        free(types->list);
        types->list = NULL;
}

void openapi_write_reference(struct json_writer *w, const char *name) {
        char reference[256];

        snprintf(reference, sizeof(reference), "#/components/schemas/%s", name);
        json_begin_map(w);
        json_add_string(w, "$ref", reference);
        json_end_map(w);
}

static void write_default(struct json_writer *w, const char *text) {
        json_key(w, "default");
        json_raw(w, text, strlen(text));
}

static const char *name_of(const struct kube_field *field) {
        return field->element == KUBE_OBJECT ? field->type->name : named[field->element].name;
}

static void write_choices(struct json_writer *w, const char *texts) {
        json_key(w, "enum");
        json_begin_list(w);
        for (const char *at = texts; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
                json_string_length(w, at, strcspn(at, ","));
        json_end_list(w);
}

/* A field's element; the texts that it may be, NULL: any. */
struct element {
        const struct kube_field *field;
        const char *choices;
};

/* The members of an element's schema, within a map. @fallback: what stands for nothing; NULL: nothing does. */
static void write_element(struct json_writer *w, const struct element *e, const char *fallback) {
        const struct kube_field *field = e->field;

        if (field->element < ELEMENTS(plain) && plain[field->element].type) {
                json_add_string(w, "type", plain[field->element].type);
                if (plain[field->element].format)
                        json_add_string(w, "format", plain[field->element].format);
        } else {
                json_key(w, "allOf");
                json_begin_list(w);
                openapi_write_reference(w, name_of(field));
                json_end_list(w);
        }
        if (fallback)
                write_default(w, fallback);
        if (e->choices)
                write_choices(w, e->choices);
}

static const char *zero_of(const struct kube_field *field) {
        if (field->element == KUBE_OBJECT)
                return field->type->flags & KUBE_EITHER ? NULL : "{}";
        return field->element < ELEMENTS(plain) ? plain[field->element].zero : NULL;
}

/* A schema that nothing is added to is a reference alone. */
static void write_item(struct json_writer *w, const struct element *e) {
        const char *zero = zero_of(e->field);

        if (!zero && name_of(e->field)) {
                openapi_write_reference(w, name_of(e->field));
                return;
        }
        json_begin_map(w);
        write_element(w, e, zero);
        json_end_map(w);
}

static void write_list(struct json_writer *w, const struct element *e) {
        json_add_string(w, "type", "array");
        json_key(w, "items");
        write_item(w, e);
}

static void write_form(struct json_writer *w, const struct kube_type *type, const struct kube_field *field) {
        const struct element e = { field, openapi_choices(type, field) };
        bool always = field->flags & KUBE_ALWAYS;

        switch (field->form) {
        case KUBE_LIST:
                write_list(w, &e);
                break;
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                json_add_string(w, "type", "object");
                json_key(w, "additionalProperties");
                if (field->form == KUBE_MAP) {
                        write_item(w, &e);
                        break;
                }
                json_begin_map(w);
                write_list(w, &e);
                json_end_map(w);
                break;
        default:
                write_element(w, &e,
                              field->fallback                                                      ? field->fallback :
                              field->form == KUBE_ONE && (always || field->element == KUBE_OBJECT) ? zero_of(field) :
                                                                                                     NULL);
        }
        if (field->form >= KUBE_LIST && field->fallback)
                write_default(w, field->fallback);
}

static void write_extensions(struct json_writer *w, const struct kube_field *field) {
        static const char *const lists[] = {
                [KUBE_LIST_PLAIN] = NULL,
                [KUBE_LIST_ATOMIC] = "atomic",
                [KUBE_LIST_SET] = "set",
                [KUBE_LIST_MAP] = "map",
        };
        bool merge = field->flags & KUBE_PATCH_MERGE, retain = field->flags & KUBE_PATCH_RETAIN;

        json_add_string_if(w, "x-kubernetes-list-type", lists[field->list]);
        if (field->map_keys)
                json_add_texts(w, "x-kubernetes-list-map-keys", field->map_keys);
        if (field->flags & KUBE_ATOMIC)
                json_add_string(w, "x-kubernetes-map-type", "atomic");
        if (merge || retain || field->flags & KUBE_PATCH_REPLACE)
                json_add_string(w, "x-kubernetes-patch-strategy",
                                merge && retain ? "merge,retainKeys" :
                                merge           ? "merge" :
                                retain          ? "retainKeys" :
                                                  "replace");
        json_add_string_if(w, "x-kubernetes-patch-merge-key", field->patch_key);
}

static void write_required(struct json_writer *w, const struct kube_type *type) {
        bool any = false;

        for (uint16_t i = 0; i < type->n_fields; i++) {
                if (!(type->fields[i].flags & KUBE_REQUIRED))
                        continue;
                if (!any) {
                        json_key(w, "required");
                        json_begin_list(w);
                }
                any = true;
                json_string(w, type->fields[i].name);
        }
        if (any)
                json_end_list(w);
}

/* A kind that is looked for by its type. */
struct kind_search {
        struct json_writer *out;
        const struct kube_type *type;
        const char *group, *version;
        bool found;
};

static void add_identity(struct kind_search *search, const char *group, const char *version, const char *kind) {
        if (!search->found) {
                json_key(search->out, "x-kubernetes-group-version-kind");
                json_begin_list(search->out);
        }
        search->found = true;
        json_begin_map(search->out);
        json_add_string(search->out, "group", group);
        json_add_string(search->out, "version", version);
        json_add_string(search->out, "kind", kind);
        json_end_map(search->out);
}

/* Options and events are part of every group; what else is nobody's is the core's. */
static void try_kind(void *data, const struct kube_kind *kind) {
        struct kind_search *search = data;
        bool meta = strcmp(kind->group, KUBE_META_GROUP) == 0;

        if (kind->type != search->type)
                return;
        add_identity(search, meta ? "" : kind->group, kind->version, kind->kind);
        if (meta && *search->group &&
            (strcmp(kind->kind, "DeleteOptions") == 0 || strcmp(kind->kind, "WatchEvent") == 0))
                add_identity(search, search->group, search->version, kind->kind);
}

static void write_identity(const struct openapi_document *d, const struct kube_type *type) {
        struct kind_search search = { d->out, type, d->group, d->version, false };

        kube_registry_each(d->registry, try_kind, &search);
        if (search.found)
                json_end_list(d->out);
}

static void write_type(const struct openapi_document *d, const struct kube_type *type) {
        struct json_writer *w = d->out;

        json_key(w, type->name);
        json_begin_map(w);
        if (type->flags & KUBE_EITHER) { /* one of several forms, which a schema of this kind cannot tell */
                json_end_map(w);
                return;
        }
        json_add_string(w, "type", "object");
        if (type->n_fields > 0) {
                json_key(w, "properties");
                json_begin_map(w);
        }
        for (uint16_t i = 0; i < type->n_fields; i++) {
                json_key(w, type->fields[i].name);
                json_begin_map(w);
                write_form(w, type, &type->fields[i]);
                write_extensions(w, &type->fields[i]);
                json_end_map(w);
        }
        if (type->n_fields > 0)
                json_end_map(w);
        write_required(w, type);
        write_identity(d, type);
        json_end_map(w);
}

void openapi_write_schemas(const struct openapi_document *d) {
        struct json_writer *w = d->out;

        json_key(w, "components");
        json_begin_map(w);
        json_key(w, "schemas");
        json_begin_map(w);
        for (size_t i = 0; i < d->types.n; i++)
                write_type(d, d->types.list[i]);
        for (size_t i = 0; i < ELEMENTS(named); i++)
                if (named[i].name && d->types.scalars & 1u << i) {
                        json_key(w, named[i].name);
                        json_raw(w, named[i].schema, strlen(named[i].schema));
                }
        if (d->types.patch) {
                json_key(w, OPENAPI_META "Patch");
                json_raw(w, "{\"type\":\"object\"}", strlen("{\"type\":\"object\"}"));
        }
        json_end_map(w);
        json_key(w, "securitySchemes");
        json_begin_map(w);
        json_key(w, "BearerToken");
        json_begin_map(w);
        json_add_string(w, "type", "apiKey");
        json_add_string(w, "name", "authorization");
        json_add_string(w, "in", "header");
        json_end_map(w);
        json_end_map(w);
        json_end_map(w);
}

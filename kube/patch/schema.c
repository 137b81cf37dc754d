#include "kube/patch/schema.h"

#include <string.h>
#include <strings.h>

#include "kube/patch/patch.h"
#include "lib/err.h"

/* What Go has for values that are no objects. Some are structs, without a field that JSON knows. */
static const struct {
        const char *kind, *name;
} go_types[] = {
        [KUBE_STRING] = { "string", NULL },
        [KUBE_BOOL] = { "bool", NULL },
        [KUBE_INT32] = { "int32", NULL },
        [KUBE_INT64] = { "int64", NULL },
        [KUBE_DOUBLE] = { "float64", NULL },
        [KUBE_QUANTITY] = { "struct", "Quantity" },
        [KUBE_TIME] = { "struct", "Time" },
        [KUBE_MICRO_TIME] = { "struct", "MicroTime" },
        [KUBE_INT_OR_STRING] = { "struct", "IntOrString" },
        [KUBE_BYTES] = { "slice", NULL },
        [KUBE_JSON] = { "struct", "JSON" },
        [KUBE_RAW] = { "struct", "RawExtension" },
        [KUBE_FIELDS] = { "struct", "FieldsV1" },
};

struct patch_schema patch_schema_of(const struct kube_type *type) {
        return (struct patch_schema){ .type = type, .go_kind = "struct" };
}

static struct patch_schema element_schema(const struct kube_field *field) {
        const bool object = field->element == KUBE_OBJECT;

        return (struct patch_schema){
                .type = object ? field->type : NULL,
                .go_kind = object ? "struct" : go_types[field->element].kind,
                .go_name = object ? NULL : go_types[field->element].name,
                .pointer = field->form == KUBE_OPTIONAL,
        };
}

static bool is_map(const struct kube_field *field) {
        return field->form == KUBE_MAP || field->form == KUBE_MAP_OF_LISTS;
}

static struct patch_schema field_schema(const struct kube_field *field) {
        if (is_map(field))
                return (struct patch_schema){ .go_kind = "map" };
        if (field->form == KUBE_LIST)
                return (struct patch_schema){ .go_kind = "slice" };
        return element_schema(field);
}

/* The last part of "io.k8s.api.core.v1.Container". */
static const char *short_name(const struct patch_schema *schema) {
        const char *dot;

        if (!schema->type)
                return schema->go_name;
        dot = strrchr(schema->type->name, '.');
        return dot ? dot + 1 : schema->type->name;
}

/* As Go's JSON finds fields: by the very name, else without regard to case. */
static const struct kube_field *find(const struct kube_type *type, const char *key) {
        const struct kube_field *field = kube_type_field(type, key, strlen(key));

        for (uint16_t i = 0; !field && i < type->n_fields; i++)
                if (strcasecmp(type->fields[i].name, key) == 0)
                        field = &type->fields[i];
        return field;
}

int patch_lookup(const struct patch_schema *schema, const char *key, bool list, struct patch_field *ret_field,
                 struct err **err) {
        const struct kube_field *field = schema->type ? find(schema->type, key) : NULL;

        if (strcmp(schema->go_kind, "struct") != 0)
                return err_set(err, PATCH_INCONSISTENT,
                               "merging an object in json but data type is not struct, instead is: %s",
                               schema->go_kind);
        if (!field)
                return err_set(err, PATCH_INCONSISTENT,
                               "unable to find api field in struct %s for the json field \"%.200s\"",
                               short_name(schema), key);
        if (list && field->form != KUBE_LIST && field->form != KUBE_OPTIONAL)
                return err_set(err, PATCH_INCONSISTENT, "expected slice or array type, but got: %s",
                               schema->pointer ? "ptr" : schema->go_kind);
        *ret_field = (struct patch_field){
                .below = list ? element_schema(field) : field_schema(field),
                .merge_key = field->patch_key,
                .merge = field->flags & KUBE_PATCH_MERGE,
                .replace = field->flags & KUBE_PATCH_REPLACE,
                .retain_keys = field->flags & KUBE_PATCH_RETAIN,
        };
        return 0;
}

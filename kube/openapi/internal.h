/* What the files of a document share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/kinds.h"

struct json_writer;
struct kube_field;
struct kube_type;

#define OPENAPI_META "io.k8s.apimachinery.pkg.apis.meta.v1."

/* The types that a document has schemas of, each once. */
struct openapi_types {
        const struct kube_type **list;
        size_t n, size;
        uint32_t scalars; /* 1 << enum kube_element: those that have a schema of their own */
        bool patch;       /* the body of PATCH has one too */
        int error;
};

struct openapi_document {
        struct json_writer *out;
        const struct kube_registry *registry;
        const char *group, *version;
        struct openapi_types types;
};

/* Adds @type, NULL too, and all below it. */
void openapi_types_add(struct openapi_types *types, const struct kube_type *type);
void openapi_types_done(struct openapi_types *types);

/* The texts that @field of @type may be, commas between them; the first may be empty. NULL: any. */
const char *openapi_choices(const struct kube_type *type, const struct kube_field *field);

/* Writes "components". */
void openapi_write_schemas(const struct openapi_document *document);

/* {"$ref": ...} to a schema by its name. */
void openapi_write_reference(struct json_writer *out, const char *name);

/* Writes the paths of @kind's resource, and adds the types that they name. */
void openapi_write_paths(struct openapi_document *document, const struct kube_kind *kind);

/* Writes the path of the group version itself, which lists its resources. */
void openapi_write_root(struct openapi_document *document);

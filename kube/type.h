/* What a type of the API looks like, as data: one table serves typed structs and work on trees of values.
 *
 * Every type of Kubernetes is a struct kube_type generated from kube/facts (contrib/kinds), together with its C struct
 * (gen/kube/GROUP_VERSION.h: `struct kube_container` and `kube_container_type`). A type made at run time, from a
 * CustomResourceDefinition's schema, is the same struct with size 0: trees only. Types refer to themselves where the
 * API does.
 *
 * C members: a thing not given is zeroed memory.
 *
 *     element            KUBE_ONE                  KUBE_OPTIONAL (a pointer in Go: absent is not empty)
 *     KUBE_STRING        const char *, NULL: ""    const char *, NULL: absent
 *     KUBE_BOOL          bool                      enum tri
 *     KUBE_INT32, _INT64 int32_t, int64_t          struct opt_int
 *     KUBE_DOUBLE        double                    struct opt_double
 *     KUBE_QUANTITY      struct quantity           struct opt_quantity
 *     KUBE_TIME, _MICRO  struct kube_time (.set)   the same
 *     KUBE_INT_OR_STRING struct int_or_string      the same (.set)
 *     KUBE_BYTES         struct kube_bytes         the same, data NULL: absent
 *     KUBE_JSON, _RAW, _FIELDS   struct kube_raw, its text compact JSON, NULL: absent
 *     KUBE_OBJECT        the struct itself         pointer to it
 *
 * KUBE_LIST is LIST_OF(element), KUBE_MAP LIST_OF(struct ..._entry: key, then the value at KUBE_ENTRY_VALUE), sorted by
 * key; KUBE_MAP_OF_LISTS a map whose values are LIST_OF(element). Their elements are as KUBE_ONE. items NULL: absent,
 * else empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/types.h"

enum kube_element {
        KUBE_STRING,
        KUBE_BOOL,
        KUBE_INT32,
        KUBE_INT64,
        KUBE_DOUBLE,
        KUBE_QUANTITY,
        KUBE_TIME,       /* RFC 3339, whole seconds */
        KUBE_MICRO_TIME, /* with six digits */
        KUBE_INT_OR_STRING,
        KUBE_BYTES,  /* base64 in JSON */
        KUBE_JSON,   /* anything */
        KUBE_RAW,    /* RawExtension: an object of any kind */
        KUBE_FIELDS, /* FieldsV1: a set of paths */
        KUBE_OBJECT, /* of field.type */
};

enum kube_form { KUBE_ONE, KUBE_OPTIONAL, KUBE_LIST, KUBE_MAP, KUBE_MAP_OF_LISTS };

/* x-kubernetes-list-type; a list without one is KUBE_LIST_PLAIN, merged as atomic is. */
enum kube_list_type { KUBE_LIST_PLAIN, KUBE_LIST_ATOMIC, KUBE_LIST_SET, KUBE_LIST_MAP };

enum {                              /* kube_field.flags */
       KUBE_REQUIRED = 1 << 0,      /* the schema wants it */
       KUBE_ALWAYS = 1 << 1,        /* written also when empty: no omitempty in Go; a list or map not given is null */
       KUBE_OMIT_ZERO = 1 << 2,     /* omitted when zero although it is a struct in Go */
       KUBE_ATOMIC = 1 << 3,        /* x-kubernetes-map-type: atomic, of a map or an object */
       KUBE_PATCH_MERGE = 1 << 4,   /* patchStrategy merge; by patch_key, or for scalars by themselves */
       KUBE_PATCH_RETAIN = 1 << 5,  /* patchStrategy retainKeys */
       KUBE_PATCH_REPLACE = 1 << 6, /* patchStrategy replace */
       KUBE_WRAPPED = 1 << 7,       /* in protobuf its list is a message with one field, items = 1 */
       KUBE_GRANULAR = 1 << 8,      /* x-kubernetes-map-type: granular, of a map or an object */
};

struct kube_type;

/* A type has at most so many fields; the generator holds to it. */
#define KUBE_FIELDS_MAX 64

struct kube_field {
        const char *name;             /* in JSON */
        const struct kube_type *type; /* of KUBE_OBJECT; NULL for all else */
        const char *fallback;         /* the schema's default as JSON text, "\"TCP\"" or "86400"; NULL: none */
        const char *patch_key;        /* of KUBE_PATCH_MERGE in a list of objects: "name"; NULL otherwise */
        const char *const *map_keys;  /* of KUBE_LIST_MAP: ends with NULL; NULL otherwise */
        uint16_t offset;              /* of its member; 0 in a type without a C struct */
        uint8_t name_length;
        uint8_t element; /* enum kube_element */
        uint8_t form;    /* enum kube_form */
        uint8_t list;    /* enum kube_list_type */
        uint16_t flags;
};

/* The protobuf message: its fields by number. What Go embeds (VolumeSource in Volume) is flat in JSON and in C, but a
 * message of its own here: an entry with @part, whose entries are fields of the same type. */
struct kube_wire {
        const struct kube_wire *part; /* NULL: @index is of type.fields */
        uint16_t number;
        uint16_t index; /* with @part: how many entries it has */
};

enum {                             /* kube_type.flags */
       KUBE_KIND = 1 << 0,         /* an object of the API by itself: its first fields are kind and apiVersion */
       KUBE_EITHER = 1 << 1,       /* JSONSchemaPropsOr...: its JSON is the value of the one field that is given */
       KUBE_KEEP_UNKNOWN = 1 << 2, /* fields without a row are kept (x-kubernetes-preserve-unknown-fields) */
       KUBE_MESSAGE = 1 << 3,      /* has a protobuf form */
       KUBE_WHOLE = 1 << 4,        /* x-kubernetes-map-type: atomic, where a field of it does not say otherwise */
};

struct kube_type {
        const char *name;                /* "io.k8s.api.core.v1.Container" */
        const struct kube_field *fields; /* in the order in which the API server writes them */
        const struct kube_wire *wire;    /* sorted by number; of KUBE_MESSAGE types */
        const uint8_t *slots;            /* 1 << slot_bits: index + 1 of the field with that hash, or 0; NULL: none */
        uint32_t size;                   /* of the C struct; 0: none */
        uint16_t n_fields, n_wire;
        uint8_t slot_bits;
        uint8_t flags;
        uint32_t seed; /* of the hash, kube/type.c */
};

/* Where the value is in an entry of a map; the key, a const char *, is at 0. */
#define KUBE_ENTRY_VALUE sizeof(const char *)

/* Bytes of one item of a list, and of one entry of a map. */
size_t kube_element_size(const struct kube_field *field);
size_t kube_entry_size(const struct kube_field *field);

/* The field called @name (@length bytes, need not end with NUL); NULL when there is none. */
const struct kube_field *kube_type_field(const struct kube_type *type, const char *name, size_t length);

/* The field at the end of @path ("spec.template.metadata"), through lists and maps of objects alike; NULL when there is
 * none. */
const struct kube_field *kube_type_find(const struct kube_type *type, const char *path);

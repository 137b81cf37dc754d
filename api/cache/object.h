/* One version of one object, as its readers need it: bytes to send, and what it is selected by. Immutable and counted;
 * safe across threads. What is kept is packed (api/cache/pack.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;
struct pack_dictionary;
struct packer;

struct object_label {
        const char *key, *value;
};

struct object {
        uint32_t refs;
        uint16_t n_labels, n_fields;
        int64_t revision;                   /* resourceVersion */
        const char *namespace, *name;       /* namespace "": of the cluster */
        struct pack_dictionary *dictionary; /* that it is packed with; NULL: it is not */
        union {
                struct bytes *plain;
                const void *packed; /* behind the texts */
        } json;
        uint32_t packed_size, plain_size;  /* of one that is packed */
        const struct object_label *labels; /* sorted by key */
        const char *const *fields; /* what field selectors ask for, by the order of the kind's list; never NULL */
};

/* What an object is made of; everything is copied but @json, of which a reference is taken. */
struct object_parts {
        int64_t revision;
        const char *namespace, *name;
        struct bytes *json;
        const struct object_label *labels; /* in any order; a key once */
        const char *const *fields;
        uint16_t n_labels, n_fields;
};

/* One reference; NULL without memory. */
struct object *object_new(const struct object_parts *parts);

/* The same object with its JSON packed; one reference, of @object itself where that makes it no smaller or there is no
 * memory. */
struct object *object_pack(struct object *object, struct packer *packer);

/* The object in the API server's encoding; one reference. NULL without memory. */
struct bytes *object_json(const struct object *object);
size_t object_json_size(const struct object *object);

struct object *object_ref(struct object *object);
struct object *object_unref(struct object *object); /* NULL is fine; returns NULL */
void object_unrefp(struct object **object);
#define _cleanup_object_ __attribute__((cleanup(object_unrefp)))

/* The value of label @key; NULL when there is none. */
const char *object_label(const struct object *object, const char *key);

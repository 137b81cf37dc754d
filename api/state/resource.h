/* A resource: the objects of one name in one group, whichever of its versions clients speak. They are kept in one
 * version, in one collection. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/table.h"

struct api_kept;
struct arena;
struct collection;
struct kube_kind;
struct object;
struct object_parts;
struct selector_field_kind;
struct value;

/* Lists that are kept; api/state/kept.c's. */
struct api_lists {
        pthread_mutex_t lock;
        struct api_kept *all; /* API_KEPT_LISTS_MAX; NULL: none was ever kept */
        unsigned next;
        atomic_bool any;
};

struct api_resource {
        const char *group, *name;
        const struct kube_kind *kind; /* in whose version objects are kept */
        struct collection *collection;
        const struct selector_field_kind *fields; /* what objects are selected by: object->fields are its values */
        char *head; /* what each object's JSON begins with: {"kind":"ConfigMap","apiVersion":"v1", */
        size_t head_length;
        char *key; /* "core/configmaps": in the state's table, and what the keys in the store begin with */
        struct table_node in_state;
        struct api_lists lists;
};

/* A resource whose objects are kept as @kind's; *@told as collection_new() has it. NULL without memory. */
struct api_resource *api_resource_new(const struct kube_kind *kind, const _Atomic int64_t *told);
struct api_resource *api_resource_free(struct api_resource *resource); /* NULL is fine */

/* What @tree, an object, is found by: names, labels, fields; texts are the tree's or in @arena. -ENOMEM or 0. */
int api_resource_parts(const struct api_resource *resource, struct arena *arena, const struct value *tree,
                       struct object_parts *ret_parts);

/* What field selectors find at @label in @object, one of @resource's: a kind's own field, "" where it is empty. */
const char *api_resource_field(const struct api_resource *resource, const struct object *object, const char *label);

#include "api/state/resource.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/state/kept.h"
#include "kube/kinds.h"
#include "kube/selector/field.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"

#define CORE "core" /* the group without a name, in keys */

static char *make_head(const struct kube_kind *kind) {
        char *head;
        int n = asprintf(&head, "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",", kind->kind, kind->group,
                         *kind->group ? "/" : "", kind->version);

        return n < 0 ? NULL : head;
}

struct api_resource *api_resource_new(const struct kube_kind *kind, const _Atomic int64_t *told) {
        struct api_resource *resource = calloc(1, sizeof(*resource));

        if (!resource)
                return NULL;
        pthread_mutex_init(&resource->lists.lock, NULL);
        resource->group = kind->group;
        resource->name = kind->resource;
        resource->kind = kind;
        resource->fields = selector_field_kind_of(kind->group, kind->version, kind->kind);
        resource->collection = collection_new(told);
        resource->head = make_head(kind);
        if (asprintf(&resource->key, "%s/%s", *kind->group ? kind->group : CORE, kind->resource) < 0)
                resource->key = NULL;
        if (!resource->collection || !resource->head || !resource->key)
                return api_resource_free(resource);
        resource->head_length = strlen(resource->head);
        return resource;
}

struct api_resource *api_resource_free(struct api_resource *resource) {
        if (!resource)
                return NULL;
        api_kept_drop(resource);
        free(resource->lists.all);
        pthread_mutex_destroy(&resource->lists.lock);
        collection_free(resource->collection);
        free(resource->head);
        free(resource->key);
        free(resource);
        return NULL;
}

static int take_labels(struct arena *arena, const struct value *labels, struct object_parts *parts) {
        uint32_t n = value_is(labels, VALUE_MAP) ? value_count(labels) : 0;
        struct object_label *all;

        if (n > UINT16_MAX)
                return -E2BIG;
        if (n == 0)
                return 0;
        all = arena_alloc_array(arena, n, sizeof(*all));
        if (!all)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++)
                all[i] =
                        (struct object_label){ labels->members[i].key, value_string_or(&labels->members[i].value, "") };
        parts->labels = all;
        parts->n_labels = (uint16_t)n;
        return 0;
}

static int take_fields(const struct api_resource *resource, struct arena *arena, const struct value *tree,
                       struct object_parts *parts) {
        const char **all = arena_alloc_array(arena, resource->fields->n, sizeof(*all));
        int r = all ? selector_field_values(arena, resource->fields, tree, all) : -ENOMEM;

        if (r < 0)
                return r;
        parts->fields = all;
        parts->n_fields = (uint16_t)resource->fields->n;
        return 0;
}

int api_resource_parts(const struct api_resource *resource, struct arena *arena, const struct value *tree,
                       struct object_parts *ret_parts) {
        const struct value *meta = value_get(tree, "metadata");
        struct object_parts parts = { .namespace = value_string_or(value_get(meta, "namespace"), ""),
                                      .name = value_string_or(value_get(meta, "name"), "") };
        int r = take_labels(arena, value_get(meta, "labels"), &parts) ?: take_fields(resource, arena, tree, &parts);

        if (r < 0)
                return r;
        *ret_parts = parts;
        return 0;
}

const char *api_resource_field(const struct api_resource *resource, const struct object *object, const char *label) {
        for (size_t i = 0; i < object->n_fields; i++)
                if (strcmp(resource->fields->fields[i].label, label) == 0)
                        return object->fields[i];
        return "";
}

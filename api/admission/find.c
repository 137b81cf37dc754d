/* What plugins ask: objects that are there, and who may what. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/access/access.h"
#include "api/admission/plugin.h"
#include "api/auth/attributes.h"
#include "api/auth/authorizer.h"
#include "api/cache/collection.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "kube/meta_v1.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"

struct kube_object_meta *admission_meta(const struct admission *a, const void *object) {
        const struct kube_field *field = kube_type_field(a->r->resource->kind->type, "metadata", strlen("metadata"));

        return (void *)((char *)object + field->offset);
}

const char *admission_named(const struct admission *a) {
        const struct value *meta = value_get(a->r->sent, "metadata");

        return *a->name ? a->name : value_string_or(value_get(meta, "generateName"), "Unknown");
}

enum api_step admission_forbid(struct admission *a, const char *format, ...) {
        const struct kube_kind *kind = a->r->kind;
        const char *name = admission_named(a);
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (n < 0) {
                text = NULL;
                return api_fail(a->r, -ENOMEM, NULL);
        }
        return api_refuse_object(a->r, API_FORBIDDEN, name, "%s%s%s \"%s\" is forbidden: %s", kind->resource,
                                 *kind->group ? "." : "", kind->group, name, text);
}

/* --- what is there --- */

static int read_one(const struct admission *a, const struct api_resource *of, const struct object *object,
                    const void **ret_object) {
        void *read = arena_alloc(a->arena, of->kind->type->size);
        int r = read ? api_struct_of(a->arena, of->kind->type, object, read) : -ENOMEM;

        if (r == 0)
                *ret_object = read;
        return r;
}

int admission_get(const struct admission *a, const char *group, const char *resource, const char *namespace,
                  const char *name, const void **ret_object) {
        struct api_resource *of = api_state_find(a->r->server->config.state, group, resource);
        _cleanup_object_ struct object *object = of ? collection_get(of->collection, namespace, name) : NULL;

        return object ? read_one(a, of, object, ret_object) : -ENOENT;
}

int admission_list(const struct admission *a, const char *group, const char *resource, const char *namespace,
                   struct admission_list *ret_list) {
        struct api_resource *of = api_state_find(a->r->server->config.state, group, resource);
        const struct collection_query query = { .filter = { .namespace = *namespace ? namespace : NULL } };
        struct collection_page page;
        const void **items;
        int r;

        *ret_list = (struct admission_list){ 0 };
        if (!of || collection_count(of->collection) == 0)
                return 0;
        r = collection_list(of->collection, &query, &page);
        if (r < 0)
                return r;
        items = arena_alloc_array(a->arena, page.n, sizeof(*items));
        r = items ? 0 : -ENOMEM;
        for (size_t i = 0; r == 0 && i < page.n; i++)
                r = read_one(a, of, page.objects[i], &items[i]);
        if (r == 0)
                *ret_list = (struct admission_list){ items, page.n };
        collection_page_clear(&page);
        return r;
}

bool admission_may(const struct admission *a, const struct admission_question *question, const char **ret_reason) {
        struct auth_attributes attributes = AUTH_ATTRIBUTES(&a->r->user);
        size_t n;
        const struct auth_authorizer *chain = api_access_chain(a->r->server->config.data, &n);
        struct auth_verdict verdict;

        attributes.is_resource = true;
        attributes.verb = question->verb;
        attributes.group = question->group;
        attributes.version = question->version;
        attributes.resource = question->resource;
        attributes.subresource = question->sub;
        attributes.namespace = question->namespace;
        attributes.name = question->name;
        verdict = auth_authorize(chain, n, &attributes, a->arena);
        if (ret_reason)
                *ret_reason = verdict.reason ?: "";
        return verdict.decision == AUTH_ALLOW;
}

/* --- changes --- */

void *admission_grow(struct arena *arena, void *list, size_t size) {
        struct list *l = list;
        char *items = arena_alloc_array(arena, (size_t)l->count + 1, size);

        if (!items)
                return NULL;
        if (l->count > 0)
                memcpy(items, l->items, l->count * size);
        l->items = items;
        return items + l->count++ * size;
}

int admission_put(struct arena *arena, string_map *map, const char *key, const char *value) {
        struct string_pair *last;
        uint32_t at = 0;

        while (at < map->count && strcmp(map->items[at].key, key) < 0)
                at++;
        if (at < map->count && strcmp(map->items[at].key, key) == 0) {
                map->items[at].value = value;
                return 0;
        }
        last = admission_grow(arena, map, sizeof(*last));
        if (!last)
                return -ENOMEM;
        memmove(map->items + at + 1, map->items + at, (map->count - 1 - at) * sizeof(*last));
        map->items[at] = (struct string_pair){ key, value };
        return 0;
}

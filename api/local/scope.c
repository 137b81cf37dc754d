/* What is asked for, in the cache's terms; and what is there, in the client's. */
#include <errno.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/local/internal.h"
#include "api/rest/selector.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "lib/arena.h"
#include "lib/bytes.h"

struct client_object *local_object(const struct client_scope *scope, const struct api_resource *of,
                                   const struct object *object, int64_t revision) {
        bool same = scope->kind == of->kind;
        _cleanup_arena_ struct arena *arena = same ? NULL : arena_new();
        _cleanup_bytes_ struct bytes *json = same ? object_json(object) : NULL;
        int r = json ? 0 : arena ? api_json_as(arena, scope->kind, of->kind, object, &json) : -ENOMEM;

        return r < 0 ? NULL : client_object_new(revision, object->namespace, object->name, json);
}

int local_scope_copy(struct arena *arena, const struct client_scope *scope, struct client_scope *ret_copy) {
        *ret_copy = (struct client_scope){ .kind = scope->kind,
                                           .namespace = arena_strdup(arena, scope->namespace),
                                           .labels = arena_strdup(arena, scope->labels),
                                           .fields = arena_strdup(arena, scope->fields) };
        if ((scope->namespace && !ret_copy->namespace) || (scope->labels && !ret_copy->labels) ||
            (scope->fields && !ret_copy->fields))
                return -ENOMEM;
        return 0;
}

int local_scope_filter(struct arena *arena, const struct client_scope *scope, const struct api_resource *of,
                       struct api_selector *ret_selector, struct collection_filter *ret_filter) {
        const char *labels = scope->labels ?: "", *fields = scope->fields ?: "";
        const struct selector_query query = { scope->kind->version, fields, strlen(fields) };
        int r = selector_label_parse(arena, labels, strlen(labels), &ret_selector->labels, NULL);

        r = r ?: selector_field_parse(arena, of->fields, &query, &ret_selector->fields, NULL);
        *ret_filter = (struct collection_filter){
                .namespace = scope->namespace,
                .matches = *labels || *fields ? api_selector_matches : NULL,
                .data = ret_selector,
        };
        return r;
}

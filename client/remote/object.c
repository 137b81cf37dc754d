#include <stdlib.h>

#include "client/remote/internal.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

struct client_object *remote_object(const struct value *tree, const char *json, size_t length) {
        const struct value *meta = value_get(tree, "metadata");
        const char *version = value_string_or(value_get(meta, "resourceVersion"), "0");
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_bytes_ struct bytes *bytes = NULL;
        _cleanup_free_ char *text = NULL;

        if (!json) {
                json_value(&w, tree);
                if (json_writer_finish(&w, &text, &length) < 0)
                        return NULL;
                json = text;
        }
        bytes = bytes_copy(json, length);
        return bytes ? client_object_new(strtoll(version, NULL, 10), value_string_or(value_get(meta, "namespace"), ""),
                                         value_string_or(value_get(meta, "name"), ""), bytes) :
                       NULL;
}

const char *remote_scope_query(struct arena *arena, const struct client_scope *scope) {
        const char *labels = scope->labels ? client_escape(arena, scope->labels) : "",
                   *fields = scope->fields ? client_escape(arena, scope->fields) : "";

        if (!labels || !fields)
                return NULL;
        return arena_printf(arena, "%s%s%s%s", *labels ? "&labelSelector=" : "", labels,
                            *fields ? "&fieldSelector=" : "", fields);
}

const char *remote_scope_path(struct arena *arena, const struct client_scope *scope) {
        return client_path(arena, scope->kind, scope->namespace, NULL, NULL);
}

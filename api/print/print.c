#include "api/print/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/object.h"
#include "api/print/columns.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/http/message.h"
#include "lib/json_writer.h"
#include "lib/value.h"

#define META_VERSION "meta.k8s.io/v1"

/* Which object a row carries: ?includeObject=. */
enum include { INCLUDE_METADATA, INCLUDE_NONE, INCLUDE_OBJECT };

static enum include include_of(const struct api_request *r) {
        const char *text = r->options.include_object;

        return !text                       ? INCLUDE_METADATA :
               strcmp(text, "None") == 0   ? INCLUDE_NONE :
               strcmp(text, "Object") == 0 ? INCLUDE_OBJECT :
                                             INCLUDE_METADATA;
}

static void begin(struct json_writer *w, const char *kind) {
        json_begin_map(w);
        json_add_string(w, "kind", kind);
        json_add_string(w, "apiVersion", META_VERSION);
}

static void write_partial(struct json_writer *w, const struct value *tree, bool named) {
        if (named)
                begin(w, "PartialObjectMetadata");
        else
                json_begin_map(w);
        json_key(w, "metadata");
        json_value(w, value_get(tree, "metadata"));
        json_end_map(w);
}

static void write_columns(struct json_writer *w, const struct api_request *r) {
        uint32_t n;
        const struct print_column *columns = print_columns_of(r->kind, &n);

        json_key(w, "columnDefinitions");
        json_begin_list(w);
        for (uint32_t i = 0; i < n; i++) {
                json_begin_map(w);
                json_add_string(w, "name", columns[i].name);
                json_add_string(w, "type", columns[i].type);
                json_add_string(w, "format", columns[i].format);
                json_add_string(w, "description", "");
                json_add_int(w, "priority", columns[i].priority);
                json_end_map(w);
        }
        json_end_list(w);
}

static int write_row(struct json_writer *w, struct arena *arena, struct api_request *r, struct object *object) {
        const struct value *tree;
        enum include include = include_of(r);
        uint32_t n;
        const struct print_column *columns = print_columns_of(r->kind, &n);
        int error = api_tree_of(arena, object, &tree) ?: api_convert(arena, r->resource->kind, r->kind, tree, &tree);

        if (error < 0)
                return error;
        json_begin_map(w);
        json_key(w, "cells");
        json_begin_list(w);
        for (uint32_t i = 0; i < n; i++)
                columns[i].cell(w, arena, tree, columns[i].path);
        json_end_list(w);
        json_key(w, "object");
        if (include == INCLUDE_METADATA)
                write_partial(w, tree, true);
        else if (include == INCLUDE_OBJECT)
                json_value(w, tree);
        else
                json_null(w);
        json_end_map(w);
        return 0;
}

static struct bytes *finish(struct json_writer *w, int error) {
        _cleanup_free_ char *text = NULL;
        struct bytes *bytes;
        size_t length;

        if (error < 0 || json_writer_finish(w, &text, &length) < 0)
                return NULL;
        bytes = bytes_new(length + 1);
        if (!bytes)
                return NULL;
        memcpy(bytes->data, text, length);
        bytes->data[length] = '\n';
        return bytes;
}

/* @metadata NULL: the only object's own revision. */
static struct bytes *print_table(struct api_request *r, struct object *const *objects, size_t n, const char *metadata,
                                 bool columns) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true, .size_max = (size_t)1 << 30 };
        _cleanup_arena_ struct arena *arena = arena_new();
        int error = arena ? 0 : -1;

        begin(&w, "Table");
        json_key(&w, "metadata");
        if (metadata)
                json_raw(&w, metadata, strlen(metadata));
        else {
                char text[24];

                snprintf(text, sizeof(text), "%lld", (long long)objects[0]->revision);
                json_begin_map(&w);
                json_add_string(&w, "resourceVersion", text);
                json_end_map(&w);
        }
        if (columns)
                write_columns(&w, r);
        else {
                json_key(&w, "columnDefinitions");
                json_null(&w);
        }
        json_key(&w, "rows");
        json_begin_list(&w);
        for (size_t i = 0; i < n && error == 0; i++) {
                error = write_row(&w, arena, r, objects[i]);
                arena_reset(arena);
        }
        json_end_list(&w);
        json_end_map(&w);
        return finish(&w, error);
}

static struct bytes *print_partial(struct api_request *r, struct object *object) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree = NULL;
        int error = arena ? api_tree_of(arena, object, &tree) : -1;

        write_partial(&w, tree, true);
        return finish(&w, error);
}

static struct bytes *print_partials(struct api_request *r, struct object *const *objects, size_t n,
                                    const char *metadata) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true, .size_max = (size_t)1 << 30 };
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree;
        int error = arena ? 0 : -1;

        begin(&w, "PartialObjectMetadataList");
        json_key(&w, "metadata");
        json_raw(&w, metadata, strlen(metadata));
        json_key(&w, "items");
        json_begin_list(&w);
        for (size_t i = 0; i < n && error == 0; i++) {
                error = api_tree_of(arena, objects[i], &tree);
                if (error == 0)
                        write_partial(&w, tree, true);
                arena_reset(arena);
        }
        json_end_list(&w);
        json_end_map(&w);
        return finish(&w, error);
}

struct bytes *api_print_one(struct api_request *r, struct object *object) {
        return r->media.shape == API_TABLE ? print_table(r, &object, 1, NULL, true) : print_partial(r, object);
}

struct bytes *api_print_list(struct api_request *r, struct object *const *objects, size_t n, const char *metadata) {
        return r->media.shape == API_TABLE ? print_table(r, objects, n, metadata, true) :
                                             print_partials(r, objects, n, metadata);
}

struct bytes *api_print_event(struct api_request *r, struct object *object, bool first) {
        return r->media.shape == API_TABLE ? print_table(r, &object, 1, NULL, first) : print_partial(r, object);
}

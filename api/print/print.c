#include "api/print/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/cache/object.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/print/partial.h"
#include "kube/print/table.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define PRINTED_MAX ((size_t)1 << 30) /* bytes of an answer */

bool api_shows_other(const struct api_request *r) {
        return r->sub && strcmp(r->sub->kind, r->kind->kind) != 0;
}

/* All versions of a kind have the columns, and the hidden annotations, of the one that is kept. */
static const struct print_columns *columns_of(const struct api_request *r) {
        const struct kube_kind *kept = r->resource->kind;

        if (api_shows_other(r))
                return print_columns_of(r->sub->group, r->sub->version, r->sub->kind);
        return print_columns_of(kept->group, kept->version, kept->kind);
}

/* Without the newline. */
static size_t length_of(const struct bytes *json) {
        return json->size - 1;
}

static struct bytes *finish(struct json_writer *w, int error) {
        return error < 0 ? NULL : json_writer_line(w);
}

/* --- tables --- */

static int print_row(struct api_request *r, struct print_table_writer *table, const struct object *object) {
        _cleanup_arena_ struct arena *arena = NULL;
        _cleanup_bytes_ struct bytes *shown = NULL, *json = object_json(object);
        const char *text = json ? (const char *)json->data : NULL;
        int error;

        if (!json)
                return -ENOMEM;
        if (r->kind == r->resource->kind || api_shows_other(r) || table->include != PRINT_OBJECT)
                return print_table_row(table, text, length_of(json), NULL);
        arena = arena_new();
        error = arena ? api_json_as(arena, r->kind, r->resource->kind, object, &shown) : -ENOMEM;
        return error ?:
                       print_table_row_shown(table, text, length_of(json), (const char *)shown->data, length_of(shown),
                                             NULL);
}

static struct bytes *print_table(struct api_request *r, struct print_table_writer *table, const struct print_head *head,
                                 const struct object *const *objects, size_t n) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true, .size_max = PRINTED_MAX };
        int error;

        table->columns = columns_of(r);
        table->version = r->media.meta_version;
        table->include = r->options.include;
        table->now = (struct kube_time){ .seconds = time(NULL) };
        table->out = &w;
        error = print_table_begin(table, head, NULL);
        for (size_t i = 0; i < n && error == 0; i++)
                error = print_row(r, table, objects[i]);
        return finish(&w, error ?: print_table_end(table));
}

/* Of the object alone: its revision is the table's. */
static struct bytes *print_table_of_one(struct api_request *r, const struct object *object, bool headers) {
        _cleanup_print_table_ struct print_table_writer table = { .no_headers = !headers };
        char revision[24];

        snprintf(revision, sizeof(revision), "%lld", (long long)object->revision);
        return print_table(r, &table, &(struct print_head){ .resource_version = revision }, &object, 1);
}

/* --- metadata alone --- */

static int write_partial(struct api_request *r, struct json_writer *w, const struct object *object) {
        _cleanup_bytes_ struct bytes *json = object_json(object);

        if (!json)
                return -ENOMEM;
        return print_partial(w, columns_of(r), r->media.meta_version, (const char *)json->data, length_of(json), NULL);
}

static struct bytes *print_partial_of_one(struct api_request *r, const struct object *object) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        return finish(&w, write_partial(r, &w, object));
}

static struct bytes *print_partials(struct api_request *r, struct object *const *objects, size_t n,
                                    const char *metadata) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true, .size_max = PRINTED_MAX };
        int error = 0;

        json_begin_map(&w);
        json_add_string(&w, "kind", "PartialObjectMetadataList");
        json_add_string(&w, "apiVersion", arena_printf(r->arena, KUBE_META_GROUP "/%s", r->media.meta_version));
        json_key(&w, "metadata");
        json_raw(&w, metadata, strlen(metadata));
        json_key(&w, "items");
        json_begin_list(&w);
        for (size_t i = 0; i < n && error == 0; i++)
                error = write_partial(r, &w, objects[i]);
        json_end_list(&w);
        json_end_map(&w);
        return finish(&w, error);
}

struct bytes *api_print_one(struct api_request *r, struct object *object) {
        return api_print_event(r, object, true);
}

struct bytes *api_print_list(struct api_request *r, struct object *const *objects, size_t n, const char *metadata) {
        _cleanup_print_table_ struct print_table_writer table = { 0 };

        if (r->media.shape != API_TABLE)
                return print_partials(r, objects, n, metadata);
        return print_table(r, &table, &(struct print_head){ .json = metadata }, (const struct object *const *)objects,
                           n);
}

struct bytes *api_print_event(struct api_request *r, const struct object *object, bool first) {
        return r->media.shape == API_TABLE ? print_table_of_one(r, object, first) : print_partial_of_one(r, object);
}

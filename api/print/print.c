#include "api/print/print.h"

#include <errno.h>
#include <stdio.h>
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

static bool shows_other(const struct kube_kind *kind, const struct kube_subresource *sub) {
        return sub && strcmp(sub->kind, kind->kind) != 0;
}

bool api_shows_other(const struct api_request *r) {
        return shows_other(r->kind, r->sub);
}

struct api_view api_view_of(const struct api_request *r) {
        return (struct api_view){ .kind = r->kind,
                                  .sub = r->sub,
                                  .resource = r->resource,
                                  .media = r->media,
                                  .include = r->options.include };
}

/* All versions of a kind have the columns, and the hidden annotations, of the one that is kept. */
static const struct print_columns *columns_of(const struct api_view *v) {
        const struct kube_kind *kept = v->resource->kind;

        if (shows_other(v->kind, v->sub))
                return print_columns_of(v->sub->group, v->sub->version, v->sub->kind);
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

static int print_row(const struct api_view *v, struct print_table_writer *table, const struct object *object) {
        _cleanup_arena_ struct arena *arena = NULL;
        _cleanup_bytes_ struct bytes *shown = NULL, *json = object_json(object);
        const char *text = json ? (const char *)json->data : NULL;
        int error;

        if (!json)
                return -ENOMEM;
        if (v->kind == v->resource->kind || shows_other(v->kind, v->sub) || table->include != PRINT_OBJECT)
                return print_table_row(table, text, length_of(json), NULL);
        arena = arena_new();
        error = arena ? api_json_as(arena, v->kind, v->resource->kind, object, &shown) : -ENOMEM;
        return error ?:
                       print_table_row_shown(table, text, length_of(json), (const char *)shown->data, length_of(shown),
                                             NULL);
}

static struct bytes *print_table(const struct api_view *v, struct print_table_writer *table,
                                 const struct print_head *head, const struct object *const *objects, size_t n) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true, .size_max = PRINTED_MAX };
        int error;

        table->columns = columns_of(v);
        table->version = v->media.meta_version;
        table->include = v->include;
        table->now = (struct kube_time){ .seconds = time(NULL) };
        table->out = &w;
        error = print_table_begin(table, head, NULL);
        for (size_t i = 0; i < n && error == 0; i++)
                error = print_row(v, table, objects[i]);
        return finish(&w, error ?: print_table_end(table));
}

/* Of the object alone: its revision is the table's. */
static struct bytes *print_table_of_one(const struct api_view *v, const struct object *object, bool headers) {
        _cleanup_print_table_ struct print_table_writer table = { .no_headers = !headers };
        char revision[24];

        snprintf(revision, sizeof(revision), "%lld", (long long)object->revision);
        return print_table(v, &table, &(struct print_head){ .resource_version = revision }, &object, 1);
}

/* --- metadata alone --- */

static int write_partial(const struct api_view *v, struct json_writer *w, const struct object *object) {
        _cleanup_bytes_ struct bytes *json = object_json(object);

        if (!json)
                return -ENOMEM;
        return print_partial(w, columns_of(v), v->media.meta_version, (const char *)json->data, length_of(json), NULL);
}

static struct bytes *print_partial_of_one(const struct api_view *v, const struct object *object) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        return finish(&w, write_partial(v, &w, object));
}

static struct bytes *print_partials(struct api_request *r, struct object *const *objects, size_t n,
                                    const char *metadata) {
        const struct api_view view = api_view_of(r);
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true, .size_max = PRINTED_MAX };
        int error = 0;

        json_begin_map(&w);
        json_add_string(&w, "kind", "PartialObjectMetadataList");
        json_add_string(&w, "apiVersion", arena_printf(r->arena, KUBE_META_GROUP "/%s", r->media.meta_version));
        json_key(&w, "metadata");
        json_raw(&w, metadata, strlen(metadata));
        json_key(&w, "items");
        if (n == 0)
                json_raw(&w, "null", strlen("null")); /* of a slice that nothing was added to */
        else
                json_begin_list(&w);
        for (size_t i = 0; i < n && error == 0; i++)
                error = write_partial(&view, &w, objects[i]);
        if (n > 0)
                json_end_list(&w);
        json_end_map(&w);
        return finish(&w, error);
}

struct bytes *api_print_one(struct api_request *r, struct object *object) {
        const struct api_view view = api_view_of(r);

        return api_print_event(&view, object, true);
}

struct bytes *api_print_list(struct api_request *r, struct object *const *objects, size_t n, const char *metadata) {
        const struct api_view view = api_view_of(r);
        _cleanup_print_table_ struct print_table_writer table = { 0 };

        if (r->media.shape != API_TABLE)
                return print_partials(r, objects, n, metadata);
        return print_table(&view, &table, &(struct print_head){ .json = metadata },
                           (const struct object *const *)objects, n);
}

struct bytes *api_print_event(const struct api_view *view, const struct object *object, bool first) {
        return view->media.shape == API_TABLE ? print_table_of_one(view, object, first) :
                                                print_partial_of_one(view, object);
}

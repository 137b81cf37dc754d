/* get and list: bytes as they are in the cache. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/print/print.h"
#include "api/rest/page.h"
#include "api/rest/query.h"
#include "api/rest/rest.h"
#include "api/rest/show.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"

static enum api_step get(struct api_request *r) {
        _cleanup_object_ struct object *object =
                collection_get(r->resource->collection, r->kind->namespaced ? r->path.namespace : "", r->name);

        return object ? api_show(r, 200, object) : api_not_found(r, r->name);
}

/* --- lists --- */

const char *api_list_metadata(struct api_request *r, const struct collection_page *page, const char *next) {
        const char *text = arena_printf(r->arena, "{\"resourceVersion\":\"%lld\"", (long long)page->revision);

        if (text && next)
                text = arena_printf(r->arena, "%s,\"continue\":\"%s\"", text, next);
        if (text && next && page->remaining > 0)
                text = arena_printf(r->arena, "%s,\"remainingItemCount\":%zu", text, page->remaining);
        return text ? arena_printf(r->arena, "%s}", text) : NULL;
}

struct list_text {
        char *text;
        size_t length, size;
        int error;
};

static void add(struct list_text *t, const void *bytes, size_t n) {
        if (t->length + n > t->size) {
                size_t size = (t->length + n) * 2;
                char *larger = realloc(t->text, size);

                if (!larger)
                        t->error = -ENOMEM;
                if (!larger)
                        return;
                t->text = larger;
                t->size = size;
        }
        memcpy(t->text + t->length, bytes, n);
        t->length += n;
}

/* Items of built-in kinds go without their kind and version, which the list has said: what is left is their JSON from
 * behind it to its newline. */
static void add_item(struct api_request *r, struct list_text *t, const struct object *object) {
        const struct kube_kind *kept = r->resource->kind;
        _cleanup_bytes_ struct bytes *json = NULL;
        size_t head = r->resource->head_length + strlen(r->kind->version) - strlen(kept->version);

        t->error = t->error ?: api_json_as(r->arena, r->kind, kept, object->json, &json);
        if (t->error < 0)
                return;
        add(t, "{", 1);
        add(t, json->data + head, json->size - head - 1);
}

static struct bytes *list_json(struct api_request *r, struct object *const *objects, size_t n, const char *metadata) {
        struct list_text t = { 0 };
        struct bytes *bytes = NULL;
        const char *head = arena_printf(
                r->arena, "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",\"metadata\":%s,\"items\":[", r->kind->list_kind,
                r->kind->group, *r->kind->group ? "/" : "", r->kind->version, metadata);
        size_t size = head ? strlen(head) + 8 : 0;

        if (!head)
                return NULL;
        for (size_t i = 0; i < n; i++)
                size += objects[i]->json->size + 2;
        t.size = size;
        t.text = malloc(size);
        if (!t.text)
                return NULL;
        add(&t, head, strlen(head));
        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        add(&t, ",", 1);
                add_item(r, &t, objects[i]);
        }
        add(&t, "]}\n", 3);
        if (t.error == 0)
                bytes = bytes_copy(t.text, t.length);
        free(t.text);
        return bytes;
}

enum api_step api_respond_list(struct api_request *r, const struct collection_page *page, const char *metadata) {
        _cleanup_bytes_ struct bytes *json = NULL, *proto = NULL;
        int error = 0;

        if (!metadata)
                return api_fail(r, -ENOMEM, NULL);
        json = r->media.shape == API_WHOLE ? list_json(r, page->objects, page->n, metadata) :
                                             api_print_list(r, page->objects, page->n, metadata);
        if (json && r->media.form == API_PROTOBUF && r->media.shape == API_WHOLE)
                error = api_protobuf(r->kind->list_type, (const char *)json->data, json->size, &proto);
        if (!json || error < 0)
                return api_fail(r, error ?: -ENOMEM, NULL);
        api_keep_answer(r, json);
        if (proto)
                api_respond_bytes(r, 200, api_content_type(API_PROTOBUF), proto);
        else
                api_respond_json(r, 200, json);
        return API_END;
}

static enum api_step list(struct api_request *r) {
        struct collection_page page = { 0 };
        const char *next = NULL, *metadata;
        struct api_query query;
        enum api_step step = api_query_read(r, &query);
        int error;

        if (step != API_NEXT)
                return step;
        error = collection_list(r->resource->collection, &query.query, &page);
        if (error == -ESTALE)
                return api_refuse(
                        r, API_EXPIRED, "%s",
                        r->options.continue_ ?
                                "The provided continue parameter is too old to display a consistent list result. "
                                "You can start a new list without the continue parameter." :
                                "The resourceVersion for the provided list is too old.");
        if (error < 0)
                return api_fail(r, error, NULL);
        if (page.more)
                next = api_place_token(r->arena, page.objects[page.n - 1], page.revision);
        metadata = api_list_metadata(r, &page, next);
        step = api_respond_list(r, &page, metadata);
        collection_page_clear(&page);
        return step;
}

enum api_step api_read(struct api_request *r) {
        return r->verb == KUBE_VERB_GET ? get(r) : list(r);
}

/* get and list: bytes as they are in the cache. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/print/print.h"
#include "api/rest/items.h"
#include "api/rest/query.h"
#include "api/rest/rest.h"
#include "api/rest/show.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/status.h"
#include "api/state/kept.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/body.h"
#include "lib/json_writer.h"

static enum api_step get(struct api_request *r) {
        _cleanup_object_ struct object *object =
                collection_get(r->resource->collection, r->kind->namespaced ? r->path.namespace : "", r->name);

        enum api_step step = api_query_check_revision(r);

        if (step != API_NEXT)
                return step;
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

enum api_step api_respond_list(struct api_request *r, const struct collection_page *page, const char *metadata) {
        _cleanup_bytes_ struct bytes *json = NULL, *proto = NULL;
        int error = 0;

        if (!metadata)
                return api_fail(r, -ENOMEM, NULL);
        if (r->media.shape == API_PARTIAL && !r->media.of_list)
                return api_refuse_shape(r);
        json = r->media.shape == API_WHOLE ? api_items_json(r, page->objects, page->n, metadata) :
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

/* --- whole lists, whose items are kept until the resource changes --- */

/* Lists of everything, or of everything in a namespace, as it is now. */
static bool is_whole(const struct api_request *r, const struct collection_query *q) {
        return r->media.shape == API_WHOLE && r->media.form != API_YAML && !r->media.pretty && !q->limit &&
               !q->revision && !q->after_name && !q->filter.name && !q->filter.matches;
}

static enum api_step respond_rest(struct api_request *r, int64_t revision, struct http_body *body) {
        const struct collection_page page = { .revision = revision };
        const char *metadata = api_list_metadata(r, &page, NULL);
        _cleanup_bytes_ struct bytes *head = NULL;
        int error = metadata ? api_items_head(r, metadata, http_body_plain(body), &head) : -ENOMEM;

        if (error < 0)
                return api_fail(r, error, NULL);
        api_respond_headed(r, api_content_type(r->media.form), head, body);
        return API_END;
}

/* Large ones are kept. */
static enum api_step respond_whole(struct api_request *r, const struct api_kept_key *key,
                                   const struct collection_page *page) {
        _cleanup_bytes_ struct bytes *rest = NULL;
        int error = api_items_rest(r, page->objects, page->n, &rest);
        struct http_body *body = error == 0 ? http_body_new_rest(rest) : NULL;
        enum api_step step;

        if (!body)
                return api_fail(r, error ?: -ENOMEM, NULL);
        api_kept_put(r->resource, key, page->last, body);
        step = respond_rest(r, page->revision, body);
        http_body_unref(body);
        return step;
}

static size_t size_of(const struct collection_page *page) {
        size_t size = 0;

        for (size_t i = 0; i < page->n; i++)
                size += object_json_size(page->objects[i]);
        return size;
}

static enum api_step respond_page(struct api_request *r, const struct collection_query *query,
                                  const struct api_kept_key *key, const struct collection_page *page) {
        const char *next = NULL;

        if (is_whole(r, query) && size_of(page) > HTTP_GZIP_ABOVE)
                return respond_whole(r, key, page);
        if (api_query_next(r, page, &next) < 0)
                return api_fail(r, -ENOMEM, NULL);
        return api_respond_list(r, page, api_list_metadata(r, page, next));
}

static enum api_step respond_now(struct api_request *r, const struct collection_query *query) {
        const struct api_kept_key key = { r->kind, (int)r->media.form, query->filter.namespace };
        struct collection_page page = { 0 };
        struct http_body *kept;
        enum api_step step;

        kept = is_whole(r, query) ? api_kept_find(r->resource, &key, &page.revision) : NULL;
        if (kept) {
                step = respond_rest(r, page.revision, kept);
                http_body_unref(kept);
                return step;
        }
        step = api_query_list(r, query, &page);
        if (step != API_NEXT)
                return step;
        step = respond_page(r, query, &key, &page);
        collection_page_clear(&page);
        return step;
}

static enum api_step list(struct api_request *r) {
        struct api_query query;
        enum api_step step = api_query_read(r, &query);

        return step == API_NEXT ? respond_now(r, &query.query) : step;
}

enum api_step api_read(struct api_request *r) {
        return r->verb == KUBE_VERB_GET ? get(r) : list(r);
}

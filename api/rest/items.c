#include "api/rest/items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/object.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/state/resource.h"
#include "kube/codec/proto_wire.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define ITEMS_BEGIN ",\"items\":["
#define ITEMS_END "]}\n"

/* --- JSON --- */

static const char *json_head(struct api_request *r, const char *metadata) {
        return arena_printf(r->arena, "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",\"metadata\":%s", r->kind->list_kind,
                            r->kind->group, *r->kind->group ? "/" : "", r->kind->version, metadata);
}

/* The objects' JSON in the request's version: as they are kept, where that is it. */
static int json_of(struct api_request *r, struct object *const *objects, size_t n, struct bytes **ret_json) {
        int error = 0;

        for (size_t i = 0; i < n && error == 0; i++)
                error = api_json_as(r->arena, r->kind, r->resource->kind, objects[i]->json, &ret_json[i]);
        return error;
}

/* Items of built-in kinds go without their kind and version, which the list has said: what is left is their JSON from
 * behind it to its newline. */
static struct bytes *join(const char *before, struct bytes *const *items, size_t n, size_t head) {
        size_t n_before = strlen(before), size = n_before + n + strlen(ITEMS_BEGIN) + strlen(ITEMS_END);
        struct bytes *bytes;
        uint8_t *to;

        for (size_t i = 0; i < n; i++)
                size += items[i]->size - head;
        bytes = bytes_new(size);
        if (!bytes)
                return NULL;
        to = mempcpy(bytes->data, before, n_before);
        to = mempcpy(to, ITEMS_BEGIN, strlen(ITEMS_BEGIN));
        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        *to++ = ',';
                *to++ = '{';
                to = mempcpy(to, items[i]->data + head, items[i]->size - head - 1);
        }
        to = mempcpy(to, ITEMS_END, strlen(ITEMS_END));
        return bytes_shrink(bytes, (size_t)(to - bytes->data));
}

/* Of its apiVersion. */
static size_t version_length(const struct kube_kind *kind) {
        return strlen(kind->group) + (*kind->group ? 1 : 0) + strlen(kind->version);
}

static struct bytes *list_json(struct api_request *r, struct object *const *objects, size_t n, const char *before) {
        size_t head = r->resource->head_length + version_length(r->kind) - version_length(r->resource->kind);
        struct bytes **items = calloc(n + 1, sizeof(struct bytes *));
        struct bytes *list =
                items && before && json_of(r, objects, n, items) == 0 ? join(before, items, n, head) : NULL;

        for (size_t i = 0; items && i < n; i++)
                bytes_unref(items[i]);
        free(items);
        return list;
}

struct bytes *api_items_json(struct api_request *r, struct object *const *objects, size_t n, const char *metadata) {
        return list_json(r, objects, n, json_head(r, metadata));
}

/* --- protobuf: an envelope whose message begins with the metadata --- */

struct envelope {
        size_t message;      /* where the field that holds the message begins */
        const uint8_t *meta; /* its first field, and what is behind that; the message's end */
        size_t n_meta, n_items, n_end;
};

enum { FIELD_MESSAGE = 2, FIELD_METADATA = 1, MAGIC = 4 };

static int take_apart(const struct bytes *bytes, struct envelope *ret) {
        struct kube_proto_scan scan = { bytes->data + MAGIC, bytes->data + bytes->size }, inner;
        struct kube_proto_field field = { 0 };
        const uint8_t *at;

        do {
                at = scan.at;
                if (!kube_proto_next(&scan, &field))
                        return -EINVAL;
        } while (field.field != FIELD_MESSAGE);
        ret->message = (size_t)(at - bytes->data);
        ret->meta = field.bytes.at;
        inner = field.bytes;
        if (!kube_proto_next(&inner, &field) || field.field != FIELD_METADATA)
                return -EINVAL;
        ret->n_meta = (size_t)(inner.at - ret->meta);
        ret->n_items = (size_t)(inner.end - inner.at);
        ret->n_end = (size_t)(bytes->data + bytes->size - inner.end);
        return 0;
}

static int proto_of(struct api_request *r, const struct bytes *json, struct bytes **ret_proto) {
        return json ? api_protobuf(r->kind->list_type, (const char *)json->data, json->size, ret_proto) : -ENOMEM;
}

static int proto_rest(struct api_request *r, struct object *const *objects, size_t n, struct bytes **ret_rest) {
        _cleanup_bytes_ struct bytes *json = api_items_json(r, objects, n, "{}"), *whole = NULL;
        struct envelope e;
        int error = proto_of(r, json, &whole) ?: take_apart(whole, &e);

        if (error < 0)
                return error;
        *ret_rest = bytes_copy(e.meta + e.n_meta, e.n_items + e.n_end);
        return *ret_rest ? 0 : -ENOMEM;
}

#define VARINT_MAX 10

static uint8_t *put_varint(uint8_t *to, size_t n) {
        for (; n > 0x7f; n >>= 7)
                *to++ = (uint8_t)(n | 0x80);
        *to++ = (uint8_t)n;
        return to;
}

static int proto_head(struct api_request *r, const char *metadata, const struct bytes *rest, struct bytes **ret_head) {
        _cleanup_bytes_ struct bytes *json = api_items_json(r, NULL, 0, metadata), *empty = NULL;
        struct bytes *head;
        struct envelope e;
        uint8_t *to;
        int error = proto_of(r, json, &empty) ?: take_apart(empty, &e);

        if (error < 0)
                return error;
        head = bytes_new(e.message + 1 + VARINT_MAX + e.n_meta);
        if (!head)
                return -ENOMEM;
        to = mempcpy(head->data, empty->data, e.message + 1);
        to = put_varint(to, e.n_meta + rest->size - e.n_end);
        to = mempcpy(to, e.meta, e.n_meta);
        *ret_head = bytes_shrink(head, (size_t)(to - head->data));
        return 0;
}

/* --- either --- */

int api_items_rest(struct api_request *r, struct object *const *objects, size_t n, struct bytes **ret_rest) {
        if (r->media.form == API_PROTOBUF)
                return proto_rest(r, objects, n, ret_rest);
        *ret_rest = list_json(r, objects, n, "");
        return *ret_rest ? 0 : -ENOMEM;
}

int api_items_head(struct api_request *r, const char *metadata, const struct bytes *rest, struct bytes **ret_head) {
        const char *text;

        if (r->media.form == API_PROTOBUF)
                return proto_head(r, metadata, rest, ret_head);
        text = json_head(r, metadata);
        *ret_head = text ? bytes_copy(text, strlen(text)) : NULL;
        return *ret_head ? 0 : -ENOMEM;
}

#include "api/rest/items.h"

#include <errno.h>
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

/* Of its apiVersion. */
static size_t version_length(const struct kube_kind *kind) {
        return strlen(kind->group) + (*kind->group ? 1 : 0) + strlen(kind->version);
}

/* A list that grows. */
struct joined {
        struct bytes *bytes; /* as large as there is room */
        size_t used;
};

static uint8_t *room_for(struct joined *to, size_t n) {
        struct bytes *larger;

        if (n <= to->bytes->size - to->used)
                return to->bytes->data + to->used;
        larger = bytes_new((to->used + n) * 3 / 2);
        if (!larger)
                return NULL;
        memcpy(larger->data, to->bytes->data, to->used);
        bytes_unref(to->bytes);
        to->bytes = larger;
        return larger->data + to->used;
}

/* Items of built-in kinds go without their kind and version, which the list has said: what is left is their JSON from
 * behind it to its newline. @head: how long that is; @arena: of one item. */
static int join_one(struct api_request *r, struct joined *to, struct arena *arena, const struct object *object,
                    size_t head) {
        _cleanup_bytes_ struct bytes *json = NULL;
        int error = api_json_as(arena, r->kind, r->resource->kind, object, &json);
        uint8_t *at = error == 0 ? room_for(to, json->size - head + strlen(",{")) : NULL, *begin = at;

        if (!at)
                return error ?: -ENOMEM;
        if (begin[-1] != '[')
                *at++ = ',';
        *at++ = '{';
        at = mempcpy(at, json->data + head, json->size - head - 1);
        to->used += (size_t)(at - begin);
        return 0;
}

static int join(struct api_request *r, struct joined *to, struct object *const *objects, size_t n) {
        size_t head = r->resource->head_length + version_length(r->kind) - version_length(r->resource->kind);
        _cleanup_arena_ struct arena *arena = arena_new();
        uint8_t *at;
        int error = arena ? 0 : -ENOMEM;

        for (size_t i = 0; i < n && error == 0; i++) {
                error = join_one(r, to, arena, objects[i], head);
                arena_reset(arena);
        }
        at = error == 0 ? room_for(to, strlen(ITEMS_END)) : NULL;
        if (!at)
                return error ?: -ENOMEM;
        memcpy(at, ITEMS_END, strlen(ITEMS_END));
        to->used += strlen(ITEMS_END);
        return 0;
}

/* The objects in the request's version: as they are kept, where that is it. */
static struct bytes *list_json(struct api_request *r, struct object *const *objects, size_t n, const char *before) {
        struct joined to = { 0 };
        size_t size = before ? strlen(before) + n + strlen(ITEMS_BEGIN) + strlen(ITEMS_END) : 0;

        for (size_t i = 0; i < n; i++)
                size += object_json_size(objects[i]);
        to.bytes = before ? bytes_new(size) : NULL;
        if (!to.bytes)
                return NULL;
        to.used = strlen(before) + strlen(ITEMS_BEGIN);
        memcpy(mempcpy(to.bytes->data, before, strlen(before)), ITEMS_BEGIN, strlen(ITEMS_BEGIN));
        if (join(r, &to, objects, n) < 0)
                return bytes_unref(to.bytes);
        return bytes_shrink(to.bytes, to.used);
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

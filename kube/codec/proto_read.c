/* Kubernetes' protobuf form into structs. A message is walked twice: once to count the items of each list, once to read
 * them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/codec/entries.h"
#include "kube/codec/proto_wire.h"
#include "kube/scalar.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/json_scan.h"
#include "lib/utf8.h"

struct reader {
        struct arena *arena;
        size_t memory; /* that may still be taken */
        unsigned depth;
        int error;
};

/* The lists of one object while it is read: where the next item goes. By index of the field. */
struct counts {
        uint32_t found[KUBE_FIELDS_MAX], read[KUBE_FIELDS_MAX];
};

/* The object that is read into. */
struct target {
        const struct kube_type *type;
        struct counts *counts;
        void *object;
};

static bool fail(struct reader *r, int error) {
        if (r->error == 0)
                r->error = error;
        return false;
}

static bool wrong(struct reader *r) {
        return fail(r, -EINVAL);
}

static void *take(struct reader *r, size_t count, size_t size) {
        size_t total;
        void *p;

        if (__builtin_mul_overflow(count, size, &total) || total > r->memory) {
                fail(r, -E2BIG);
                return NULL;
        }
        r->memory -= total;
        p = arena_alloc(r->arena, total);
        if (!p)
                fail(r, -ENOMEM);
        return p;
}

static bool deeper(struct reader *r) {
        if (r->depth == 0)
                return fail(r, -E2BIG);
        r->depth--;
        return true;
}

/* Text in C ends with NUL, so that one within is refused; JSON's reader does so too. */
static bool read_text(struct reader *r, const struct kube_proto_field *from, const char **ret) {
        size_t length;
        char *copy;

        if (from->wire != KUBE_PROTO_BYTES)
                return wrong(r);
        length = (size_t)(from->bytes.end - from->bytes.at);
        if (memchr(from->bytes.at, '\0', length) || !utf8_valid(from->bytes.at, length))
                return wrong(r);
        copy = arena_strndup(r->arena, (const char *)from->bytes.at, length);
        *ret = copy;
        return copy || fail(r, -ENOMEM);
}

static bool read_string(struct reader *r, const struct kube_proto_field *from, const char **ret) {
        *ret = NULL;
        return (from->wire == KUBE_PROTO_BYTES && from->bytes.at == from->bytes.end) || read_text(r, from, ret);
}

static bool read_varint(struct reader *r, const struct kube_proto_field *from, int64_t *ret) {
        if (from->wire != KUBE_PROTO_VARINT)
                return wrong(r);
        *ret = (int64_t)from->number;
        return true;
}

static bool read_double(struct reader *r, const struct kube_proto_field *from, double *ret) {
        if (from->wire != KUBE_PROTO_FIXED64)
                return wrong(r);
        memcpy(ret, &from->number, sizeof(*ret));
        return (*ret - *ret == 0) || wrong(r); /* neither JSON nor the API knows infinity */
}

static bool read_bytes(struct reader *r, const struct kube_proto_field *from, struct kube_bytes *ret) {
        size_t length;
        uint8_t *copy;

        if (from->wire != KUBE_PROTO_BYTES)
                return wrong(r);
        length = (size_t)(from->bytes.end - from->bytes.at);
        copy = arena_alloc_uncleared(r->arena, length);
        if (!copy)
                return fail(r, -ENOMEM);
        memcpy(copy, from->bytes.at, length);
        *ret = (struct kube_bytes){ copy, (uint32_t)length };
        return true;
}

/* JSON within protobuf is checked and made compact; what is none of it (an object in protobuf again) cannot be kept. */
static bool read_json(struct reader *r, const struct kube_proto_field *from, struct kube_raw *ret) {
        struct json_scan scan;
        size_t length;
        char *copy;

        if (from->wire != KUBE_PROTO_BYTES)
                return wrong(r);
        *ret = (struct kube_raw){ 0 };
        length = (size_t)(from->bytes.end - from->bytes.at);
        if (length == 0)
                return true;
        scan = (struct json_scan){ (const char *)from->bytes.at, (const char *)from->bytes.end };
        if (!json_scan_skip(&scan, r->depth) || (json_scan_peek(&scan), scan.at != scan.end))
                return wrong(r);
        copy = arena_strndup(r->arena, (const char *)from->bytes.at, length);
        if (!copy)
                return fail(r, -ENOMEM);
        length = json_compact((const char *)from->bytes.at, length, copy);
        copy[length] = '\0';
        *ret = (struct kube_raw){ copy, (uint32_t)length };
        return true;
}

/* The messages behind single values: each field in turn, by number. */
typedef bool (*read_part)(struct reader *r, const struct kube_proto_field *from, void *at);

static bool read_parts(struct reader *r, const struct kube_proto_field *from, read_part part, void *at) {
        struct kube_proto_scan scan = from->bytes;
        struct kube_proto_field field;

        if (from->wire != KUBE_PROTO_BYTES)
                return wrong(r);
        while (scan.at < scan.end)
                if (!kube_proto_next(&scan, &field))
                        return wrong(r);
                else if (!part(r, &field, at))
                        return false;
        return true;
}

static bool quantity_part(struct reader *r, const struct kube_proto_field *from, void *at) {
        if (from->field != 1)
                return true;
        if (from->wire != KUBE_PROTO_BYTES)
                return wrong(r);
        return kube_quantity_parse((const char *)from->bytes.at, (size_t)(from->bytes.end - from->bytes.at), at) ||
               wrong(r);
}

static bool time_part(struct reader *r, const struct kube_proto_field *from, void *at) {
        struct kube_time *time = at;

        if ((from->field == 1 || from->field == 2) && from->wire != KUBE_PROTO_VARINT)
                return wrong(r);
        if (from->field == 1)
                time->seconds = (int64_t)from->number;
        else if (from->field == 2)
                time->nanoseconds = (int32_t)from->number;
        return true;
}

/* An empty message is no time. Seconds are all that a time has in JSON, and so all that it has here. */
static bool read_time(struct reader *r, const struct kube_proto_field *from, bool micro, struct kube_time *ret) {
        *ret = (struct kube_time){ 0 };
        if (!read_parts(r, from, time_part, ret))
                return false;
        ret->set = from->bytes.at < from->bytes.end;
        if (ret->set && !kube_time_settle(ret, micro))
                return wrong(r);
        return true;
}

#define TYPE_STRING 1 /* intstr.Type */

struct int_or_string_parts {
        int64_t type, number;
        const char *text;
};

static bool int_or_string_part(struct reader *r, const struct kube_proto_field *from, void *at) {
        struct int_or_string_parts *parts = at;

        switch (from->field) {
        case 1:
                return read_varint(r, from, &parts->type);
        case 2:
                return read_varint(r, from, &parts->number);
        case 3:
                return read_text(r, from, &parts->text);
        default:
                return true;
        }
}

static bool read_int_or_string(struct reader *r, const struct kube_proto_field *from, struct int_or_string *ret) {
        struct int_or_string_parts parts = { 0 };

        if (!read_parts(r, from, int_or_string_part, &parts))
                return false;
        *ret = (struct int_or_string){ .set = true };
        if (parts.type == TYPE_STRING)
                ret->text = parts.text ? parts.text : "";
        else
                ret->number = (int32_t)parts.number;
        return true;
}

static bool raw_part(struct reader *r, const struct kube_proto_field *from, void *at) {
        return from->field != 1 || read_json(r, from, at);
}

static bool read_object(struct reader *r, const struct kube_proto_field *from, const struct kube_type *type,
                        void *object);

static bool read_one(struct reader *r, const struct kube_proto_field *from, const struct kube_field *field, void *at) {
        int64_t n;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                return read_string(r, from, at);
        case KUBE_BOOL:
                if (!read_varint(r, from, &n))
                        return false;
                *(bool *)at = n != 0;
                return true;
        case KUBE_INT32:
                if (!read_varint(r, from, &n))
                        return false;
                *(int32_t *)at = (int32_t)n;
                return true;
        case KUBE_INT64:
                return read_varint(r, from, at);
        case KUBE_DOUBLE:
                return read_double(r, from, at);
        case KUBE_QUANTITY:
                return read_parts(r, from, quantity_part, at);
        case KUBE_TIME:
        case KUBE_MICRO_TIME:
                return read_time(r, from, field->element == KUBE_MICRO_TIME, at);
        case KUBE_INT_OR_STRING:
                return read_int_or_string(r, from, at);
        case KUBE_BYTES:
                return read_bytes(r, from, at);
        case KUBE_JSON:
        case KUBE_RAW:
        case KUBE_FIELDS:
                return read_parts(r, from, raw_part, at);
        case KUBE_OBJECT:
                return read_object(r, from, field->type, at);
        }
        return wrong(r);
}

static bool read_below(struct reader *r, const struct kube_proto_field *from, const struct kube_type *type, void *at) {
        void *object = take(r, 1, type->size);

        if (!object)
                return false;
        memcpy(at, &object, sizeof(object));
        return read_object(r, from, type, object);
}

static bool read_optional(struct reader *r, const struct kube_proto_field *from, const struct kube_field *field,
                          void *at) {
        int64_t n;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                return read_text(r, from, at);
        case KUBE_BOOL:
                if (!read_varint(r, from, &n))
                        return false;
                *(enum tri *)at = n != 0 ? TRI_TRUE : TRI_FALSE;
                return true;
        case KUBE_INT32:
        case KUBE_INT64:
                if (!read_varint(r, from, &n))
                        return false;
                *(struct opt_int *)at = (struct opt_int){ field->element == KUBE_INT32 ? (int32_t)n : n, true };
                return true;
        case KUBE_DOUBLE:
                ((struct opt_double *)at)->set = true;
                return read_double(r, from, &((struct opt_double *)at)->value);
        case KUBE_QUANTITY:
                *(struct opt_quantity *)at = (struct opt_quantity){ .set = true };
                return read_parts(r, from, quantity_part, &((struct opt_quantity *)at)->amount);
        case KUBE_OBJECT:
                return read_below(r, from, field->type, at);
        default:
                return read_one(r, from, field, at);
        }
}

static bool read_item(struct reader *r, const struct kube_proto_field *from, const struct kube_field *field, void *at) {
        if (field->element == KUBE_STRING)
                return read_text(r, from, at);
        return read_one(r, from, field, at);
}

/* Numbers in a list may come packed, many in one field. */
static bool is_packed(const struct kube_proto_field *from, const struct kube_field *field) {
        return from->wire == KUBE_PROTO_BYTES &&
               (field->element == KUBE_BOOL || field->element == KUBE_INT32 || field->element == KUBE_INT64);
}

static uint32_t count_items(const struct kube_proto_field *from, const struct kube_field *field) {
        uint32_t n = 0;

        if (!is_packed(from, field))
                return 1;
        for (const uint8_t *p = from->bytes.at; p < from->bytes.end; p++)
                n += *p < 0x80;
        return n;
}

static bool add_items(struct reader *r, const struct kube_proto_field *from, const struct kube_field *field,
                      const struct list *list, uint32_t *at) {
        struct kube_proto_field item = { .wire = KUBE_PROTO_VARINT };
        size_t size = kube_element_size(field);
        struct kube_proto_scan scan = from->bytes;

        if (!is_packed(from, field))
                return read_item(r, from, field, (char *)list->items + (*at)++ * size);
        while (scan.at < scan.end)
                if (!kube_proto_varint(&scan, &item.number))
                        return wrong(r);
                else if (!read_one(r, &item, field, (char *)list->items + (*at)++ * size))
                        return false;
        return true;
}

/* A list that is a message of its own: its items are the fields with number 1. */
static bool read_wrapped(struct reader *r, const struct kube_proto_field *from, const struct kube_field *field,
                         void *at) {
        struct kube_proto_scan scan = from->bytes;
        struct kube_proto_field item;
        struct list list = { 0 };
        uint32_t n = 0;

        if (from->wire != KUBE_PROTO_BYTES)
                return wrong(r);
        while (scan.at < scan.end)
                if (!kube_proto_next(&scan, &item))
                        return wrong(r);
                else if (item.field == 1)
                        list.count += count_items(&item, field);
        if (!(list.items = take(r, list.count, kube_element_size(field))))
                return false;
        for (scan = from->bytes; scan.at < scan.end;)
                if (kube_proto_next(&scan, &item) && item.field == 1 && !add_items(r, &item, field, &list, &n))
                        return false;
        memcpy(at, &list, sizeof(list));
        return true;
}

static bool entry_part(struct reader *r, const struct kube_proto_field *from, const struct kube_field *field,
                       char *entry) {
        if (from->field == 1)
                return read_text(r, from, (const char **)entry);
        if (from->field != 2)
                return true;
        if (field->form == KUBE_MAP_OF_LISTS)
                return read_wrapped(r, from, field, entry + KUBE_ENTRY_VALUE);
        return read_item(r, from, field, entry + KUBE_ENTRY_VALUE);
}

static bool read_entry(struct reader *r, const struct kube_proto_field *from, const struct kube_field *field,
                       char *entry) {
        struct kube_proto_scan scan = from->bytes;
        struct kube_proto_field part;

        if (from->wire != KUBE_PROTO_BYTES)
                return wrong(r);
        *(const char **)entry = "";
        if (field->element == KUBE_STRING && field->form == KUBE_MAP)
                *(const char **)(entry + KUBE_ENTRY_VALUE) = "";
        while (scan.at < scan.end)
                if (!kube_proto_next(&scan, &part))
                        return wrong(r);
                else if (!entry_part(r, &part, field, entry))
                        return false;
        return true;
}

static size_t size_of_items(const struct kube_field *field) {
        return field->form == KUBE_LIST ? kube_element_size(field) : kube_entry_size(field);
}

static bool read_repeated(struct reader *r, const struct kube_proto_field *from, const struct kube_field *field,
                          struct counts *counts, size_t index, void *at) {
        struct list list;

        if (counts->read[index] == 0) { /* the first of them */
                list = (struct list){ take(r, counts->found[index], size_of_items(field)), counts->found[index] };
                if (!list.items)
                        return false;
                memcpy(at, &list, sizeof(list));
        }
        memcpy(&list, at, sizeof(list));
        if (field->form == KUBE_LIST)
                return add_items(r, from, field, &list, &counts->read[index]);
        return read_entry(r, from, field, (char *)list.items + counts->read[index]++ * size_of_items(field));
}

static bool read_field(struct reader *r, const struct kube_proto_field *from, const struct kube_type *type,
                       size_t index, struct counts *counts, void *object) {
        const struct kube_field *field = &type->fields[index];
        void *at = (char *)object + field->offset;

        switch ((enum kube_form)field->form) {
        case KUBE_ONE:
                return read_one(r, from, field, at);
        case KUBE_OPTIONAL:
                return read_optional(r, from, field, at);
        case KUBE_LIST:
                if (field->flags & KUBE_WRAPPED)
                        return read_wrapped(r, from, field, at);
                break;
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                break;
        }
        return read_repeated(r, from, field, counts, index, at);
}

/* Numbers of a message mostly come in order: @hint is where the last was found. */
static const struct kube_wire *find(const struct kube_wire *wire, size_t n, uint32_t number, size_t *hint) {
        for (size_t i = *hint; i < n && wire[i].number <= number; i++)
                if (wire[i].number == number) {
                        *hint = i;
                        return &wire[i];
                }
        for (size_t i = 0; i < *hint && wire[i].number <= number; i++)
                if (wire[i].number == number) {
                        *hint = i;
                        return &wire[i];
                }
        return NULL;
}

static bool count_fields(struct reader *r, struct kube_proto_scan scan, const struct kube_type *type,
                         const struct kube_wire *wire, size_t n, struct counts *counts) {
        const struct kube_wire *found;
        struct kube_proto_field field;
        size_t hint = 0;

        while (scan.at < scan.end) {
                if (!kube_proto_next(&scan, &field))
                        return wrong(r);
                found = find(wire, n, field.field, &hint);
                if (found && found->part && field.wire != KUBE_PROTO_BYTES)
                        return wrong(r);
                if (found && found->part && !count_fields(r, field.bytes, type, found->part, found->index, counts))
                        return false;
                if (found && !found->part)
                        counts->found[found->index] += count_items(&field, &type->fields[found->index]);
        }
        return true;
}

/* What was counted before: it is known to be well formed. */
static bool read_fields(struct reader *r, struct kube_proto_scan scan, const struct target *to,
                        const struct kube_wire *wire, size_t n) {
        const struct kube_wire *found;
        struct kube_proto_field field;
        size_t hint = 0;

        while (scan.at < scan.end) {
                if (!kube_proto_next(&scan, &field))
                        return wrong(r);
                found = find(wire, n, field.field, &hint);
                if (found && found->part) {
                        if (!read_fields(r, field.bytes, to, found->part, found->index))
                                return false;
                } else if (found && !read_field(r, &field, to->type, found->index, to->counts, to->object)) {
                        return false;
                }
        }
        return true;
}

/* Keys of a map may come in any order, and twice. */
static bool settle_maps(struct reader *r, const struct kube_type *type, const struct counts *counts, void *object) {
        bool twice;

        for (size_t i = 0; i < type->n_fields; i++) {
                const struct kube_field *field = &type->fields[i];
                struct list map;

                if (counts->read[i] == 0 || field->form == KUBE_LIST)
                        continue;
                memcpy(&map, (char *)object + field->offset, sizeof(map));
                if (!kube_settle_entries(r->arena, kube_entry_size(field), &map, &twice))
                        return fail(r, -ENOMEM);
                memcpy((char *)object + field->offset, &map, sizeof(map));
        }
        return true;
}

static bool read_object(struct reader *r, const struct kube_proto_field *from, const struct kube_type *type,
                        void *object) {
        struct counts counts;

        if (from->wire != KUBE_PROTO_BYTES || !(type->flags & KUBE_MESSAGE) || type->n_fields > KUBE_FIELDS_MAX)
                return wrong(r);
        memset(counts.found, 0, type->n_fields * sizeof(counts.found[0]));
        memset(counts.read, 0, type->n_fields * sizeof(counts.read[0]));
        if (!deeper(r) || !count_fields(r, from->bytes, type, type->wire, type->n_wire, &counts) ||
            !read_fields(r, from->bytes, &(struct target){ type, &counts, object }, type->wire, type->n_wire) ||
            !settle_maps(r, type, &counts, object))
                return false;
        r->depth++;
        return true;
}

int kube_proto_read(struct arena *arena, const struct kube_type *type, const void *data, size_t size, void *object) {
        struct reader r = {
                .arena = arena,
                .memory = KUBE_MEMORY_BASE + size * KUBE_MEMORY_FACTOR,
                .depth = KUBE_DEPTH_MAX,
        };
        struct kube_proto_field from = { .wire = KUBE_PROTO_BYTES, .bytes = { data, (const uint8_t *)data + size } };

        if (size > KUBE_INPUT_MAX)
                return -E2BIG;
        read_object(&r, &from, type, object);
        return r.error;
}

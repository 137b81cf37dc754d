/* Kubernetes' protobuf form into structs. A message is walked twice: once to count the items of each list, once to read
 * them. */
#include <errno.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/codec/entries.h"
#include "kube/codec/proto_in.h"
#include "kube/type.h"
#include "lib/arena.h"

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

static void *take(struct kube_proto_in *in, size_t count, size_t size) {
        size_t total;
        void *p;

        if (__builtin_mul_overflow(count, size, &total) || total > in->memory) {
                kube_proto_fail(in, -E2BIG);
                return NULL;
        }
        in->memory -= total;
        p = arena_alloc(in->arena, total);
        if (!p)
                kube_proto_fail(in, -ENOMEM);
        return p;
}

static bool deeper(struct kube_proto_in *in) {
        if (in->depth == 0)
                return kube_proto_fail(in, -E2BIG);
        in->depth--;
        return true;
}

static bool read_object(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_type *type,
                        void *object);

static bool read_one(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_field *field,
                     void *at) {
        int64_t n;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                return kube_proto_get_string(in, from, at);
        case KUBE_BOOL:
                if (!kube_proto_get_varint(in, from, &n))
                        return false;
                *(bool *)at = n != 0;
                return true;
        case KUBE_INT32:
                if (!kube_proto_get_varint(in, from, &n))
                        return false;
                *(int32_t *)at = (int32_t)n;
                return true;
        case KUBE_INT64:
                return kube_proto_get_varint(in, from, at);
        case KUBE_DOUBLE:
                return kube_proto_get_double(in, from, at);
        case KUBE_QUANTITY:
                return kube_proto_get_quantity(in, from, at);
        case KUBE_TIME:
        case KUBE_MICRO_TIME:
                return kube_proto_get_time(in, from, field->element == KUBE_MICRO_TIME, at);
        case KUBE_INT_OR_STRING:
                return kube_proto_get_int_or_string(in, from, at);
        case KUBE_BYTES:
                return kube_proto_get_bytes(in, from, at);
        case KUBE_JSON:
        case KUBE_RAW:
        case KUBE_FIELDS:
                return kube_proto_get_raw(in, from, at);
        case KUBE_OBJECT:
                return read_object(in, from, field->type, at);
        }
        return kube_proto_wrong(in);
}

static bool read_below(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_type *type,
                       void *at) {
        void *object = take(in, 1, type->size);

        if (!object)
                return false;
        memcpy(at, &object, sizeof(object));
        return read_object(in, from, type, object);
}

static bool read_optional(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_field *field,
                          void *at) {
        int64_t n;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                return kube_proto_get_text(in, from, at);
        case KUBE_BOOL:
                if (!kube_proto_get_varint(in, from, &n))
                        return false;
                *(enum tri *)at = n != 0 ? TRI_TRUE : TRI_FALSE;
                return true;
        case KUBE_INT32:
        case KUBE_INT64:
                if (!kube_proto_get_varint(in, from, &n))
                        return false;
                *(struct opt_int *)at = (struct opt_int){ field->element == KUBE_INT32 ? (int32_t)n : n, true };
                return true;
        case KUBE_DOUBLE:
                ((struct opt_double *)at)->set = true;
                return kube_proto_get_double(in, from, &((struct opt_double *)at)->value);
        case KUBE_QUANTITY:
                *(struct opt_quantity *)at = (struct opt_quantity){ .set = true };
                return kube_proto_get_quantity(in, from, &((struct opt_quantity *)at)->amount);
        case KUBE_OBJECT:
                return read_below(in, from, field->type, at);
        default:
                return read_one(in, from, field, at);
        }
}

static bool read_item(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_field *field,
                      void *at) {
        if (field->element == KUBE_STRING)
                return kube_proto_get_text(in, from, at);
        return read_one(in, from, field, at);
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

static bool add_items(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_field *field,
                      const struct list *list, uint32_t *at) {
        struct kube_proto_field item = { .wire = KUBE_PROTO_VARINT };
        size_t size = kube_element_size(field);
        struct kube_proto_scan scan = from->bytes;

        if (!is_packed(from, field))
                return read_item(in, from, field, (char *)list->items + (*at)++ * size);
        while (scan.at < scan.end)
                if (!kube_proto_varint(&scan, &item.number))
                        return kube_proto_wrong(in);
                else if (!read_one(in, &item, field, (char *)list->items + (*at)++ * size))
                        return false;
        return true;
}

/* A list that is a message of its own: its items are the fields with number 1. */
static bool read_wrapped(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_field *field,
                         void *at) {
        struct kube_proto_scan scan = from->bytes;
        struct kube_proto_field item;
        struct list list = { 0 };
        uint32_t n = 0;

        if (from->wire != KUBE_PROTO_BYTES)
                return kube_proto_wrong(in);
        while (scan.at < scan.end)
                if (!kube_proto_next(&scan, &item))
                        return kube_proto_wrong(in);
                else if (item.field == 1)
                        list.count += count_items(&item, field);
        if (!(list.items = take(in, list.count, kube_element_size(field))))
                return false;
        for (scan = from->bytes; scan.at < scan.end;)
                if (kube_proto_next(&scan, &item) && item.field == 1 && !add_items(in, &item, field, &list, &n))
                        return false;
        memcpy(at, &list, sizeof(list));
        return true;
}

static bool entry_part(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_field *field,
                       char *entry) {
        if (from->field == 1)
                return kube_proto_get_text(in, from, (const char **)entry);
        if (from->field != 2)
                return true;
        if (field->form == KUBE_MAP_OF_LISTS)
                return read_wrapped(in, from, field, entry + KUBE_ENTRY_VALUE);
        return read_item(in, from, field, entry + KUBE_ENTRY_VALUE);
}

static bool read_entry(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_field *field,
                       char *entry) {
        struct kube_proto_scan scan = from->bytes;
        struct kube_proto_field part;

        if (from->wire != KUBE_PROTO_BYTES)
                return kube_proto_wrong(in);
        *(const char **)entry = "";
        if (field->element == KUBE_STRING && field->form == KUBE_MAP)
                *(const char **)(entry + KUBE_ENTRY_VALUE) = "";
        while (scan.at < scan.end)
                if (!kube_proto_next(&scan, &part))
                        return kube_proto_wrong(in);
                else if (!entry_part(in, &part, field, entry))
                        return false;
        return true;
}

static size_t size_of_items(const struct kube_field *field) {
        return field->form == KUBE_LIST ? kube_element_size(field) : kube_entry_size(field);
}

static bool read_repeated(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_field *field,
                          struct counts *counts, size_t index, void *at) {
        struct list list;

        if (counts->read[index] == 0) { /* the first of them */
                list = (struct list){ take(in, counts->found[index], size_of_items(field)), counts->found[index] };
                if (!list.items)
                        return false;
                memcpy(at, &list, sizeof(list));
        }
        memcpy(&list, at, sizeof(list));
        if (field->form == KUBE_LIST)
                return add_items(in, from, field, &list, &counts->read[index]);
        return read_entry(in, from, field, (char *)list.items + counts->read[index]++ * size_of_items(field));
}

static bool read_field(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_type *type,
                       size_t index, struct counts *counts, void *object) {
        const struct kube_field *field = &type->fields[index];
        void *at = (char *)object + field->offset;

        switch ((enum kube_form)field->form) {
        case KUBE_ONE:
                return read_one(in, from, field, at);
        case KUBE_OPTIONAL:
                return read_optional(in, from, field, at);
        case KUBE_LIST:
                if (field->flags & KUBE_WRAPPED)
                        return read_wrapped(in, from, field, at);
                break;
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                break;
        }
        return read_repeated(in, from, field, counts, index, at);
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

static bool count_fields(struct kube_proto_in *in, struct kube_proto_scan scan, const struct kube_type *type,
                         const struct kube_wire *wire, size_t n, struct counts *counts) {
        const struct kube_wire *found;
        struct kube_proto_field field;
        size_t hint = 0;

        while (scan.at < scan.end) {
                if (!kube_proto_next(&scan, &field))
                        return kube_proto_wrong(in);
                found = find(wire, n, field.field, &hint);
                if (found && found->part && field.wire != KUBE_PROTO_BYTES)
                        return kube_proto_wrong(in);
                if (found && found->part && !count_fields(in, field.bytes, type, found->part, found->index, counts))
                        return false;
                if (found && !found->part)
                        counts->found[found->index] += count_items(&field, &type->fields[found->index]);
        }
        return true;
}

/* What was counted before: it is known to be well formed. */
static bool read_fields(struct kube_proto_in *in, struct kube_proto_scan scan, const struct target *to,
                        const struct kube_wire *wire, size_t n) {
        const struct kube_wire *found;
        struct kube_proto_field field;
        size_t hint = 0;

        while (scan.at < scan.end) {
                if (!kube_proto_next(&scan, &field))
                        return kube_proto_wrong(in);
                found = find(wire, n, field.field, &hint);
                if (found && found->part) {
                        if (!read_fields(in, field.bytes, to, found->part, found->index))
                                return false;
                } else if (found && !read_field(in, &field, to->type, found->index, to->counts, to->object)) {
                        return false;
                }
        }
        return true;
}

/* Keys of a map may come in any order, and twice. */
static bool settle_maps(struct kube_proto_in *in, const struct kube_type *type, const struct counts *counts,
                        void *object) {
        bool twice;

        for (size_t i = 0; i < type->n_fields; i++) {
                const struct kube_field *field = &type->fields[i];
                struct list map;

                if (counts->read[i] == 0 || field->form == KUBE_LIST)
                        continue;
                memcpy(&map, (char *)object + field->offset, sizeof(map));
                if (!kube_settle_entries(in->arena, kube_entry_size(field), &map, &twice))
                        return kube_proto_fail(in, -ENOMEM);
                memcpy((char *)object + field->offset, &map, sizeof(map));
        }
        return true;
}

static bool read_object(struct kube_proto_in *in, const struct kube_proto_field *from, const struct kube_type *type,
                        void *object) {
        struct counts counts;

        if (from->wire != KUBE_PROTO_BYTES || !(type->flags & KUBE_MESSAGE) || type->n_fields > KUBE_FIELDS_MAX)
                return kube_proto_wrong(in);
        memset(counts.found, 0, type->n_fields * sizeof(counts.found[0]));
        memset(counts.read, 0, type->n_fields * sizeof(counts.read[0]));
        if (!deeper(in) || !count_fields(in, from->bytes, type, type->wire, type->n_wire, &counts) ||
            !read_fields(in, from->bytes, &(struct target){ type, &counts, object }, type->wire, type->n_wire) ||
            !settle_maps(in, type, &counts, object))
                return false;
        in->depth++;
        return true;
}

int kube_proto_read(struct arena *arena, const struct kube_type *type, const void *data, size_t size, void *object) {
        struct kube_proto_in in = {
                .arena = arena,
                .memory = KUBE_MEMORY_BASE + size * KUBE_MEMORY_FACTOR,
                .depth = KUBE_DEPTH_MAX,
        };
        struct kube_proto_field from = { .wire = KUBE_PROTO_BYTES, .bytes = { data, (const uint8_t *)data + size } };

        if (size > KUBE_INPUT_MAX)
                return -E2BIG;
        read_object(&in, &from, type, object);
        return in.error;
}

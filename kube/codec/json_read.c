/* JSON text into structs, in one pass and without a tree. It has no words for what is wrong: kube/codec/value_read.c
 * has. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/codec/entries.h"
#include "kube/codec/gather.h"
#include "kube/scalar.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/json_scan.h"

struct reader {
        struct json_scan scan;
        struct arena *arena;
        size_t memory; /* that may still be taken */
        unsigned depth;
        int error;
        bool odd;
        struct kube_gather gather;
};

static bool fail(struct reader *r, int error) {
        if (r->error == 0)
                r->error = error;
        return false;
}

static bool wrong(struct reader *r) {
        return fail(r, -EINVAL);
}

static bool afford(struct reader *r, size_t size) {
        if (size > r->memory)
                return fail(r, -E2BIG);
        r->memory -= size;
        return true;
}

static bool read_text(struct reader *r, const char **ret) {
        struct json_text text;
        char *copy;

        if (!json_scan_string(&r->scan, &text))
                return wrong(r);
        copy = arena_strndup(r->arena, text.text, text.length);
        if (!copy)
                return fail(r, -ENOMEM);
        if (text.escapes)
                copy[json_text_copy(&text, copy)] = '\0';
        *ret = copy;
        return true;
}

/* What is empty is as not given, where that makes no difference. */
static bool read_string(struct reader *r, const char **ret) {
        if (json_scan_peek(&r->scan) != '"' || r->scan.end - r->scan.at < 2 || r->scan.at[1] != '"')
                return read_text(r, ret);
        r->scan.at += 2;
        *ret = NULL;
        return true;
}

static bool read_bool(struct reader *r, bool *ret) {
        return json_scan_bool(&r->scan, ret) || wrong(r);
}

static bool read_integer(struct reader *r, bool narrow, int64_t *ret) {
        int64_t n;

        if (!json_scan_int(&r->scan, &n) || (narrow && (n < INT32_MIN || n > INT32_MAX)))
                return wrong(r);
        *ret = n;
        return true;
}

static bool read_double(struct reader *r, double *ret) {
        char digits[64], *copy = digits;
        const char *text;
        size_t length;
        bool whole;

        if (!json_scan_number(&r->scan, &text, &length, &whole))
                return wrong(r);
        if (length >= sizeof(digits) && !(copy = arena_strndup(r->arena, text, length)))
                return fail(r, -ENOMEM);
        if (copy == digits) {
                memcpy(digits, text, length);
                digits[length] = '\0';
        }
        *ret = strtod(copy, NULL);
        return (*ret - *ret == 0) || wrong(r); /* 1e999 */
}

/* A short string's meaning in @buffer; false for none, or one too long to be meant. */
static bool read_short(struct reader *r, char *buffer, size_t size, size_t *ret_length) {
        struct json_text text;

        if (!json_scan_string(&r->scan, &text) || text.length > size)
                return wrong(r);
        *ret_length = json_text_copy(&text, buffer);
        return true;
}

static bool read_quantity(struct reader *r, struct quantity *ret) {
        char buffer[6 * KUBE_QUANTITY_TEXT_MAX];
        const char *text = buffer;
        size_t length;
        bool whole;

        if (json_scan_peek(&r->scan) == '"') {
                if (!read_short(r, buffer, sizeof(buffer), &length))
                        return false;
        } else if (!json_scan_number(&r->scan, &text, &length, &whole)) {
                return wrong(r);
        }
        return kube_quantity_parse(text, length, ret) || wrong(r);
}

static bool read_time(struct reader *r, bool micro, struct kube_time *ret) {
        char buffer[6 * KUBE_TIME_TEXT_MAX];
        size_t length;

        return read_short(r, buffer, sizeof(buffer), &length) &&
               (kube_time_parse(buffer, length, micro, ret) || wrong(r));
}

static bool read_int_or_string(struct reader *r, struct int_or_string *ret) {
        int64_t n;

        *ret = (struct int_or_string){ .set = true };
        if (json_scan_peek(&r->scan) == '"')
                return read_text(r, &ret->text);
        if (!read_integer(r, true, &n))
                return false;
        ret->number = (int32_t)n;
        return true;
}

static bool read_bytes(struct reader *r, struct kube_bytes *ret) {
        struct json_text text;
        uint8_t *data;
        char *plain;

        if (!json_scan_string(&r->scan, &text))
                return wrong(r);
        data = arena_alloc_uncleared(r->arena, (size_t)text.length / 4 * 3 + 3);
        plain = text.escapes ? arena_alloc_uncleared(r->arena, text.length) : NULL; /* a slash may be written as one */
        if (!data || (text.escapes && !plain))
                return fail(r, -ENOMEM);
        if (plain)
                text = (struct json_text){ plain, (uint32_t)json_text_copy(&text, plain), false };
        if (!kube_base64_parse(text.text, text.length, data, &ret->length))
                return wrong(r);
        ret->data = data;
        return true;
}

static bool read_raw(struct reader *r, struct kube_raw *ret) {
        const char *begin;
        size_t length;
        char *copy;

        json_scan_peek(&r->scan);
        begin = r->scan.at;
        if (!json_scan_skip(&r->scan, r->depth))
                return wrong(r);
        length = (size_t)(r->scan.at - begin);
        copy = arena_strndup(r->arena, begin, length);
        if (!copy)
                return fail(r, -ENOMEM);
        length = json_compact(begin, length, copy);
        copy[length] = '\0';
        *ret = (struct kube_raw){ copy, (uint32_t)length };
        return true;
}

static bool read_object(struct reader *r, const struct kube_type *type, void *object);

/* What is not a pointer in Go. @at is a member or an item of its kind, zeroed. */
static bool read_one(struct reader *r, const struct kube_field *field, void *at) {
        int64_t n;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                return read_string(r, at);
        case KUBE_BOOL:
                return read_bool(r, at);
        case KUBE_INT32:
                if (!read_integer(r, true, &n))
                        return false;
                *(int32_t *)at = (int32_t)n;
                return true;
        case KUBE_INT64:
                return read_integer(r, false, at);
        case KUBE_DOUBLE:
                return read_double(r, at);
        case KUBE_QUANTITY:
                return read_quantity(r, at);
        case KUBE_TIME:
        case KUBE_MICRO_TIME:
                return read_time(r, field->element == KUBE_MICRO_TIME, at);
        case KUBE_INT_OR_STRING:
                return read_int_or_string(r, at);
        case KUBE_BYTES:
                return read_bytes(r, at);
        case KUBE_JSON:
        case KUBE_RAW:
        case KUBE_FIELDS:
                return read_raw(r, at);
        case KUBE_OBJECT:
                return read_object(r, field->type, at);
        }
        return wrong(r);
}

static bool read_optional(struct reader *r, const struct kube_field *field, void *at) {
        bool boolean;
        void *object;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                return read_text(r, at);
        case KUBE_BOOL:
                if (!read_bool(r, &boolean))
                        return false;
                *(enum tri *)at = boolean ? TRI_TRUE : TRI_FALSE;
                return true;
        case KUBE_INT32:
        case KUBE_INT64:
                ((struct opt_int *)at)->set = true;
                return read_integer(r, field->element == KUBE_INT32, &((struct opt_int *)at)->value);
        case KUBE_DOUBLE:
                ((struct opt_double *)at)->set = true;
                return read_double(r, &((struct opt_double *)at)->value);
        case KUBE_QUANTITY:
                ((struct opt_quantity *)at)->set = true;
                return read_quantity(r, &((struct opt_quantity *)at)->amount);
        case KUBE_OBJECT:
                if (!afford(r, field->type->size))
                        return false;
                object = arena_alloc(r->arena, field->type->size);
                if (!object)
                        return fail(r, -ENOMEM);
                memcpy(at, &object, sizeof(object));
                return read_object(r, field->type, object);
        default:
                return read_one(r, field, at);
        }
}

static bool is_null(struct reader *r) {
        return json_scan_peek(&r->scan) == 'n' && json_scan_null(&r->scan);
}

/* Items that are null are empty ones; a string among them is never NULL, an empty one neither. */
static bool read_item(struct reader *r, const struct kube_field *field, void *item) {
        if (!is_null(r) && !read_one(r, field, item))
                return false;
        if (field->element == KUBE_STRING && !*(const char **)item)
                *(const char **)item = "";
        return true;
}

static bool take(struct reader *r, const struct kube_gather_mark *mark, size_t size, struct list *ret) {
        *ret = (struct list){ kube_gather_take(&r->gather, mark, size, r->arena), mark->count };
        return ret->items || fail(r, -ENOMEM);
}

static bool enter(struct reader *r, char bracket) {
        if (!json_scan_is(&r->scan, bracket))
                return wrong(r);
        if (r->depth == 0)
                return fail(r, -E2BIG);
        r->depth--;
        return true;
}

static bool read_list(struct reader *r, const struct kube_field *field, void *at) {
        struct kube_gather_mark mark = kube_gather_begin(&r->gather);
        size_t size = kube_element_size(field);
        struct list list;

        if (!enter(r, '['))
                return false;
        if (!json_scan_is(&r->scan, ']')) {
                do {
                        void *item = afford(r, size) ? kube_gather_add(&r->gather, &mark, size) : NULL;

                        if (!item)
                                return fail(r, -ENOMEM);
                        if (!read_item(r, field, item))
                                return false;
                } while (json_scan_is(&r->scan, ','));
                if (!json_scan_is(&r->scan, ']'))
                        return wrong(r);
        }
        r->depth++;
        if (!take(r, &mark, size, &list))
                return false;
        memcpy(at, &list, sizeof(list));
        return true;
}

static bool read_entry(struct reader *r, const struct kube_field *field, char *entry) {
        if (!read_text(r, (const char **)entry) || !json_scan_is(&r->scan, ':'))
                return wrong(r);
        if (field->form == KUBE_MAP_OF_LISTS)
                return is_null(r) || read_list(r, field, entry + KUBE_ENTRY_VALUE);
        return read_item(r, field, entry + KUBE_ENTRY_VALUE);
}

static bool read_map(struct reader *r, const struct kube_field *field, void *at) {
        struct kube_gather_mark mark = kube_gather_begin(&r->gather);
        size_t size = kube_entry_size(field);
        struct list list;

        if (!enter(r, '{'))
                return false;
        if (!json_scan_is(&r->scan, '}')) {
                do {
                        char *entry = afford(r, size) ? kube_gather_add(&r->gather, &mark, size) : NULL;

                        if (!entry)
                                return fail(r, -ENOMEM);
                        if (!read_entry(r, field, entry))
                                return false;
                } while (json_scan_is(&r->scan, ','));
                if (!json_scan_is(&r->scan, '}'))
                        return wrong(r);
        }
        r->depth++;
        if (!take(r, &mark, size, &list))
                return false;
        if (!kube_settle_entries(r->arena, size, &list, &r->odd))
                return fail(r, -ENOMEM);
        memcpy(at, &list, sizeof(list));
        return true;
}

static bool read_field(struct reader *r, const struct kube_field *field, void *at) {
        if (is_null(r))
                return true;
        switch ((enum kube_form)field->form) {
        case KUBE_ONE:
                return read_one(r, field, at);
        case KUBE_OPTIONAL:
                return read_optional(r, field, at);
        case KUBE_LIST:
                return read_list(r, field, at);
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                return read_map(r, field, at);
        }
        return wrong(r);
}

#define NAME_ESCAPED_MAX (6 * 64) /* no field's name is longer than 64 */

/* The field that the next member is for, its name passed; NULL for one without a row. False for what is no member. */
static bool read_name(struct reader *r, const struct kube_type *type, const struct kube_field **ret) {
        char plain[NAME_ESCAPED_MAX];
        struct json_text name;

        if (!json_scan_string(&r->scan, &name) || !json_scan_is(&r->scan, ':'))
                return wrong(r);
        if (name.escapes && name.length <= sizeof(plain))
                name = (struct json_text){ plain, (uint32_t)json_text_copy(&name, plain), false };
        *ret = kube_type_field(type, name.text, name.length);
        return true;
}

/* Of a field that stands twice the last counts; objects are merged, as by Go. */
static bool read_member(struct reader *r, const struct kube_type *type, uint64_t *seen, void *object) {
        const struct kube_field *field;
        uint64_t bit;

        if (!read_name(r, type, &field))
                return false;
        if (!field) {
                r->odd = true;
                return json_scan_skip(&r->scan, r->depth) || wrong(r);
        }
        bit = UINT64_C(1) << (field - type->fields);
        r->odd |= (*seen & bit) != 0;
        *seen |= bit;
        return read_field(r, field, (char *)object + field->offset);
}

/* The field of a KUBE_EITHER that a value is for shows by how it begins. */
static bool read_either(struct reader *r, const struct kube_type *type, void *object) {
        const struct kube_field *field = kube_either_field(type, json_scan_peek(&r->scan));

        memset(object, 0, type->size);
        if (!field)
                return wrong(r);
        kube_either_init(type, field, object);
        return read_field(r, field, (char *)object + field->offset);
}

static bool read_object(struct reader *r, const struct kube_type *type, void *object) {
        uint64_t seen = 0;

        if (type->flags & KUBE_EITHER)
                return read_either(r, type, object);
        if (!enter(r, '{'))
                return false;
        if (!json_scan_is(&r->scan, '}')) {
                do
                        if (!read_member(r, type, &seen, object))
                                return false;
                while (json_scan_is(&r->scan, ','));
                if (!json_scan_is(&r->scan, '}'))
                        return wrong(r);
        }
        r->depth++;
        return true;
}

static void begin(struct reader *r, struct arena *arena, const char *text, size_t length) {
        r->scan = (struct json_scan){ text, text + length };
        r->arena = arena;
        r->memory = KUBE_MEMORY_BASE + length * KUBE_MEMORY_FACTOR;
        r->depth = KUBE_DEPTH_MAX;
        r->error = 0;
        r->odd = false;
        kube_gather_init(&r->gather);
}

static int end(struct reader *r) {
        if (r->error == 0 && (json_scan_peek(&r->scan), r->scan.at != r->scan.end))
                wrong(r);
        kube_gather_done(&r->gather);
        return r->error;
}

int kube_json_read_field(struct arena *arena, const struct kube_field *field, const char *text, void *object) {
        struct reader r;

        begin(&r, arena, text, strlen(text));
        read_field(&r, field, (char *)object + field->offset);
        return end(&r);
}

int kube_json_read(struct arena *arena, const struct kube_type *type, const char *text, size_t length, bool *ret_odd,
                   void *object) {
        struct reader r;

        if (length > KUBE_INPUT_MAX)
                return -E2BIG;
        begin(&r, arena, text, length);
        read_object(&r, type, object);
        r.error = end(&r);
        if (r.error == 0 && ret_odd)
                *ret_odd = r.odd;
        return r.error;
}

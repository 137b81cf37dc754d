/* What is the same: apiequality.Semantic.DeepEqual, by the rows of the type. */
#include <errno.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/type.h"
#include "kube/validate/common.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

static bool same_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

static bool same_time(const struct kube_time *a, const struct kube_time *b) {
        return a->set == b->set && (!a->set || (a->seconds == b->seconds && a->nanoseconds == b->nanoseconds));
}

static bool same_raw(const struct kube_raw *a, const struct kube_raw *b) {
        return a->length == b->length && (a->length == 0 || memcmp(a->text, b->text, a->length) == 0);
}

bool validate_equal_bytes(const struct kube_bytes *a, const struct kube_bytes *b) {
        return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

static bool same_int_or_string(const struct int_or_string *a, const struct int_or_string *b) {
        if (!a->text != !b->text)
                return false;
        return a->text ? strcmp(a->text, b->text) == 0 : a->number == b->number;
}

/* Elements as KUBE_ONE has them: of lists and maps too. */
static bool same_one(const struct kube_field *field, const void *a, const void *b) {
        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                return same_text(*(const char *const *)a, *(const char *const *)b);
        case KUBE_BOOL:
                return *(const bool *)a == *(const bool *)b;
        case KUBE_INT32:
                return *(const int32_t *)a == *(const int32_t *)b;
        case KUBE_INT64:
                return *(const int64_t *)a == *(const int64_t *)b;
        case KUBE_DOUBLE:
                return *(const double *)a == *(const double *)b;
        case KUBE_QUANTITY:
                return quantity_compare(*(const struct quantity *)a, *(const struct quantity *)b) == 0;
        case KUBE_TIME:
        case KUBE_MICRO_TIME:
                return same_time(a, b);
        case KUBE_INT_OR_STRING:
                return same_int_or_string(a, b);
        case KUBE_BYTES:
                return validate_equal_bytes(a, b);
        case KUBE_JSON:
        case KUBE_RAW:
        case KUBE_FIELDS:
                return same_raw(a, b);
        case KUBE_OBJECT:
                return validate_equal(field->type, a, b);
        }
        return false;
}

/* Absent is not zero. */
static bool same_optional(const struct kube_field *field, const void *a, const void *b) {
        const void *below_a, *below_b;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                below_a = *(const char *const *)a, below_b = *(const char *const *)b;
                return !below_a == !below_b && same_text(below_a, below_b);
        case KUBE_BOOL:
                return *(const enum tri *)a == *(const enum tri *)b;
        case KUBE_INT32:
        case KUBE_INT64:
                return ((const struct opt_int *)a)->set == ((const struct opt_int *)b)->set &&
                       ((const struct opt_int *)a)->value == ((const struct opt_int *)b)->value;
        case KUBE_DOUBLE:
                return ((const struct opt_double *)a)->set == ((const struct opt_double *)b)->set &&
                       ((const struct opt_double *)a)->value == ((const struct opt_double *)b)->value;
        case KUBE_QUANTITY:
                return ((const struct opt_quantity *)a)->set == ((const struct opt_quantity *)b)->set &&
                       quantity_compare(((const struct opt_quantity *)a)->amount,
                                        ((const struct opt_quantity *)b)->amount) == 0;
        case KUBE_INT_OR_STRING:
                return ((const struct int_or_string *)a)->set == ((const struct int_or_string *)b)->set &&
                       same_int_or_string(a, b);
        case KUBE_OBJECT:
                below_a = *(const void *const *)a, below_b = *(const void *const *)b;
                return !below_a == !below_b && (!below_a || validate_equal(field->type, below_a, below_b));
        default:
                return same_one(field, a, b);
        }
}

static bool same_list(const struct kube_field *field, const struct list *a, const struct list *b, size_t size,
                      size_t skip) {
        if (a->count != b->count)
                return false;
        for (uint32_t i = 0; i < a->count; i++) {
                const char *one = (const char *)a->items + i * size, *other = (const char *)b->items + i * size;

                if (skip > 0 && !same_text(*(const char *const *)one, *(const char *const *)other))
                        return false;
                if (field->form == KUBE_MAP_OF_LISTS ?
                            !same_list(field, (const struct list *)(one + skip), (const struct list *)(other + skip),
                                       kube_element_size(field), 0) :
                            !same_one(field, one + skip, other + skip))
                        return false;
        }
        return true;
}

static bool same_field(const struct kube_field *field, const void *a, const void *b) {
        const char *one = (const char *)a + field->offset, *other = (const char *)b + field->offset;

        switch ((enum kube_form)field->form) {
        case KUBE_ONE:
                return same_one(field, one, other);
        case KUBE_OPTIONAL:
                return same_optional(field, one, other);
        case KUBE_LIST:
                return same_list(field, (const struct list *)one, (const struct list *)other, kube_element_size(field),
                                 0);
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                return same_list(field, (const struct list *)one, (const struct list *)other, kube_entry_size(field),
                                 KUBE_ENTRY_VALUE);
        }
        return false;
}

bool validate_equal(const struct kube_type *type, const void *a, const void *b) {
        if (!a || !b)
                return !a == !b;
        for (size_t i = 0; i < type->n_fields; i++)
                if (!same_field(&type->fields[i], a, b))
                        return false;
        return true;
}

bool validate_equal_field(const struct kube_type *type, const char *name, const void *a, const void *b) {
        const struct kube_field *field = kube_type_field(type, name, strlen(name));

        return field && same_field(field, a, b);
}

void validate_immutable(struct validation *v, const struct place *at, const struct kube_type *type, const void *new,
                        const void *old) {
        if (!validate_equal(type, new, old))
                validate_invalid_object(v, at, type, new, VALIDATE_IMMUTABLE);
}

void validate_immutable_text(struct validation *v, const struct place *at, const char *new, const char *old) {
        if (!same_text(new, old))
                validate_invalid(v, at, new, VALIDATE_IMMUTABLE);
}

/* The field alone is written, as an object with nothing else; what stands behind the colon is its JSON. */
const char *validate_field_json(struct validation *v, const struct kube_type *type, const char *name,
                                const void *object) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        const struct kube_field *field = kube_type_field(type, name, strlen(name));
        struct kube_field row = *field;
        struct kube_type alone = { .name = type->name, .fields = &row, .n_fields = 1, .size = type->size };
        _cleanup_free_ char *text = NULL;
        size_t length, skip = strlen(name) + 4; /* {"NAME": */

        if (validate_is_full(v))
                return "null";
        if (field->form == KUBE_OPTIONAL &&
            same_optional(field, (const char *)object + field->offset, (const char[sizeof(struct kube_raw) * 4]){ 0 }))
                return "null";
        row.flags |= KUBE_ALWAYS;
        kube_json_write(&w, &alone, object);
        if (json_writer_finish(&w, &text, &length) == 0 && length > skip)
                return validate_copy(v, text + skip, length - skip - 1);
        v->error = -ENOMEM;
        return "null";
}

void validate_immutable_field(struct validation *v, const struct place *at, const struct kube_type *type,
                              const char *name, const void *new, const void *old) {
        if (!validate_equal_field(type, name, new, old))
                validate_invalid_json(v, at, validate_field_json(v, type, name, new), VALIDATE_IMMUTABLE);
}

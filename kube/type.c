#include "kube/type.h"

#include <endian.h>
#include <string.h>

#include "lib/cleanup.h"

static uint64_t load64(const char *p) {
        uint64_t n;

        memcpy(&n, p, sizeof(n));
        return le64toh(n);
}

static uint64_t load32(const char *p) {
        uint32_t n;

        memcpy(&n, p, sizeof(n));
        return le32toh(n);
}

/* Beginning, end and length, multiplied; contrib/kinds/rows.py has found a @seed with which a type's names do not meet.
 */
static uint64_t name_hash(const char *name, size_t length, uint32_t seed) {
        uint64_t first, last;

        if (length >= 8) {
                first = load64(name);
                last = load64(name + length - 8);
        } else if (length >= 4) {
                first = load32(name);
                last = load32(name + length - 4);
        } else if (length > 0) {
                first = last = (uint8_t)name[0] | (uint64_t)(uint8_t)name[length / 2] << 8 |
                               (uint64_t)(uint8_t)name[length - 1] << 16;
        } else {
                first = last = 0;
        }
        return (first ^ (last << 21 | last >> 43) ^ length) * (UINT64_C(0x9E3779B97F4A7C15) + 2 * (uint64_t)seed);
}

static bool is_called(const struct kube_field *field, const char *name, size_t length) {
        return field->name_length == length && memcmp(field->name, name, length) == 0;
}

const struct kube_field *kube_type_field(const struct kube_type *type, const char *name, size_t length) {
        if (type->slots) {
                uint8_t slot = type->slots[name_hash(name, length, type->seed) >> (64 - type->slot_bits)];

                return slot > 0 && is_called(&type->fields[slot - 1], name, length) ? &type->fields[slot - 1] : NULL;
        }
        for (size_t i = 0; i < type->n_fields; i++)
                if (is_called(&type->fields[i], name, length))
                        return &type->fields[i];
        return NULL;
}

const struct kube_field *kube_type_find(const struct kube_type *type, const char *path) {
        for (;;) {
                size_t length = strcspn(path, ".");
                const struct kube_field *field = type ? kube_type_field(type, path, length) : NULL;

                if (!field || path[length] == '\0')
                        return field;
                type = field->type;
                path += length + 1;
        }
}

static const uint8_t one_sizes[] = {
        [KUBE_STRING] = sizeof(const char *),
        [KUBE_BOOL] = sizeof(bool),
        [KUBE_INT32] = sizeof(int32_t),
        [KUBE_INT64] = sizeof(int64_t),
        [KUBE_DOUBLE] = sizeof(double),
        [KUBE_QUANTITY] = sizeof(struct quantity),
        [KUBE_TIME] = sizeof(struct kube_time),
        [KUBE_MICRO_TIME] = sizeof(struct kube_time),
        [KUBE_INT_OR_STRING] = sizeof(struct int_or_string),
        [KUBE_BYTES] = sizeof(struct kube_bytes),
        [KUBE_JSON] = sizeof(struct kube_raw),
        [KUBE_RAW] = sizeof(struct kube_raw),
        [KUBE_FIELDS] = sizeof(struct kube_raw),
};

size_t kube_element_size(const struct kube_field *field) {
        return field->element == KUBE_OBJECT ? field->type->size : one_sizes[field->element];
}

const void *kube_below(const struct kube_field *field, const void *object) {
        const void *below;

        memcpy(&below, (const char *)object + field->offset, sizeof(below));
        return below;
}

size_t kube_entry_size(const struct kube_field *field) {
        size_t value = field->form == KUBE_MAP_OF_LISTS ? sizeof(struct list) : kube_element_size(field);

        return (KUBE_ENTRY_VALUE + value + 7) & ~(size_t)7;
}

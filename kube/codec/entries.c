#include "kube/codec/entries.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"

static const char *key_of(const char *entry) {
        return *(const char *const *)entry;
}

/* Equal keys in the order of the source. */
static int compare(const void *a, const void *b) {
        const char *x = *(const char *const *)a, *y = *(const char *const *)b;
        int r = strcmp(key_of(x), key_of(y));

        return r != 0 ? r : (x > y) - (x < y);
}

static bool is_sorted(const char *entries, uint32_t count, size_t size) {
        for (uint32_t i = 1; i < count; i++)
                if (strcmp(key_of(entries + (i - 1) * size), key_of(entries + i * size)) >= 0)
                        return false;
        return true;
}

bool kube_settle_entries(struct arena *arena, size_t size, struct list *map, bool *ret_twice) {
        const char **order;
        char *sorted;
        uint32_t kept = 0;

        if (is_sorted(map->items, map->count, size))
                return true;
        order = arena_alloc_array(arena, map->count, sizeof(*order));
        sorted = arena_alloc_array(arena, map->count, size);
        if (!order || !sorted)
                return false;
        for (uint32_t i = 0; i < map->count; i++)
                order[i] = (const char *)map->items + i * size;
        qsort(order, map->count, sizeof(*order), compare);
        for (uint32_t i = 0; i < map->count; i++) {
                if (i + 1 < map->count && strcmp(key_of(order[i]), key_of(order[i + 1])) == 0)
                        *ret_twice = true;
                else
                        memcpy(sorted + kept++ * size, order[i], size);
        }
        *map = (struct list){ sorted, kept };
        return true;
}

static const struct kube_field *of_form(const struct kube_type *type, uint8_t element, uint8_t form) {
        for (size_t i = 0; i < type->n_fields; i++)
                if (type->fields[i].form == form && (form == KUBE_LIST || type->fields[i].element == element))
                        return &type->fields[i];
        return NULL;
}

const struct kube_field *kube_either_field(const struct kube_type *type, char first) {
        switch (first) {
        case '{':
                return of_form(type, KUBE_OBJECT, KUBE_OPTIONAL);
        case '[':
                return of_form(type, 0, KUBE_LIST);
        case 't':
        case 'f':
                return of_form(type, KUBE_BOOL, KUBE_ONE);
        default:
                return NULL;
        }
}

const struct kube_field *kube_either_given(const struct kube_type *type, const void *object) {
        const struct kube_field *list = of_form(type, 0, KUBE_LIST), *one = of_form(type, KUBE_OBJECT, KUBE_OPTIONAL);
        struct list items;
        void *below;

        if (list) {
                memcpy(&items, (const char *)object + list->offset, sizeof(items));
                if (items.count > 0)
                        return list;
        }
        if (one) {
                memcpy(&below, (const char *)object + one->offset, sizeof(below));
                if (below)
                        return one;
        }
        return of_form(type, KUBE_BOOL, KUBE_ONE);
}

void kube_either_init(const struct kube_type *type, const struct kube_field *field, void *object) {
        const struct kube_field *allows = of_form(type, KUBE_BOOL, KUBE_ONE);

        if (allows && field != allows)
                *(bool *)((char *)object + allows->offset) = true;
}

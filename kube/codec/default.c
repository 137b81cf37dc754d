#include <string.h>

#include "kube/codec/codec.h"
#include "kube/codec/entries.h"
#include "kube/type.h"
#include "lib/arena.h"

static int default_items(struct arena *arena, const struct kube_type *type, const void *at, size_t size, size_t skip) {
        struct list list;
        int r = 0;

        memcpy(&list, at, sizeof(list));
        for (uint32_t i = 0; i < list.count && r == 0; i++)
                r = kube_default(arena, type, (char *)list.items + i * size + skip);
        return r;
}

static int default_below(struct arena *arena, const struct kube_field *field, void *at) {
        void *below;

        switch ((enum kube_form)field->form) {
        case KUBE_ONE:
                return kube_default(arena, field->type, at);
        case KUBE_OPTIONAL:
                memcpy(&below, at, sizeof(below));
                return below ? kube_default(arena, field->type, below) : 0;
        case KUBE_LIST:
                return default_items(arena, field->type, at, field->type->size, 0);
        case KUBE_MAP:
                return default_items(arena, field->type, at, kube_entry_size(field), KUBE_ENTRY_VALUE);
        case KUBE_MAP_OF_LISTS:
                break;
        }
        return 0;
}

/* Recursion is bounded by the depth of the object. */
int kube_default(struct arena *arena, const struct kube_type *type, void *object) {
        int r = 0;

        for (size_t i = 0; i < type->n_fields && r == 0; i++) {
                const struct kube_field *field = &type->fields[i];
                void *at = (char *)object + field->offset;

                if (field->fallback && kube_is_unset(field, at))
                        r = kube_json_read_field(arena, field, field->fallback, object);
                else if (field->type)
                        r = default_below(arena, field, at);
        }
        return r;
}

/* Copies of typed objects: a shallow one is made first, then whatever it points to becomes its own; structs and lists
 * in a first walk, texts in a second, so that there is no padding among them. */
#include <errno.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/type.h"
#include "lib/arena.h"

struct copier {
        struct arena *arena;
        bool texts; /* the second walk */
};

static bool own_object(struct copier *c, const struct kube_type *type, void *object);

/* Replaces the pointer at @at, not NULL, by one to a copy of the @size bytes there, and returns it. */
static void *own_bytes(struct copier *c, void *at, size_t size) {
        void *from, *copy;

        memcpy(&from, at, sizeof(from));
        if (c->texts)
                return from;
        if (!(copy = arena_alloc_uncleared(c->arena, size)))
                return NULL;
        memcpy(copy, from, size);
        memcpy(at, &copy, sizeof(copy));
        return copy;
}

static bool own_text(struct copier *c, const char **text) {
        return !c->texts || !*text || (*text = arena_strdup(c->arena, *text));
}

static bool own_raw(struct copier *c, struct kube_raw *raw) {
        return !c->texts || !raw->text || (raw->text = arena_strndup(c->arena, raw->text, raw->length));
}

static bool own_one(struct copier *c, const struct kube_field *field, void *at) {
        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                return own_text(c, at);
        case KUBE_INT_OR_STRING:
                return own_text(c, &((struct int_or_string *)at)->text);
        case KUBE_BYTES:
                return !((struct kube_bytes *)at)->data ||
                       own_bytes(c, &((struct kube_bytes *)at)->data, ((struct kube_bytes *)at)->length);
        case KUBE_JSON:
        case KUBE_RAW:
        case KUBE_FIELDS:
                return own_raw(c, at);
        case KUBE_OBJECT:
                return own_object(c, field->type, at);
        default:
                return true;
        }
}

static bool own_list(struct copier *c, const struct kube_field *field, struct list *list) {
        size_t size = kube_element_size(field);
        char *items;

        if (!list->items)
                return true;
        if (!(items = own_bytes(c, &list->items, list->count * size)))
                return false;
        for (uint32_t i = 0; i < list->count; i++)
                if (!own_one(c, field, items + i * size))
                        return false;
        return true;
}

static bool own_map(struct copier *c, const struct kube_field *field, struct list *map) {
        size_t size = kube_entry_size(field);
        char *entries;

        if (!map->items)
                return true;
        if (!(entries = own_bytes(c, &map->items, map->count * size)))
                return false;
        for (uint32_t i = 0; i < map->count; i++) {
                char *entry = entries + i * size, *value = entry + KUBE_ENTRY_VALUE;

                if (!own_text(c, (const char **)entry) ||
                    !(field->form == KUBE_MAP ? own_one(c, field, value) : own_list(c, field, (struct list *)value)))
                        return false;
        }
        return true;
}

static bool own_field(struct copier *c, const struct kube_field *field, void *at) {
        void *below;

        switch ((enum kube_form)field->form) {
        case KUBE_LIST:
                return own_list(c, field, at);
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                return own_map(c, field, at);
        case KUBE_OPTIONAL:
                if (!field->type)
                        break;
                memcpy(&below, at, sizeof(below));
                return !below || ((below = own_bytes(c, at, field->type->size)) && own_object(c, field->type, below));
        case KUBE_ONE:
                break;
        }
        return own_one(c, field, at);
}

/* Recursion is bounded by the depth of the object. */
static bool own_object(struct copier *c, const struct kube_type *type, void *object) {
        for (size_t i = 0; i < type->n_fields; i++)
                if (!own_field(c, &type->fields[i], (char *)object + type->fields[i].offset))
                        return false;
        return true;
}

int kube_copy(struct arena *arena, const struct kube_type *type, const void *from, void *to) {
        struct copier structs = { arena, false }, texts = { arena, true };

        memcpy(to, from, type->size);
        return own_object(&structs, type, to) && own_object(&texts, type, to) ? 0 : -ENOMEM;
}

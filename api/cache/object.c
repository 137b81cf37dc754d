#include "api/cache/object.h"

#include <stdlib.h>
#include <string.h>

#include "api/cache/pack.h"
#include "lib/bytes.h"
#include "lib/thread_buffer.h"

#define PACK_ROOM ((size_t)64 << 10) /* kept by each thread that packs */

/* Most are selected by what they are called; the text is there once. */
static bool is_place(const struct object_parts *p, const char *text) {
        return strcmp(text, p->name) == 0 || strcmp(text, p->namespace) == 0;
}

static size_t text_size(const struct object_parts *p) {
        size_t n = strlen(p->namespace) + strlen(p->name) + 2;

        for (uint16_t i = 0; i < p->n_labels; i++)
                n += strlen(p->labels[i].key) + strlen(p->labels[i].value) + 2;
        for (uint16_t i = 0; i < p->n_fields; i++)
                if (!is_place(p, p->fields[i]))
                        n += strlen(p->fields[i]) + 1;
        return n;
}

static const char *put_text(char **at, const char *text) {
        char *copy = *at;

        *at = stpcpy(copy, text) + 1;
        return copy;
}

static int compare_labels(const void *a, const void *b) {
        return strcmp(((const struct object_label *)a)->key, ((const struct object_label *)b)->key);
}

/* All in one piece of memory: the struct, its labels, its fields, the text of both, and what is @packed (NULL: nothing
 * is). */
static struct object *make(const struct object_parts *parts, const struct packed *packed) {
        size_t labels = parts->n_labels * sizeof(struct object_label), fields = parts->n_fields * sizeof(const char *);
        struct object *o = malloc(sizeof(*o) + labels + fields + text_size(parts) + (packed ? packed->size : 0));
        struct object_label *label;
        const char **field;
        char *text;

        if (!o)
                return NULL;
        label = (struct object_label *)(o + 1);
        field = (const char **)(label + parts->n_labels);
        text = (char *)(field + parts->n_fields);
        *o = (struct object){ .refs = 1,
                              .n_labels = parts->n_labels,
                              .n_fields = parts->n_fields,
                              .revision = parts->revision,
                              .labels = label,
                              .fields = field };
        o->namespace = put_text(&text, parts->namespace);
        o->name = put_text(&text, parts->name);
        for (uint16_t i = 0; i < parts->n_labels; i++) {
                label[i].key = put_text(&text, parts->labels[i].key);
                label[i].value = put_text(&text, parts->labels[i].value);
        }
        for (uint16_t i = 0; i < parts->n_fields; i++)
                field[i] = strcmp(parts->fields[i], o->name) == 0      ? o->name :
                           strcmp(parts->fields[i], o->namespace) == 0 ? o->namespace :
                                                                         put_text(&text, parts->fields[i]);
        qsort(label, parts->n_labels, sizeof(*label), compare_labels);
        if (packed) {
                o->dictionary = pack_dictionary_ref(packed->dictionary);
                o->json.packed = memcpy(text, packed->data, packed->size);
                o->packed_size = packed->size;
                o->plain_size = packed->plain_size;
        }
        return o;
}

struct object *object_new(const struct object_parts *parts) {
        struct object *o = make(parts, NULL);

        if (o)
                o->json.plain = bytes_ref(parts->json);
        return o;
}

static struct object *pack_in(struct object *o, struct packer *packer, void *room) {
        const struct object_parts parts = { .revision = o->revision,
                                            .namespace = o->namespace,
                                            .name = o->name,
                                            .labels = o->labels,
                                            .fields = o->fields,
                                            .n_labels = o->n_labels,
                                            .n_fields = o->n_fields };
        struct packed packed;

        if (packer_pack(packer, o->json.plain->data, o->json.plain->size, room, &packed) < 0)
                return NULL;
        return make(&parts, &packed);
}

struct object *object_pack(struct object *o, struct packer *packer) {
        static struct thread_buffer buffer = THREAD_BUFFER(PACK_ROOM);
        struct object *packed = NULL;
        void *room;

        if (o->dictionary)
                return object_ref(o);
        if (o->json.plain->size <= PACK_ROOM) {
                room = thread_buffer(&buffer);
                packed = room ? pack_in(o, packer, room) : NULL;
        } else if ((room = malloc(o->json.plain->size))) {
                packed = pack_in(o, packer, room);
                free(room);
        }
        return packed ?: object_ref(o);
}

struct bytes *object_json(const struct object *o) {
        const struct packed packed = { o->json.packed, o->packed_size, o->plain_size, o->dictionary };

        return o->dictionary ? packed_open(&packed) : bytes_ref(o->json.plain);
}

size_t object_json_size(const struct object *o) {
        return o->dictionary ? o->plain_size : o->json.plain->size;
}

struct object *object_ref(struct object *object) {
        __atomic_add_fetch(&object->refs, 1, __ATOMIC_RELAXED);
        return object;
}

struct object *object_unref(struct object *object) {
        if (object && __atomic_sub_fetch(&object->refs, 1, __ATOMIC_ACQ_REL) == 0) {
                if (!object->dictionary)
                        bytes_unref(object->json.plain);
                pack_dictionary_unref(object->dictionary);
                free(object);
        }
        return NULL;
}

void object_unrefp(struct object **object) {
        object_unref(*object);
        *object = NULL;
}

const char *object_label(const struct object *object, const char *key) {
        const struct object_label wanted = { key, NULL }, *found = bsearch(&wanted, object->labels, object->n_labels,
                                                                           sizeof(wanted), compare_labels);

        return found ? found->value : NULL;
}

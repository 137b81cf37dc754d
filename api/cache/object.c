#include "api/cache/object.h"

#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"

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

/* All in one piece of memory: the struct, its labels, its fields, the text of both. */
struct object *object_new(const struct object_parts *parts) {
        size_t labels = parts->n_labels * sizeof(struct object_label), fields = parts->n_fields * sizeof(const char *);
        struct object *o = malloc(sizeof(*o) + labels + fields + text_size(parts));
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
                              .fields = field,
                              .json = bytes_ref(parts->json) };
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
        return o;
}

struct object *object_ref(struct object *object) {
        __atomic_add_fetch(&object->refs, 1, __ATOMIC_RELAXED);
        return object;
}

struct object *object_unref(struct object *object) {
        if (object && __atomic_sub_fetch(&object->refs, 1, __ATOMIC_ACQ_REL) == 0) {
                bytes_unref(object->json);
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

/* Objects as Go's json.Marshal() writes Kubernetes' internal types, which have no names for JSON and leave nothing out:
 * a type's rows with the names of Go's fields, all of them to be written, for the encoder of JSON. Types of
 * apimachinery have their names, and what Go embeds stands among what is beside it. Made when an error is told of, and
 * for that alone. */
#include <stdlib.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/meta_v1.h"
#include "kube/validate/common.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define APIMACHINERY "io.k8s.apimachinery."

struct renamed {
        const struct kube_type *from;
        struct kube_type type;
        struct renamed *next;
};

struct renaming {
        struct arena *arena;
        struct renamed *all;
};

/* Letters at the beginning of a name that are capitals: those of a word that is short for others. */
static size_t capitals(const char *name) {
        static const struct {
                const char *word;
                size_t n;
        } known[] = { { "api", 3 },   { "aws", 3 },  { "ca", 2 },   { "cel", 3 },  { "cidr", 4 },  { "cidrs", 4 },
                      { "csi", 3 },   { "dns", 3 },  { "grpc", 4 }, { "http", 4 }, { "https", 5 }, { "id", 2 },
                      { "ip", 2 },    { "ips", 2 },  { "nfs", 3 },  { "os", 2 },   { "pid", 3 },   { "rbd", 3 },
                      { "fc", 2 },    { "fs", 2 },   { "gce", 3 },  { "gid", 3 },  { "gmsa", 4 },  { "iqn", 3 },
                      { "iscsi", 5 }, { "json", 4 }, { "pd", 2 },   { "pkix", 4 }, { "qos", 3 },   { "se", 2 },
                      { "ssl", 3 },   { "tcp", 3 },  { "tls", 3 },  { "tty", 3 },  { "ttl", 3 },   { "uid", 3 },
                      { "uri", 3 },   { "url", 3 },  { "wwids", 4 } };
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz");

        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (strlen(known[i].word) == n && strncmp(known[i].word, name, n) == 0)
                        return known[i].n;
        return 1;
}

static char *go_name(struct arena *arena, const char *name) {
        char *copy = arena_strdup(arena, name);
        size_t n = copy ? capitals(name) : 0;

        for (size_t i = 0; i < n; i++)
                if (copy[i] >= 'a' && copy[i] <= 'z')
                        copy[i] = (char)(copy[i] - 'a' + 'A');
        return copy;
}

static bool is_embedded(const struct kube_field *field) {
        return field->type == &kube_object_meta_type && field->form == KUBE_ONE;
}

static const struct kube_type *rename_type(struct renaming *r, const struct kube_type *type);

/* A row with its name in Go. */
static struct kube_field rename_row(struct renaming *r, const struct kube_field *row) {
        struct kube_field field = *row;
        char *name = go_name(r->arena, row->name);

        field.name = name ?: row->name;
        field.flags |= KUBE_ALWAYS;
        if (row->element == KUBE_OBJECT)
                field.type = rename_type(r, row->type);
        return field;
}

/* The rows of what Go embeds stand among those of @type. Returns how many there are. */
static uint16_t rename_rows(struct renaming *r, const struct kube_type *type, struct kube_field *rows) {
        bool kind = type->flags & KUBE_KIND;
        uint16_t n = 0;

        for (uint16_t i = 0; i < type->n_fields; i++) {
                const struct kube_field *row = &type->fields[i];

                if (!is_embedded(row)) {
                        rows[n++] = kind && i < 2 ? *row : rename_row(r, row);
                        continue;
                }
                for (uint16_t j = 0; j < kube_object_meta_type.n_fields; j++, n++) {
                        rows[n] = kube_object_meta_type.fields[j];
                        rows[n].offset = (uint16_t)(rows[n].offset + row->offset);
                }
        }
        return n;
}

static const struct kube_type *rename_type(struct renaming *r, const struct kube_type *type) {
        struct renamed *made;
        struct kube_field *rows;

        if (strncmp(type->name, APIMACHINERY, strlen(APIMACHINERY)) == 0)
                return type;
        for (made = r->all; made; made = made->next)
                if (made->from == type)
                        return &made->type;
        made = arena_new_of(r->arena, struct renamed);
        rows = arena_alloc_array(r->arena, (size_t)type->n_fields + kube_object_meta_type.n_fields,
                                 sizeof(struct kube_field));
        if (!made || !rows)
                return type;
        *made = (struct renamed){ type, *type, r->all };
        r->all = made;
        made->type.fields = rows;
        made->type.slots = NULL;
        made->type.n_fields = rename_rows(r, type, rows);
        return &made->type;
}

static const char *write_json(struct validation *v, const struct kube_type *type, const void *object, size_t skip) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;
        size_t length;

        kube_json_write(&w, type, object);
        if (json_writer_finish(&w, &text, &length) < 0 || length < 2 * skip)
                return "null";
        return arena_strndup(v->arena, text + skip, length - skip - (skip > 0)) ?: "null";
}

const char *validate_go_json(struct validation *v, const struct kube_type *type, const void *object) {
        struct renaming renaming = { .arena = v->arena };

        if (validate_is_full(v) || !object)
                return "null";
        return write_json(v, rename_type(&renaming, type), object, 0);
}

/* The field alone is written, as an object with nothing else; what stands behind the colon is its JSON. */
const char *validate_go_json_field(struct validation *v, const struct kube_type *type, const char *name,
                                   const void *object) {
        const struct kube_field *field = kube_type_field(type, name, strlen(name));
        struct renaming renaming = { .arena = v->arena };
        struct kube_field row;
        struct kube_type alone = { .name = type->name, .fields = &row, .n_fields = 1, .size = type->size };

        if (validate_is_full(v) || !field)
                return "null";
        row = rename_row(&renaming, field);
        return write_json(v, &alone, object, strlen("{\"\":") + strlen(name));
}

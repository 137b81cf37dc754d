/* Objects as Go's json.Marshal() writes Kubernetes' internal types, which have no names for JSON and leave nothing out:
 * what kube-apiserver shows of a value that is a whole object. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/type.h"
#include "kube/validate/common.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define META_TYPES "io.k8s.apimachinery."

/* Names that begin otherwise than with a capital of the JSON name's first letter. */
static const struct {
        const char *json, *go;
} names[] = {
        { "apiGroup", "APIGroup" },
        { "gmsaCredentialSpec", "GMSACredentialSpec" },
        { "gmsaCredentialSpecName", "GMSACredentialSpecName" },
        { "hostIP", "HostIP" },
        { "ip", "IP" },
        { "seLinuxOptions", "SELinuxOptions" },
};

static const char *go_name(struct validation *v, const char *json) {
        char *name;

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcmp(names[i].json, json) == 0)
                        return names[i].go;
        name = validate_copy(v, json, strlen(json));
        if (*name)
                *name = (char)toupper((unsigned char)*name);
        return name;
}

static void write_object(struct validation *v, struct json_writer *w, const struct kube_type *type, const void *object);

static void write_field(struct validation *v, struct json_writer *w, const struct kube_type *type,
                        const struct kube_field *field, const void *object) {
        const char *at = (const char *)object + field->offset, *text;
        const struct list *list = (const struct list *)at;

        if (field->element == KUBE_OBJECT && field->form == KUBE_ONE) {
                write_object(v, w, field->type, at);
        } else if (field->element == KUBE_OBJECT && field->form == KUBE_OPTIONAL) {
                write_object(v, w, field->type, kube_below(field, object));
        } else if (field->element == KUBE_OBJECT && field->form == KUBE_LIST && list->items) {
                json_begin_list(w);
                for (uint32_t i = 0; i < list->count; i++)
                        write_object(v, w, field->type, (const char *)list->items + i * kube_element_size(field));
                json_end_list(w);
        } else {
                text = validate_field_json(v, type, field->name, object);
                json_raw(w, text, strlen(text));
        }
}

static void write_object(struct validation *v, struct json_writer *w, const struct kube_type *type,
                         const void *object) {
        if (!object) {
                json_null(w);
                return;
        }
        /* Those of meta/v1 are the same inside. */
        if (strncmp(type->name, META_TYPES, strlen(META_TYPES)) == 0) {
                kube_json_write(w, type, object);
                return;
        }
        json_begin_map(w);
        for (size_t i = 0; i < type->n_fields; i++) {
                json_key(w, go_name(v, type->fields[i].name));
                write_field(v, w, type, &type->fields[i], object);
        }
        json_end_map(w);
}

static const char *finish(struct validation *v, struct json_writer *w) {
        _cleanup_free_ char *text = NULL;

        if (json_writer_finish(w, &text, NULL) == 0)
                return validate_copy(v, text, strlen(text));
        v->error = -ENOMEM;
        return "null";
}

const char *validate_go_json(struct validation *v, const struct kube_type *type, const void *object) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        if (validate_is_full(v))
                return "null";
        write_object(v, &w, type, object);
        return finish(v, &w);
}

const char *validate_go_json_field(struct validation *v, const struct kube_type *type, const char *name,
                                   const void *object) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        if (validate_is_full(v))
                return "null";
        write_field(v, &w, type, kube_type_field(type, name, strlen(name)), object);
        return finish(v, &w);
}

#include "api/rest/selector.h"

#include <errno.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/server/request.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/selector/field.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define KEPT_FIRST ((size_t)256) /* bytes of a kept selector's arena */

#define FIELD_NAME "metadata.name"
#define FIELD_NAMESPACE "metadata.namespace"
#define FIELD_NODE "spec.nodeName"

/* What the group that is asked calls them. */
static const struct selector_field_kind *own_fields(const struct api_request *r) {
        if (strcmp(r->kind->group, r->resource->group) == 0)
                return r->resource->fields;
        return selector_field_kind_of(r->kind->group, r->kind->version, r->kind->kind);
}

/* Places among the values of what is kept, of a selector in the words of another group. */
static int place_fields(const struct api_request *r, struct selector_fields *fields) {
        const struct selector_field_kind *kept = r->resource->fields;
        struct selector_term *terms;

        if (fields->n == 0 || own_fields(r) == kept)
                return 0;
        terms = arena_alloc_array(r->arena, fields->n, sizeof(*terms));
        if (!terms)
                return -ENOMEM;
        for (uint32_t i = 0; i < fields->n; i++) {
                terms[i] = fields->terms[i];
                for (uint32_t place = 0; place < kept->n; place++)
                        if (strcmp(kept->fields[place].label, terms[i].field) == 0)
                                terms[i].place = place;
        }
        fields->terms = terms;
        return 0;
}

int api_selector_read(struct api_request *r, struct api_selector *ret_selector, struct err **err) {
        const char *labels = r->options.label_selector ?: "", *fields = r->options.field_selector ?: "";
        const struct selector_query query = { r->kind->version, fields, strlen(fields) };
        struct api_selector selector = { 0 };
        int error = selector_label_parse(r->arena, labels, strlen(labels), &selector.labels, err);

        error = error ?: selector_field_parse(r->arena, own_fields(r), &query, &selector.fields, err);
        error = error ?: place_fields(r, &selector.fields);
        if (error == 0)
                *ret_selector = selector;
        return error;
}

struct arena *api_selector_keep(struct api_request *r, struct api_selector **ret_selector) {
        struct arena *arena = arena_new_small(KEPT_FIRST), *own = r->arena;
        struct api_selector *selector = arena ? arena_new_of(arena, struct api_selector) : NULL;
        _cleanup_err_ struct err *err = NULL;
        int error;

        r->arena = arena;
        error = selector ? api_selector_read(r, selector, &err) : -ENOMEM;
        r->arena = own;
        if (error < 0)
                return arena_free(arena);
        *ret_selector = selector;
        return arena;
}

static const char *look_up_label(const void *data, const char *key) {
        return object_label(data, key);
}

bool api_selector_matches(void *data, const struct object *object) {
        const struct api_selector *selector = data;

        return selector_label_matches(&selector->labels, look_up_label, object) &&
               selector_field_matches(&selector->fields, object->fields);
}

void api_selector_filter(const struct api_request *r, struct api_selector *selector,
                         struct collection_filter *ret_filter) {
        const char *name = r->name ? NULL : selector_field_exact(&selector->fields, FIELD_NAME),
                   *namespace = r->path.namespace || !r->kind->namespaced ?
                                        NULL :
                                        selector_field_exact(&selector->fields, FIELD_NAMESPACE);
        uint32_t names = !!name + !!namespace;
        bool more = selector->labels.nothing || selector->labels.n > 0 || selector->fields.n > names;

        *ret_filter = (struct collection_filter){
                .namespace = r->kind->namespaced ? r->path.namespace ?: namespace : NULL,
                .name = r->name ?: name,
                .matches = more ? api_selector_matches : NULL,
                .data = selector,
        };
}

int api_selector_topic(const struct api_selector *selector, const char **ret_value) {
        for (uint32_t i = 0; i < selector->fields.n; i++) {
                const struct selector_term *term = &selector->fields.terms[i];

                if (term->differs || strcmp(term->field, FIELD_NAME) == 0 || strcmp(term->field, FIELD_NAMESPACE) == 0)
                        continue;
                *ret_value = term->value;
                return (int)term->place;
        }
        return -1;
}

bool api_selector_is_term(const struct api_selector *selector) {
        return !selector->labels.nothing && selector->labels.n == 0 && selector->fields.n == 1 &&
               !selector->fields.terms[0].differs;
}

bool api_selector_is_empty(const struct api_selector *selector) {
        return !selector->labels.nothing && selector->labels.n == 0 && selector->fields.n == 0;
}

bool api_selector_finds_node(const struct api_request *r, struct api_selector *selector) {
        if (strcmp(r->kind->resource, "pods") != 0 && strcmp(r->kind->resource, "resourceslices") != 0)
                return false;
        for (uint32_t i = 0; i < selector->fields.n && !selector->node; i++) {
                const struct selector_term *term = &selector->fields.terms[i];

                if (!term->differs && strcmp(term->field, FIELD_NODE) == 0)
                        selector->node = term;
        }
        return selector->node;
}

bool api_selector_shares_node(void *data, const struct object *object) {
        const struct selector_term *node = ((const struct api_selector *)data)->node;

        return strcmp(object->fields[node->place], node->value) == 0;
}

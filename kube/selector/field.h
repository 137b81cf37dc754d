/* Field selectors: the text of the parameter fieldSelector ("metadata.name=a,spec.nodeName!=b").
 *
 * Which fields an object is selected by is a table of its kind. What a field's value is, is found once, when an object
 * is stored; a selector compares these values by their place in the table. Errors have the words of kube-apiserver.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct kube_wanted;
struct value;

#define SELECTOR_FIELDS_MAX 32 /* of a kind */

struct selector_field {
        const char *label; /* what clients write */
        const char *path,
                *also;        /* keys divided by dots: where its value is; @also where that is empty. NULL: nowhere */
        const char *fallback; /* its value where there is none; NULL: "" */
        const char *means;    /* the label that stands for it in the selector; NULL: its own */
};

/* What a label that the kind does not have is answered with. */
enum selector_unknown {
        SELECTOR_UNKNOWN_ONLY,      /* "x" is not a known field selector: only "metadata.name", "metadata.namespace" */
        SELECTOR_UNKNOWN_FIELD,     /* field label not supported: x */
        SELECTOR_UNKNOWN_FOR_KIND,  /* field label "x" not supported for Job */
        SELECTOR_UNKNOWN_FOR_GROUP, /* field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: x */
};

/* A kind's fields; a CustomResourceDefinition's selectableFields are one made at run time. */
struct selector_field_kind {
        const char *group, *version, *kind; /* version NULL: any */
        enum selector_unknown unknown;
        const struct selector_field *fields;
        size_t n;
};

/* That of a kind of Kubernetes' own. Never NULL: what has none of its own has metadata.name and metadata.namespace. */
const struct selector_field_kind *selector_field_kind_of(const char *group, const char *version, const char *kind);

struct selector_term {
        const char *field; /* the label that is meant */
        uint32_t place;    /* of its value among those of an object */
        bool differs;
        const char *value;
};

struct selector_fields {
        const struct selector_term *terms; /* in the order of their texts */
        uint32_t n;                        /* 0: everything is selected */
};

/* What a client asks by. */
struct selector_query {
        const char *version; /* of the kind, for the error's text */
        const char *text;    /* of the parameter */
        size_t length;
};

/* Reads @query into @arena. 0, -EINVAL with
 * kube-apiserver's words, -E2BIG past SELECTOR_TEXT_MAX (kube/selector/label.h), -ENOMEM. */
int selector_field_parse(struct arena *arena, const struct selector_field_kind *kind,
                         const struct selector_query *query, struct selector_fields *ret_selector, struct err **err);

/* Adds to @wanted (kube/project.h) what the values below are made of, so that they come of an object's bytes without
 * the rest of it. 0 or -ENOMEM. */
int selector_field_want(struct arena *arena, const struct selector_field_kind *kind, struct kube_wanted *wanted);

/* The values of @object, one for each of the kind's fields, in @ret_values with room for kind->n. They are texts of
 * @object or in @arena. 0 or -ENOMEM. */
int selector_field_values(struct arena *arena, const struct selector_field_kind *kind, const struct value *object,
                          const char **ret_values);

/* @values as selector_field_values() gives them. */
bool selector_field_matches(const struct selector_fields *selector, const char *const *values);

/* The one value that the field called @label must have ("metadata.name"); NULL when others will do. */
const char *selector_field_exact(const struct selector_fields *selector, const char *label);

/* As apimachinery writes it; *@ret_text is in @arena. 0 or -ENOMEM. */
int selector_field_format(struct arena *arena, const struct selector_fields *selector, const char **ret_text);

/* Selectors of lists and watches: by labels ("app in (web,api),!canary") and by fields ("spec.nodeName=n1"). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/cache/collection.h"
#include "api/state/resource.h"

struct arena;
struct err;

#define API_REQUIREMENTS_MAX 256
#define API_SELECTOR_VALUES_MAX 4096

enum api_operator {
        API_EQUALS,
        API_DIFFERS,
        API_IN,
        API_NOT_IN,
        API_EXISTS,
        API_EXISTS_NOT,
        API_GREATER,
        API_LESS,
};

struct api_requirement {
        enum api_operator operator;
        const char *key;
        int field;                 /* its number, of a field's */
        const char *const *values; /* ends with NULL */
};

struct api_selector {
        const struct api_requirement *labels, *fields;
        unsigned n_labels, n_fields;
        const char *name, *namespace; /* of metadata.name= and metadata.namespace=; NULL: not given */
        bool nothing;                 /* contradicts itself */
};

/* Reads both texts (NULL: none) into @arena. -EINVAL with kube-apiserver's words, -ENOMEM. */
int api_selector_parse(struct arena *arena, const struct api_resource *resource, const char *labels, const char *fields,
                       struct api_selector *ret_selector, struct err **err);

/* For struct collection_filter: @data is the selector. Names are the filter's own to look at. */
bool api_selector_matches(void *data, const struct object *object);

/* Whether it looks at more than names. */
bool api_selector_looks(const struct api_selector *selector);

/* The field that must have one value, for a watch's topic: its number and *ret_value; -1: none. */
int api_selector_topic(const struct api_selector *selector, const char **ret_value);

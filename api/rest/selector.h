/* Selectors of lists and watches: labels and fields of kube/selector, looked up in what the cache has of an object. */
#pragma once

#include <stdbool.h>

#include "kube/selector/field.h"
#include "kube/selector/label.h"

struct api_request;
struct arena;
struct collection_filter;
struct err;
struct object;

struct api_selector {
        struct selector_labels labels;
        struct selector_fields fields;
        const struct selector_term *node; /* of api_selector_finds_node() */
};

/* Reads the request's options into its arena. -EINVAL with kube-apiserver's words, -E2BIG, -ENOMEM. */
int api_selector_read(struct api_request *r, struct api_selector *ret_selector, struct err **err);

/* The same, in an arena of its own, which is *ret_selector's; it is read already, and valid. NULL without memory. */
struct arena *api_selector_keep(struct api_request *r, struct api_selector **ret_selector);

/* Which objects are asked for, by the path and by @selector, which lives as long as the filter. Names that must be
 * are the cache's to find; matches() is there where more is to be looked at. */
void api_selector_filter(const struct api_request *r, struct api_selector *selector,
                         struct collection_filter *ret_filter);

/* The field that must have one value, for a watch's topic: its number and *ret_value; -1: none but a name. */
int api_selector_topic(const struct api_selector *selector, const char **ret_value);

/* Whether @selector is one field's, with one value, and nothing else. */
bool api_selector_is_term(const struct api_selector *selector);

/* Whether it selects everything. */
bool api_selector_is_empty(const struct api_selector *selector);

/* kube-apiserver finds what is of one node by an index, where the present is asked for, and sees nothing else.
 * Whether this is such a selector of the kind. */
bool api_selector_finds_node(const struct api_request *r, struct api_selector *selector);

/* collection_filter.matches and .among (of api_selector_finds_node()) of a struct api_selector. */
bool api_selector_matches(void *data, const struct object *object);
bool api_selector_shares_node(void *data, const struct object *object);

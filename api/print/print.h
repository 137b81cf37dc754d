/* Objects as rows of a Table, and as metadata alone (meta/v1 Table, PartialObjectMetadata), by the request's media.
 *
 * What columns there are, and what stands in a cell, is kube/print's to know. An answer is one reference; NULL without
 * memory, or for an object that is none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/server/negotiate.h"
#include "kube/print/table.h"

struct api_request;
struct api_resource;
struct bytes;
struct kube_kind;
struct kube_subresource;
struct object;

/* As what a request wants objects. */
struct api_view {
        const struct kube_kind *kind;
        const struct kube_subresource *sub; /* NULL: the object itself */
        const struct api_resource *resource;
        struct api_media media;
        enum print_include include; /* of a table's rows */
};

struct api_view api_view_of(const struct api_request *r);

/* Whether the request's subresource shows an object of another kind, as scale does: that is what is then printed. */
bool api_shows_other(const struct api_request *r);

/* The whole answer for one object. */
struct bytes *api_print_one(struct api_request *r, struct object *object);

/* The same for a list; @metadata is the list's, JSON. */
struct bytes *api_print_list(struct api_request *r, struct object *const *objects, size_t n, const char *metadata);

/* A watch's event of @object, one that is not kept too (a bookmark's). @first: a table has its columns. */
struct bytes *api_print_event(const struct api_view *view, const struct object *object, bool first);

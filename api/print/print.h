/* Objects as rows of a Table, and as metadata alone (meta/v1 Table, PartialObjectMetadata), by the request's media.
 *
 * What columns there are, and what stands in a cell, is kube/print's to know. An answer is one reference; NULL without
 * memory, or for an object that is none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api_request;
struct bytes;
struct object;

/* Whether the request's subresource shows an object of another kind, as scale does: that is what is then printed. */
bool api_shows_other(const struct api_request *r);

/* The whole answer for one object. */
struct bytes *api_print_one(struct api_request *r, struct object *object);

/* The same for a list; @metadata is the list's, JSON. */
struct bytes *api_print_list(struct api_request *r, struct object *const *objects, size_t n, const char *metadata);

/* A watch's event of @object, one that is not kept too (a bookmark's). @first: a table has its columns. */
struct bytes *api_print_event(struct api_request *r, const struct object *object, bool first);

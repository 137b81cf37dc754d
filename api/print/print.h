/* Objects as rows of a Table, and as metadata alone (meta/v1 Table, PartialObjectMetadata). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct api_request;
struct bytes;
struct json_writer;
struct object;

/* The whole answer for one object, by the request's shape; one reference, NULL without memory. */
struct bytes *api_print_one(struct api_request *r, struct object *object);

/* The same for a list; @metadata is the list's, JSON. */
struct bytes *api_print_list(struct api_request *r, struct object *const *objects, size_t n, const char *metadata);

/* For a watch's event. @first: a table has its columns. */
struct bytes *api_print_event(struct api_request *r, struct object *object, bool first);

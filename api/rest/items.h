/* Lists as bytes: a head, which says as of which revision they are, and the items behind it. Each is one reference;
 * NULL without memory. */
#pragma once

#include <stddef.h>

struct api_request;
struct bytes;
struct object;

/* The whole list as JSON; @metadata is the list's, JSON. */
struct bytes *api_items_json(struct api_request *r, struct object *const *objects, size_t n, const char *metadata);

/* The same in the negotiated form as a rest, and a head for a rest of that form. -ENOMEM, or an error of the form's. */
int api_items_rest(struct api_request *r, struct object *const *objects, size_t n, struct bytes **ret_rest);
int api_items_head(struct api_request *r, const char *metadata, const struct bytes *rest, struct bytes **ret_head);

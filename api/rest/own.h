/* Who owns which field: server-side apply, and what every other write does to metadata.managedFields (kube/apply). */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct value;

/* r->next as it was written by who asks. */
int api_own(struct api_request *r);

/* *@object, of @kind, as the server itself has made it of @live, by subresource @sub; either may be NULL. */
struct arena;
struct kube_kind;
int api_own_server(struct arena *arena, const struct kube_kind *kind, const char *sub, const struct value *live,
                   const struct value **object);

/* What the configuration in the request's body makes of r->current_tree (NULL: nothing is there). API_NEXT with
 * *ret_next; what does not fit, and conflicts, are answered. */
enum api_step api_apply(struct api_request *r, const struct value **ret_next);

/* r->next, but with what it was where nothing has changed but times. */
int api_own_settle(struct api_request *r);

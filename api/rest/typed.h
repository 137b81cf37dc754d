/* Structs of trees: an object is read once for all the stages that look at it as its type's struct. They change nothing
 * in it; who does, or may have, says api_typed_forget(). */
#pragma once

struct api_request;
struct problems;
struct value;

/* @tree, of the kind that is kept, as its struct, in the request's arena; r->next and r->current_tree are read once.
 * What does not fit is in @problems: *@ret_object then has what did. -ENOMEM or 0. */
int api_typed(struct api_request *r, const struct value *tree, struct problems *problems, void **ret_object);

/* r->next is @object, of the kind that is kept, but for metadata, which is read anew. -ENOMEM or 0. */
int api_typed_but_meta(struct api_request *r, void *object);

/* r->next's struct is not what it says any more. */
void api_typed_forget(struct api_request *r);

/* The doors to an object: which part of it a subresource shows, and which it changes. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct value;
struct value_edit;

/* What a client sees and patches through the request's door: the object, or what stands for it (a Scale). */
int api_door_show(struct api_request *r, const struct value *object, const struct value **ret_shown);

/* Whether what came through the door can be meant; else it is refused. */
enum api_step api_door_check(struct api_request *r, const struct value *sent);

/* The object that is meant by @sent, which came through the door: r->current_tree with its changes. */
int api_door_open(struct api_request *r, const struct value *sent, const struct value **ret_object);

/* Once r->next is in the version that is kept: what its door cannot change is as it is there, wherever the other
 * version had it. */
int api_door_keep(struct api_request *r);

/* Begins the edit of what @next makes of @current: what this door cannot change is @current's. */
int api_door_begin(struct api_request *r, struct value_edit *edit, const struct value *current,
                   const struct value *next);

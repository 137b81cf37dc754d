/* Objects as answers: whole, as rows of a table, as metadata alone; through the request's door. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct object;
struct value;

enum api_step api_show(struct api_request *r, int code, struct object *object);

/* An object of @tree, in the version that is kept, which is not in the state; one reference, NULL without memory. */
struct object *api_object_of(struct api_request *r, const struct value *tree);

/* Takes what is at the request's name, or what is pending there: current, current_json, current_tree. -ENOENT, -ENOMEM.
 */
int api_take_current(struct api_request *r);
void api_forget_current(struct api_request *r);

/* 406: metadata alone was asked for, of a list where one object is, or the other way round. */
enum api_step api_refuse_shape(struct api_request *r);

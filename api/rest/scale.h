/* The scale of what has replicas: autoscaling/v1 Scale, made of the object and put back into it. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct value;

int api_scale_show(struct api_request *r, const struct value *object, const struct value **ret_scale);

/* API_NEXT, or it is refused. */
enum api_step api_scale_check(struct api_request *r, const struct value *scale);

/* r->current_tree with @scale's replicas, resourceVersion and uid. */
int api_scale_open(struct api_request *r, const struct value *scale, const struct value **ret_object);

/* The scale of what has replicas: autoscaling/v1 Scale, made of the object and put back into it. */
#pragma once

struct api_request;
struct value;

int api_scale_show(struct api_request *r, const struct value *object, const struct value **ret_scale);

/* r->current_tree with @scale's replicas, resourceVersion and uid. */
int api_scale_open(struct api_request *r, const struct value *scale, const struct value **ret_object);

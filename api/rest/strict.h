/* Whether an object is of its type, and what is odd in it: fields that have no row, or stand twice (fieldValidation).
 */
#pragma once

#include <stddef.h>

#include "api/server/pipeline.h"

struct api_request;
struct value;

/* Looks at @json (NULL: that of @tree is made) as an object of the request's type. What is odd becomes a warning of the
 * request, where it wants that. 0 with *ret_problem in the request's arena, NULL when all is well; or -ENOMEM. */
int api_look(struct api_request *r, const char *json, size_t length, const struct value *tree,
             const char **ret_problem);

/* What an apply's configuration says twice, once it is applied. */
enum api_step api_look_at_applied(struct api_request *r);

/* What kube-apiserver's reader of trees puts before @problem, where it reads it by way of JSON; "": nothing. */
const char *api_from_json(const char *problem);

/* Whether a patch is one of its kind, and what it makes is still an object of its kind. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct value;

/* @patch, the request's: a map, or a list of operations; what is not is refused in the words of kube-apiserver, whose
 * JSON reader names its own types. With fieldValidation "Ignore" it leaves operations to the patch (kube/patch). */
enum api_step api_patch_check(struct api_request *r, const struct value *patch);

/* Why @next, made of @current by the patch, is no object of that kind any more, in the request's arena; NULL: it is, or
 * there is no memory. */
const char *api_patch_kind_problem(struct api_request *r, const struct value *current, const struct value *next);

/* Kinds whose creation answers a question and keeps nothing: TokenReview, SubjectAccessReview and its siblings. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct problems;

/* Answers them; API_NEXT for kinds that are kept. What nobody answers is not there. */
enum api_step api_review(struct api_request *r);

/* For those who answer by themselves: what was sent, with its kind, as a struct of r->type; what does not fit is in
 * @problems. And the answer, 201. */
int api_review_read(struct api_request *r, struct problems *problems, void **ret_object);
enum api_step api_review_show(struct api_request *r, const void *object);

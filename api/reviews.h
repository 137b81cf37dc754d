/* Kinds whose creation answers a question and keeps nothing: TokenReview, SubjectAccessReview and its siblings. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;

/* Answers them; API_NEXT for kinds that are kept. What nobody answers is not there. */
enum api_step api_review(struct api_request *r);

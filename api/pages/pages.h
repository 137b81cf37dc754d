/* Paths that are no resources: health, version, metrics. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;

/* Answers those that it has; API_NEXT for others. */
enum api_step api_page(struct api_request *r);

/* What is served, for clients to discover: /api, /apis and below, plain and aggregated. Made of the registry when it is
 * asked for, so that kinds may come and go. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;

/* Answers a request for a path that is discovery's; API_NEXT for others. */
enum api_step api_discover(struct api_request *r);

/* What is done to a pod by creating something below it: a Binding puts it on a node, an Eviction takes it from one.
 * Each is a change of the pod, or some, and answers with a Status. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;

/* Stage, behind the body's: begins such a creation, and goes on behind it with "commit"; API_NEXT for all others. */
enum api_step api_pods_act(struct api_request *r);

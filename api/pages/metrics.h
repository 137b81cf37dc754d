/* /metrics: what all loops have counted, and what is there now, by the names that kube-apiserver gives them. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;

enum api_step api_metrics_show(struct api_request *r, const char *rest);

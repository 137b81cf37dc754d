/* NodeMetrics and PodMetrics, made of what was scraped and of nodes and pods as they are. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct api_usage;

enum api_step usage_answer(struct api_usage *usage, struct api_request *r);

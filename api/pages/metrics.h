/* /metrics: what all loops have counted, and what is there now, by the names that kube-apiserver gives them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/server/pipeline.h"

struct api_request;

enum api_step api_metrics_show(struct api_request *r, const char *rest);

/* Answers with @text, a page of metrics; NULL: there was no memory for it. @open: in OpenMetrics' form. */
enum api_step api_metrics_answer(struct api_request *r, const char *text, size_t length, bool open);

/* /livez, /readyz and /healthz: kube-apiserver's checks, by its names and in its order, as far as there is something
 * behind them here that can fail or be yet to come; each by itself below them; and /metrics/slis, what they came to. */
#pragma once

#include <stddef.h>

#include "api/server/health.h"
#include "api/server/pipeline.h"

struct api_request;
struct arena;

enum api_step api_health_show(struct api_request *r, const char *rest);
enum api_step api_health_show_metrics(struct api_request *r, const char *rest);

#define API_HEALTH_PATHS_MAX (API_CHECKS_MAX * _API_HEALTH_PAGES)

/* The paths of all single checks; NULL among them is no memory. Returns how many. */
size_t api_health_paths(struct arena *arena, const char **ret_paths);

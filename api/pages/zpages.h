/* /statusz and /flagz: since when which version runs, and with which flags (KEP-4827, KEP-4828), for people as a text
 * and for programs as objects of config.k8s.io.
 */
#pragma once

#include <stddef.h>

#include "api/server/pipeline.h"

struct api_request;

enum api_step api_statusz_show(struct api_request *r, const char *rest);
enum api_step api_flagz_show(struct api_request *r, const char *rest);

/* Who asks, and whether they may: the first stages. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;

enum api_step api_authenticate(struct api_request *r);
enum api_step api_authorize(struct api_request *r);

/* Admission: what a change must get past before it is validated. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;

enum api_step api_admit(struct api_request *r);

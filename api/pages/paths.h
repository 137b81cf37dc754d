/* "/": which paths there are, for people who look around. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;

/* @own, @n of them, beside those of discovery. */
enum api_step api_paths_show(struct api_request *r, const char *const *own, size_t n);

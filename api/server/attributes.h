/* What a request asks for, as authorizers and admission see it. */
#pragma once

#include "api/auth/attributes.h"

struct api_request;

/* Of r->user, and what the path, the method and the query say; also where the client has gone. Texts are the
 * request's. */
struct auth_attributes api_attributes(struct api_request *r);

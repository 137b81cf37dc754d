/* serviceaccounts/NAME/token: TokenRequests (api/auth/issue.h) of the accounts that there are. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;

enum api_step api_token_issue(struct api_request *r);

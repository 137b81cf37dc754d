/* TokenRequest: serviceaccounts/token, a token that lives as long as the object that it is bound to. */
#pragma once

#include <stdint.h>

#include "api/auth/authenticate.h"
#include "kube/authentication_v1.h"

struct problems;

#define AUTH_TOKEN_SECONDS 3600                   /* what is given when none is asked for */
#define AUTH_TOKEN_SECONDS_MIN 600                /* asked for less: refused */
#define AUTH_TOKEN_SECONDS_MAX (INT64_C(1) << 32) /* more: refused */

struct auth_issue {
        const struct auth_keys *keys;
        const char *issuer;
        const char *const *audiences; /* given when none are asked for; ends with NULL */
        int64_t seconds_max;          /* --service-account-max-token-expiration; 0: none */
        bool extend;                  /* --service-account-extend-token-expiration */
        struct auth_objects objects;
};

/* The account of the path, as stored. */
struct auth_account {
        const char *namespace, *name, *uid;
};

/* Answers @request: sets its status, and what defaults its spec has. 0; else what to answer: -EINVAL with @problems
 * (422), -ENOENT (404, *ret_message; the bound object is not there), -EEXIST (409, another uid), -ENOMEM.
 * *@ret_warning: for the Warning header, or NULL. */
int auth_issue(const struct auth_issue *issue, const struct auth_account *account, int64_t now, struct arena *arena,
               struct kube_authentication_v1_token_request *request, struct problems *problems,
               const char **ret_message, const char **ret_warning);

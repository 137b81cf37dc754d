/* TokenRequest: serviceaccounts/token, a token that lives as long as the object that it is bound to.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/auth/authenticate.h"
#include "kube/authentication_v1.h"

struct problems;

#define AUTH_TOKEN_SECONDS 3600                   /* what is given when none is asked for */
#define AUTH_TOKEN_SECONDS_MIN 600                /* asked for less: refused */
#define AUTH_TOKEN_SECONDS_MAX (INT64_C(1) << 32) /* more: refused */
#define AUTH_TOKEN_AUDIENCES_MAX 256

/* What is asked for by the volumes that every pod gets; where it may be, such a token for the API itself lives a year,
 * and says after which time it should have been replaced. */
#define AUTH_TOKEN_SECONDS_PROJECTED 3607
#define AUTH_TOKEN_SECONDS_EXTENDED (INT64_C(365) * 24 * 3600)

struct auth_issue {
        const struct auth_keys *keys;
        const char *issuer;
        const char *const *audiences; /* given when none are asked for; ends with NULL; NULL: the issuer */
        int64_t seconds_max;          /* --service-account-max-token-expiration; 0: none */
        bool extend;                  /* --service-account-extend-token-expiration */
        struct auth_objects objects;
};

/* The account of the path, as stored. */
struct auth_account {
        const char *namespace, *name, *uid;
};

/* Answers @request, in the arena of @problems: sets its status, and what its spec leaves out. 0; else what to answer,
 * with *@ret_message as its text: -EINVAL (422 with @problems where they have errors, else 400), -ENOENT (404: the
 * bound object is not there), -EEXIST (409: it is another); -EIO, -ENOMEM. */
int auth_issue_token(const struct auth_issue *issue, const struct auth_account *account, int64_t now,
                     struct kube_authentication_v1_token_request *request, struct problems *problems,
                     const char **ret_message);

/* Tokens of the old kind: kept in a Secret of the type kubernetes.io/service-account-token, without an end, and valid
 * as long as that Secret holds them.
 */
#pragma once

#include <stdint.h>

struct arena;
struct auth_keys;

/* Whose token, and which Secret keeps it. */
struct auth_legacy {
        const char *namespace, *secret, *account, *uid;
};

/* *@ret_token is in @arena. -EIO, -ENOMEM or 0. */
int auth_legacy_issue(struct arena *arena, const struct auth_keys *keys, const struct auth_legacy *legacy,
                      const char **ret_token);

/* Impersonation: Impersonate-User, -Uid, -Group and -Extra-KEY make the request another's, where who asks may so.
 *
 * For each header one check, by the chain: verb impersonate, of users, groups, serviceaccounts, uids and
 * userextras/KEY.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/auth/authorizer.h"
#include "api/auth/user.h"

struct arena;
struct err;
struct http_fields;

#define AUTH_IMPERSONATE_MAX 1000 /* groups and extras in one request */

/* 0: *@ret_user is who it is now; 0 with @ret_user's name NULL: no such header is there. Else what is to be answered:
 * -EACCES (403: *@ret_message is its text), -EINVAL (500 as kube-apiserver's: headers without a user), -ENOMEM. */
int auth_impersonate(const struct http_fields *fields, const struct auth_user *user,
                     const struct auth_authorizer *chain, size_t n, struct arena *arena, struct auth_user *ret_user,
                     const char **ret_message);

/* Impersonation: Impersonate-User, -Uid, -Group and -Extra-KEY make the request another's, where who asks may so.
 *
 * First as KEP-5284 has it: whether who asks may do this request in another's place (verb impersonate-on:MODE:VERB, on
 * what is asked for), and be this one (verb impersonate:MODE, in authentication.k8s.io); MODE is
 * associated-node (of the account of a pod: the node that it is on), arbitrary-node, serviceaccount or user-info. Where
 * it is not allowed, as it was before: verb impersonate of users, groups, serviceaccounts, uids and userextras/KEY.
 * Each header is a check by the chain.
 */
#pragma once

#include <stddef.h>

#include "api/auth/authorizer.h"
#include "api/auth/user.h"

struct arena;
struct http_fields;

struct auth_impersonated {
        struct auth_user user;               /* who it is now */
        const char *message;                 /* of a refusal; NULL: none was made */
        const char *group, *resource, *name; /* of a refusal by the chain: what was not allowed */
};

/* @fields: the request's; @attributes: who asks, for what. 0: *@ret has who it is now; 1: no such header is there. Else
 * what is to be answered, with the message in *@ret as its text: -EACCES (403), -EINVAL (400: headers without a user);
 * -ENOMEM. */
int auth_impersonate(const struct http_fields *fields, const struct auth_attributes *attributes,
                     const struct auth_authorizer *chain, size_t n, struct arena *arena, struct auth_impersonated *ret);

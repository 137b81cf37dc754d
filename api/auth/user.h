/* Who asks: what an authenticator found out, and what authorizers, admission and reviews go by.
 *
 * A user's texts are its arena's. Extra keys are lower-case, sorted, and stand once each.
 */
#pragma once

#include <stdbool.h>

#include "kube/authentication_v1.h"
#include "kube/types.h"

struct arena;

#define AUTH_USER_ANONYMOUS "system:anonymous"
#define AUTH_USER_SERVER "system:apiserver" /* the service itself */
#define AUTH_USER_SCHEDULER "system:kube-scheduler"
#define AUTH_GROUP_MASTERS "system:masters" /* may do everything, whatever roles say */
#define AUTH_GROUP_AUTHENTICATED "system:authenticated"
#define AUTH_GROUP_UNAUTHENTICATED "system:unauthenticated"
#define AUTH_GROUP_NODES "system:nodes"
#define AUTH_GROUP_ACCOUNTS "system:serviceaccounts"
/* In place of AUTH_GROUP_NODES: a node by a certificate that is over, or not valid yet (renewing.c). */
#define AUTH_GROUP_RENEWING "nacelle:nodes-renewing"
#define AUTH_GROUP_BOOTSTRAPPERS "system:bootstrappers"

#define AUTH_NODE_PREFIX "system:node:"
#define AUTH_ACCOUNT_PREFIX "system:serviceaccount:"

/* Keys of extra. */
#define AUTH_EXTRA_CREDENTIAL "authentication.kubernetes.io/credential-id"
#define AUTH_EXTRA_POD "authentication.kubernetes.io/pod-name"
#define AUTH_EXTRA_POD_UID "authentication.kubernetes.io/pod-uid"
#define AUTH_EXTRA_NODE "authentication.kubernetes.io/node-name"
#define AUTH_EXTRA_NODE_UID "authentication.kubernetes.io/node-uid"

struct auth_user {
        const char *name; /* never NULL in a user that was authenticated */
        const char *uid;  /* NULL: none */
        string_list groups;
        LIST_OF(struct kube_strings_entry) extra;
};

bool auth_user_in(const struct auth_user *user, const char *group);

/* The first value of extra @key; NULL: none. */
const char *auth_user_extra(const struct auth_user *user, const char *key);

/* The node that @user is: a name behind AUTH_NODE_PREFIX, and in AUTH_GROUP_NODES. NULL: it is none. */
const char *auth_user_node(const struct auth_user *user);

/* "system:serviceaccount:NAMESPACE:NAME" taken apart, both copied to @arena, by the rules for such names. 0, -EINVAL
 * when @name is none, -ENOMEM. */
int auth_account_split(struct arena *arena, const char *name, const char **ret_namespace, const char **ret_name);

/* Adds to what is allocated in @arena: a group (once), a value of an extra key. -ENOMEM or 0. */
int auth_user_add_group(struct arena *arena, struct auth_user *user, const char *group);
int auth_user_add_extra(struct arena *arena, struct auth_user *user, const char *key, const char *value);

/* A deep copy, so that the source's arena may go. */
int auth_user_copy(struct arena *arena, const struct auth_user *user, struct auth_user *ret_copy);

/* As reviews write it; the texts are shared. */
struct kube_authentication_v1_user_info auth_user_info(const struct auth_user *user);

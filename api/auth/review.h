/* Reviews: objects whose creation answers a question and stores nothing. Each takes the object as decoded and sets its
 * status. What is wrong with a spec goes to @problems, in whose arena the answer is as well, with -EINVAL: the 422 of
 * kube-apiserver.
 */
#pragma once

#include <stdint.h>

#include "api/auth/authenticate.h"
#include "api/auth/authorizer.h"
#include "kube/authentication_v1.h"
#include "kube/authorization_v1.h"

struct problems;

/* authentication.k8s.io TokenReview; of audiences that are wanted its status has those that the token is for. -EINVAL:
 * it has no token (400: AUTH_REVIEW_NO_TOKEN). */
#define AUTH_REVIEW_NO_TOKEN "token is required for TokenReview in authentication"
int auth_review_token(struct auth_authenticator *authenticator, int64_t now, struct arena *arena,
                      struct kube_authentication_v1_token_review *review);

/* authentication.k8s.io SelfSubjectReview. */
void auth_review_self(const struct auth_user *user, struct kube_authentication_v1_self_subject_review *review);

/* authorization.k8s.io SubjectAccessReview; Local: @namespace is the path's, NULL for the other.
 * SelfSubjectAccessReview has no user in its spec: @user is who asks. */
int auth_review_access(const struct auth_authorizer *chain, size_t n, const char *namespace,
                       const struct kube_authorization_v1_subject_access_review_spec *spec,
                       struct kube_authorization_v1_subject_access_review_status *ret_status,
                       struct problems *problems);
int auth_review_own_access(const struct auth_authorizer *chain, size_t n, const struct auth_user *user,
                           struct kube_authorization_v1_self_subject_access_review *review, struct problems *problems);

/* Who asks. Counted: what is remembered of a token is many requests' user. */
#pragma once

#include <stddef.h>

struct err;
struct value;
struct x509_store_st;
struct http_exchange;

#define KUBELET_ANONYMOUS "system:anonymous"

struct kubelet_user {
        unsigned refs;
        const char *name;
        const char *spec; /* what a SubjectAccessReviewSpec says of the user: JSON's members, "\"user\":...,..." */
};

struct kubelet_user *kubelet_user_ref(struct kubelet_user *user);
struct kubelet_user *kubelet_user_unref(struct kubelet_user *user); /* NULL is fine; returns NULL */

/* system:anonymous. NULL without memory, as below. */
struct kubelet_user *kubelet_user_anonymous(void);

/* What a TokenReview's status.user is. -EINVAL: it has no name; -ENOMEM. */
int kubelet_user_of_review(const struct value *info, struct kubelet_user **ret_user);

/* Whom the certificate of @x names, at @now (seconds since 1970). -ENODATA: there is none, or it names nobody; -EACCES:
 * it does not count, *@err says why; -ENOMEM. */
int kubelet_user_of_certificate(struct http_exchange *x, struct x509_store_st *authorities, long long now,
                                struct kubelet_user **ret_user, struct err **err);

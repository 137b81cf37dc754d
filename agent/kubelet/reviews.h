/* What the API service has said of tokens (TokenReview) and of what users may (SubjectAccessReview), remembered for as
 * long as kubelet does.
 *
 * Of many who want to know the same at a time one asks. Tokens are not kept, only what nobody else can make of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "lib/list.h"

struct client;
struct kubelet_reviews;
struct kubelet_user;

#define KUBELET_REVIEWS_MAX 2048 /* answers that are remembered; the one that was used longest ago goes first */
/* Questions of a kind under way; one more is -EBUSY. Whoever shows made-up tokens keeps nobody's rights from being
 * asked for. */
#define KUBELET_REVIEWS_PENDING_MAX 64
#define KUBELET_REVIEW_MS 10000 /* for the service to answer: then -ETIMEDOUT */
#define KUBELET_REVIEW_TRIES 2  /* of a question whose connection broke */

struct kubelet_review_ages {
        uint64_t token_ms, allowed_ms, denied_ms; /* how long answers count */
};

struct kubelet_said {
        int error; /* a negative errno: the service has not said anything */
        bool yes;
        struct kubelet_user *user; /* whose the token is; lent */
};

/* Who waits for it. Told from the loop. */
struct kubelet_waiter {
        struct list_node in_review;
        void (*done)(struct kubelet_waiter *waiter, const struct kubelet_said *said);
};

/* @client outlives it. -ENOMEM or 0. */
int kubelet_reviews_new(uv_loop_t *loop, struct client *client, const struct kubelet_review_ages *ages,
                        struct kubelet_reviews **ret_reviews);

/* Nobody is told any more. NULL is fine. */
void kubelet_reviews_free(struct kubelet_reviews *reviews);

/* Whose is @token? 1: it is known, in *ret_said; 0: the waiter, who is the caller's, will be told, unless it leaves;
 * -EBUSY, -ENOMEM. */
int kubelet_review_token(struct kubelet_reviews *reviews, const char *token, struct kubelet_waiter *waiter,
                         struct kubelet_said *ret_said);

/* May the user? As above. */
struct kubelet_access {
        const struct kubelet_user *user;
        const char *verb, *node, *subresource; /* of nodes/@node */
};
int kubelet_review_access(struct kubelet_reviews *reviews, const struct kubelet_access *access,
                          struct kubelet_waiter *waiter, struct kubelet_said *ret_said);

/* @waiter is not told any more; one that does not wait is fine. */
void kubelet_waiter_leave(struct kubelet_waiter *waiter);

/* Whether they may: authorizers asked in order, until one has an opinion (--authorization-mode=Node,RBAC).
 *
 * An authorizer is asked by several loops at a time and does not block. system:masters come before all that has roles.
 */
#pragma once

#include <stddef.h>

struct arena;
struct auth_attributes;

/* Zero is no opinion, so that what was not decided allows nothing. */
enum auth_decision { AUTH_NO_OPINION, AUTH_ALLOW, AUTH_DENY };

struct auth_verdict {
        enum auth_decision decision;
        const char *reason; /* for people: the audit's, the 403's, the review's; "" for none */
        const char
                *error; /* what could not be looked up (a role that is not there), or "": a reason to doubt a refusal */
};

struct auth_authorizer {
        const char *name;
        void (*authorize)(void *data, const struct auth_attributes *attributes, struct arena *arena,
                          struct auth_verdict *ret_verdict);
        void *data;
};

/* Asks the @n of @chain. Reasons of those without an opinion are joined by newlines, as in kube-apiserver's union;
 * texts are in @arena. */
struct auth_verdict auth_authorize(const struct auth_authorizer *chain, size_t n,
                                   const struct auth_attributes *attributes, struct arena *arena);

/* Of AUTH_GROUP_RENEWING alone: what is no request for a certificate is denied. The first of any chain; no data. */
extern const struct auth_authorizer auth_renewing;

/* Members of system:masters may do everything; no data. */
extern const struct auth_authorizer auth_masters;

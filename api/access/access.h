/* Who asks, and whether they may: the authenticator and the chain of authorizers, fed from the state; and the two
 * stages that ask them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/server/pipeline.h"

struct api_access;
struct api_request;
struct api_state;
struct err;

struct api_access_config {
        struct api_state *state; /* outlives it */
        const char *authorities; /* PEM: whose certificates clients are known by */
        const char *token_key;   /* PEM: signs service account tokens; NULL: there are none */
        bool extend_tokens;      /* those of pods' own volumes outlive what was asked for (api/auth/issue.h) */
};

/* Reads roles, bindings and what nodes need from the state, and follows them. Before anything is served. */
int api_access_new(const struct api_access_config *config, struct api_access **ret_access, struct err **err);

/* Once the state takes no changes any more. NULL is fine. */
void api_access_free(struct api_access *access);

/* What reviews ask. */
struct auth_authenticator;
struct auth_authorizer;
struct auth_issue;
struct rbac;
struct auth_authenticator *api_access_authenticator(struct api_access *access);
const struct auth_authorizer *api_access_chain(const struct api_access *access, size_t *ret_n);

/* How tokens are issued; its keys are NULL where none are. */
const struct auth_issue *api_access_issue(const struct api_access *access);
struct rbac *api_access_roles(const struct api_access *access);

/* Stages; api_server_config.data is the access. */
enum api_step api_authenticate(struct api_request *r);
enum api_step api_impersonate(struct api_request *r);
enum api_step api_authorize(struct api_request *r);

/* A stage of updates and patches, once they are known to make what is not there: who may change is asked whether he may
 * make as well. */
enum api_step api_authorize_creation(struct api_request *r);

/* GET of exec, attach or portforward: who may "get" them alone may not. */
enum api_step api_authorize_tunnel(struct api_request *r);

/* What `nacelle login` keeps: docker's config.json, in $DOCKER_CONFIG or ~/.docker, shared with docker, podman and
 * skopeo. Other members of the file stay as they are. It is the user's own; the agent has one of its own
 * (--registry-auth-file). Passwords are in it in base64, which hides nothing: it is made readable to its owner only.
 * Where it names a credential helper (images/credential_helper.h) for a registry, that keeps them.
 */
#pragma once

#include "images/credential_helper.h"

struct err;

/* Keeps the credentials for @registry ("docker.io", "host:5000"). Returns 0, or a negative errno with *@err, which
 * names the file. */
int credentials_save(const char *registry, const char *username, const char *password, struct err **err);

/* Returns 1, 0 when there were none for @registry, or a negative errno. */
int credentials_remove(const char *registry, struct err **err);

/* Credentials for image @reference: those of the helper, else of the file's entry for it. Returns 1, 0 when there are
 * none, or a negative errno. *@ret_auth, to be freed, is base64 of USERNAME:PASSWORD where the entry has that; what it
 * has besides, or the helper gave, is in @ret_credentials, for image_credentials_clear() in each case. A helper that
 * fails is told on standard error. */
int credentials_find(const char *reference, char **ret_auth, struct credentials *ret_credentials, struct err **err);

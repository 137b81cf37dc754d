/* What `nacelle login` keeps: docker's config.json, in $DOCKER_CONFIG or ~/.docker, shared with docker, podman and
 * skopeo. Other members of the file stay as they are. It is the user's own; the agent has one of its own
 * (--docker-config). Passwords are in it in base64, which hides nothing: it is made readable to its owner only.
 */
#pragma once

struct err;

/* Keeps the credentials for @registry ("docker.io", "host:5000"). Returns 0, or a negative errno with *@err, which
 * names the file. */
int credentials_save(const char *registry, const char *username, const char *password, struct err **err);

/* Returns 1, 0 when there were none for @registry, or a negative errno. */
int credentials_remove(const char *registry, struct err **err);

/* Base64 of USERNAME:PASSWORD for image @reference: of its path, or the longest part of it that the file has. Returns 1
 * with the text to free, 0 when there are none, or a negative errno. */
int credentials_find(const char *reference, char **ret_auth, struct err **err);

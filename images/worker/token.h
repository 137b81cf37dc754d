/* Token servers: distribution's "Token Authentication Specification" (GET) and "OAuth2 Token Authentication" (POST). */
#pragma once

#include <stdbool.h>

struct challenge;
struct endpoint;
struct err;
struct http;

/* Whether the credentials of @endpoint may be told to its token server @realm: by https, or by http where the registry
 * itself is asked so. NULL is none. */
bool token_server_allowed(const struct endpoint *endpoint, const char *realm);

/* Fetches the token that @endpoint's @challenge asks for, with its credentials or without; service and scope go out as
 * far as they are named, @scope in place of a scope that is not. A server that takes no refresh token by POST is asked
 * by GET. Returns 0 with "Bearer TOKEN" in *@ret_value (free() it), -EACCES when it refuses, -EAGAIN, or -EPROTO. */
int token_fetch(struct http *http, const struct endpoint *endpoint, const struct challenge *challenge,
                const char *scope, char **ret_value, struct err **err);

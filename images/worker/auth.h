/* Answers to a registry's challenge: an Authorization header's value. */
#pragma once

#include <stdbool.h>

struct endpoint;
struct err;
struct http;

/* Makes the value for @endpoint, the server that answered 401 with @challenges (lines, NULL for none): credentials for
 * Basic, a fetched token for Bearer. @scope is asked for when the challenge names none; NULL: none is then. Returns 0
 * with *@ret_value (free() it), -EACCES when there are no credentials or they are refused, or an error of the token
 * server. */
int auth_answer(struct http *http, const struct endpoint *endpoint, const char *challenges, const char *scope,
                char **ret_value, struct err **err);

/* Whether auth_answer() fetches a token for which @challenges name no scope. */
bool auth_scope_is_open(const struct endpoint *endpoint, const char *challenges);

/* "Basic BASE64" in *@ret_value, free() it; @host for errors. */
int auth_basic(const char *host, const char *username, const char *password, char **ret_value, struct err **err);

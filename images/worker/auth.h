/* Answers to a registry's challenge: an Authorization header's value. */
#pragma once

struct endpoint;
struct err;
struct http;
struct http_response;

/* Makes the value for @endpoint after its answer 401 @response: credentials for Basic, a fetched token for Bearer.
 * @scope is used when the challenge names none. Returns 0 with *@ret_value (free() it), -EACCES when there are no
 * credentials or they are refused, or an error of the token server. */
int auth_answer(struct http *http, const struct endpoint *endpoint, const struct http_response *response,
                const char *scope, char **ret_value, struct err **err);

/* Reads parameter @name of a challenge ("realm"); free() it. NULL when it is not there. */
char *auth_parameter(const char *challenge, const char *name);

/* Registries of the OCI distribution API ("distribution-spec" v1.1): finding the server, authorisation, retries.
 *
 * Each server is asked in its order; the first that has the content serves it. Tokens follow distribution's "Token
 * Authentication Specification" and "OAuth2 Token Authentication". Safe for several threads, each with its own struct
 * http.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/manifest.h"
#include "images/reference.h"
#include "images/worker/endpoints.h"
#include "images/worker/feed.h"
#include "images/worker/http.h"

struct err;

#define REGISTRY_RETRIES_MAX 6              /* of a blob, without a byte in between */
#define REGISTRY_BACKOFF_MS 250             /* doubles each time, */
#define REGISTRY_BACKOFF_MAX_MS 8000        /* up to this */
#define REGISTRY_RETRY_AFTER_MAX_SECONDS 30 /* a server that asks for more is asked again after this */
#define REGISTRY_IDLE_MAX 4
#define REGISTRY_ELSEWHERE_MAX 64 /* servers that a registry's answers lead to */
#define REGISTRY_TOKEN_MAX 65536  /* bytes of a token server's answer */

struct registry {
        char host[IMAGE_NAME_MAX + 1];
        const char *path; /* of the image; borrowed from the reference */
        bool push;
        const struct image_transfer_request *request; /* borrowed */
        struct endpoints endpoints;
        size_t preferred;                     /* the endpoint that had the manifest */
        pthread_mutex_t lock;                 /* guards the endpoints' authorization, and what follows */
        struct http *idle[REGISTRY_IDLE_MAX]; /* connections for the next document or blob */
        size_t n_idle;
        struct elsewhere *elsewhere[REGISTRY_ELSEWHERE_MAX];
        size_t n_elsewhere;
};

/* @request and @reference must outlive the registry. Close with registry_close(). */
int registry_open(const struct image_transfer_request *request, const struct image_reference *reference, bool push,
                  struct registry *ret_registry, struct err **err);
void registry_close(struct registry *registry);

/* One request to one endpoint and to where its answers lead; @request's url and method are set, its tls and headers are
 * completed. Each server on the way is told its own credentials and answered its own challenges, and no other's: the
 * endpoint's are for the endpoint. A body goes on by 307 and 308 alone, and nothing from https to http. Returns 0 for a
 * success (2xx). Otherwise -ENOENT (404), -EACCES (401, 403), -EAGAIN (429, 5xx), -EPROTO (any other), or
 * image_http_perform()'s, with what the server said. */
int registry_perform(struct registry *registry, struct endpoint *endpoint, struct http *http,
                     struct image_http_request *request, struct image_http_response *ret_response, struct err **err);

/* Where @location (NULL: none was named) leads that an answer from @url names; free() *@ret_url. -EPROTO when it is no
 * URL of http or https, or leaves https. */
int registry_lead(const char *url, const char *location, char **ret_url, struct err **err);

/* Gets a small document, "manifests/latest" say, of at most @max bytes from the first server that has it. On one
 * thread. */
int registry_get(struct registry *registry, const char *what, const char *accept, size_t max,
                 struct image_http_response *ret_response, struct err **err);

/* Brings blob @blob from @offset on as struct fetcher wants it: retries, resumes, and goes from server to server. @data
 * is the registry. */
int registry_fetch(void *data, const struct descriptor *blob, uint64_t offset, int fd, struct feed *feed,
                   struct err **err);

/* "BASE/PATH/WHAT" on @endpoint; free() it. NULL without memory. */
char *registry_url(const struct registry *registry, const struct endpoint *endpoint, const char *what);

/* Whether trying again may help. */
bool registry_is_transient(int error);

/* Milliseconds before try @attempt (from 0); @retry_after: seconds that the server asked for, 0 when it did not. */
unsigned registry_backoff(unsigned attempt, unsigned retry_after);

/* Which servers a registry's images come from: mirrors in their order, then the registry itself.
 *
 * Formats: k3s' registries.yaml ("Private Registry Configuration": mirrors with endpoint and rewrite, configs with auth
 * and tls) and containerd's certs.d/HOST/hosts.toml ("Registry Configuration"). Where a hosts.toml exists for a
 * registry, it says which servers, and registries.yaml adds credentials only.
 */
#pragma once

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "images/transfer.h"
#include "images/worker/http.h"

struct err;

#define ENDPOINTS_MAX 16
#define REWRITES_MAX 16
#define REGISTRY_CONFIG_MAX (1 << 20) /* bytes of a configuration file */

struct rewrite {
        regex_t pattern;
        char *replacement; /* $1 to $9 */
};

struct endpoint {
        char *base;                           /* "https://host:5000/v2", without a '/' at its end */
        char *host;                           /* "host:5000" */
        bool origin;                          /* the registry itself, not a mirror */
        bool pull, push, resolve;             /* containerd's capabilities: resolve is tags to digests */
        bool try_plain;                       /* loopback: plain HTTP when the server speaks no TLS */
        char *ca_file, *cert_file, *key_file; /* of @tls */
        struct http_tls tls;
        char *headers[4]; /* "Name: value" to send */
        size_t n_headers;
        struct rewrite rewrites[REWRITES_MAX];
        size_t n_rewrites;
        char *username, *password, *identity_token, *registry_token; /* NULL: none */
        const char *complaint; /* why there may be none: what became of a credential helper; NULL: nothing. Borrowed */
        char *authorization;   /* the header that the server has last accepted; guarded by the registry's lock */
};

struct endpoints {
        struct endpoint items[ENDPOINTS_MAX];
        size_t count;
};

/* Fills @ret_endpoints for registry @host ("docker.io") as @request's files say. A file that is named but not there
 * does not count; one that cannot be read is an error that names it. @path: the image's, for credentials kept by path.
 * Free with endpoints_clear(). */
int endpoints_find(const struct image_transfer_request *request, const char *host, const char *path,
                   struct endpoints *ret_endpoints, struct err **err);
void endpoints_clear(struct endpoints *endpoints);
void endpoint_clear(struct endpoint *endpoint);

/* The image's path as @endpoint has it, by its rewrites; free() it. NULL without memory. */
char *endpoint_path(const struct endpoint *endpoint, const char *path);

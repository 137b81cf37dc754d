/* Servers that a registry's answers lead to: by redirects, and by the places that it names for uploads.
 *
 * What is configured for a registry, credentials first of all, was given for its own server. One that is led to gets
 * what is configured for it by name, in registries.yaml's configs or docker's config.json, and nothing else;
 * credentials are sent without TLS only to a host that may be asked so. Who has nothing of its own is verified as the
 * endpoint is that led to it, since registries and their storage often share a private CA; client certificates stay at
 * home.
 */
#pragma once

#include "images/worker/endpoints.h"

struct registry;

struct elsewhere {
        char *server;                /* as image_http_server() says */
        const struct endpoint *from; /* that led to it; borrowed */
        struct endpoint endpoint;
};

/* The server that is asked at @url on the way that began at @endpoint: @endpoint itself, another of the registry's, or
 * one elsewhere. It is the registry's. -EPROTO when @url is none, -E2BIG past REGISTRY_ELSEWHERE_MAX, or an error of a
 * configuration file. */
int elsewhere_find(struct registry *registry, struct endpoint *endpoint, const char *url, struct endpoint **ret_server,
                   struct err **err);

void elsewhere_free(struct elsewhere *elsewhere);

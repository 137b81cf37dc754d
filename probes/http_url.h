/* The URLs of HTTP probes: what a manifest's path and a redirect's Location come to. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HTTP_PATH_MAX 4096

struct http_url {
        bool tls;
        uint16_t port;
        char path[HTTP_PATH_MAX]; /* with query, escaped, beginning with "/" */
};

/* Sets the path, escaping what may not stand in a request line. False when it gets too long. */
bool http_url_set_path(struct http_url *url, const char *path);

/* Replaces *url by where @location leads from it (RFC 3986, 5.2). False, with *url undefined, when that is another
 * host than @host, another scheme than http(s), or no URL. */
bool http_url_resolve(struct http_url *url, const char *host, const char *location);

/* URLs of HTTP probes and hooks, taken apart and put together as kubelet's are: by Go's net/url, whose idea of a URL is
 * neither RFC 3986's nor a browser's. A probe's server sees the difference, so every one of its answers is a row of
 * tests/unit/probes/url_test.
 *
 * All texts live in the arena given, or are the caller's. None is NULL but user and password.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;

#define URL_TEXT_MAX 4096 /* bytes of a URL, a manifest's path or a redirect's Location */

struct url {
        const char *scheme;          /* in lower case; "" without one */
        const char *opaque;          /* what follows the scheme when that is no "/"; else "" */
        const char *user, *password; /* decoded; NULL: none */
        const char *host;            /* with port, decoded; "" without one */
        const char *path;            /* escaped */
        const char *query;           /* as it was written */
        bool asks;                   /* there is a "?", though nothing may be behind it */
};

/* Takes @text apart, which may be a reference without a scheme. -EINVAL with what Go says of it, -E2BIG, -ENOMEM. */
int probe_url_parse(struct arena *arena, const char *text, struct url *ret_url, struct err **err);

/* Where @text leads from @base. As probe_url_parse(). */
int probe_url_resolve(struct arena *arena, const struct url *base, const char *text, struct url *ret_url,
                      struct err **err);

/* Who is asked, and how. */
struct probe_url_server {
        bool tls;
        const char *host; /* a name or address */
        uint16_t port;
};

/* The URL of a manifest's path, which may be anything, at @server. */
int probe_url_of_path(struct arena *arena, const struct probe_url_server *server, const char *path, struct url *ret_url,
                      struct err **err);

/* The whole URL, @shown with its password as "***"; what stands in a request line. NULL without memory. */
const char *probe_url_format(struct arena *arena, const struct url *url, bool shown);
const char *probe_url_request_target(struct arena *arena, const struct url *url);

/* The host's name or address without port and brackets; NULL without memory. */
const char *probe_url_host_name(struct arena *arena, const struct url *url);

/* The port, its scheme's where it has none. -EINVAL: no port a connection can have. */
int probe_url_port(const struct url *url, uint16_t *ret_port);

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "probes/url.h"
#include "probes/url_escape.h"

static const char *format_user(struct arena *arena, const struct url *url, bool shown) {
        const char *user = probe_url_escape(arena, url->user, URL_USER), *password = "";

        if (url->password)
                password = shown ? "***" : probe_url_escape(arena, url->password, URL_USER);
        return user && password ? arena_printf(arena, "%s%s%s@", user, url->password ? ":" : "", password) : NULL;
}

const char *probe_url_format(struct arena *arena, const struct url *url, bool shown) {
        const char *user = url->user ? format_user(arena, url, shown) : "",
                   *host = probe_url_escape(arena, url->host, URL_HOST);
        bool slash = url->path[0] && url->path[0] != '/' && url->host[0];
        const char *ask = url->asks ? "?" : "";

        if (!user || !host)
                return NULL;
        if (url->opaque[0])
                return arena_printf(arena, "%s:%s%s%s", url->scheme, url->opaque, ask, url->query);
        return arena_printf(arena, "%s%s%s%s%s%s%s%s%s", url->scheme, url->scheme[0] ? ":" : "",
                            url->host[0] || url->user ? "//" : "", user, host, slash ? "/" : "", url->path, ask,
                            url->query);
}

const char *probe_url_request_target(struct arena *arena, const struct url *url) {
        const char *path = url->path[0] ? url->path : "/";

        return arena_printf(arena, "%s%s%s", path, url->asks ? "?" : "", url->query);
}

/* Where the port's colon is in the host; its end when there is none. */
static const char *find_port(const char *host) {
        const char *colon = strrchr(host, ':');

        return colon && colon[1 + strspn(colon + 1, "0123456789")] == '\0' ? colon : host + strlen(host);
}

const char *probe_url_host_name(struct arena *arena, const struct url *url) {
        const char *host = url->host;
        size_t n = (size_t)(find_port(host) - host);

        if (n > 1 && host[0] == '[' && host[n - 1] == ']')
                return arena_strndup(arena, host + 1, n - 2);
        return arena_strndup(arena, host, n);
}

int probe_url_port(const struct url *url, uint16_t *ret_port) {
        const char *port = find_port(url->host);
        unsigned long n = strcmp(url->scheme, "https") == 0 ? 443 : 80;

        if (port[0] == ':' && port[1])
                n = strtoul(port + 1, NULL, 10);
        if (n > UINT16_MAX)
                return -EINVAL;
        *ret_port = (uint16_t)n;
        return 0;
}

#include "probes/http_url.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool http_url_set_path(struct http_url *url, const char *path) {
        size_t n = 0;

        if (*path != '/')
                url->path[n++] = '/';
        for (; *path && *path != '#'; path++) {
                unsigned char c = (unsigned char)*path;

                if (n + 4 > sizeof(url->path))
                        return false;
                if (c > ' ' && c < 0x7f && !strchr("\"<>\\^`{|}", c))
                        url->path[n++] = (char)c;
                else
                        n += (size_t)snprintf(url->path + n, 4, "%%%02X", c);
        }
        url->path[n] = '\0';
        return true;
}

/* HOST[:PORT] of @length bytes: true when it names @host. */
static bool same_host(struct http_url *url, const char *host, const char *p, size_t length) {
        const char *end = p + length, *name = p, *name_end;
        unsigned long port;

        if (*p == '[') {
                name = p + 1;
                name_end = memchr(p, ']', length);
                if (!name_end)
                        return false;
                p = name_end + 1;
        } else {
                name_end = memchr(p, ':', length) ?: end;
                p = name_end;
        }
        if ((size_t)(name_end - name) != strlen(host) || strncasecmp(name, host, strlen(host)) != 0)
                return false;
        url->port = url->tls ? 443 : 80;
        if (p < end && *p == ':' && p + 1 < end) {
                char *stop;

                if (!isdigit((unsigned char)p[1]))
                        return false;
                port = strtoul(p + 1, &stop, 10);
                if (stop != end || port == 0 || port > UINT16_MAX)
                        return false;
                url->port = (uint16_t)port;
        }
        return p == end || *p == ':';
}

/* Takes "." and ".." out of an absolute path, in place; the query stays. */
static void remove_dots(char *path) {
        char *query = path + strcspn(path, "?"), *in = path, *out = path;

        while (in < query) {
                size_t n = 1 + strcspn(in + 1, "/?");

                if (in + n > query)
                        n = (size_t)(query - in);
                if (n == 3 && in[1] == '.' && in[2] == '.') {
                        while (out > path && *--out != '/')
                                ;
                        if (in + n == query)
                                *out++ = '/';
                } else if (n == 2 && in[1] == '.') {
                        if (in + n == query)
                                *out++ = '/';
                } else {
                        memmove(out, in, n);
                        out += n;
                }
                in += n;
        }
        memmove(out, query, strlen(query) + 1);
}

static bool resolve_path(struct http_url *url, const char *location) {
        char base[HTTP_PATH_MAX], joined[2 * HTTP_PATH_MAX];
        size_t keep;

        if (*location == '/')
                return http_url_set_path(url, location);
        if (*location == '\0')
                return http_url_set_path(url, "/");
        memcpy(base, url->path, sizeof(base));
        keep = strcspn(base, "?");
        if (*location != '?')
                while (keep > 0 && base[keep - 1] != '/')
                        keep--;
        snprintf(joined, sizeof(joined), "%.*s%s", (int)keep, base, location);
        if (strlen(location) >= HTTP_PATH_MAX || !http_url_set_path(url, joined))
                return false;
        remove_dots(url->path);
        return true;
}

bool http_url_resolve(struct http_url *url, const char *host, const char *location) {
        const char *rest = location;
        size_t n;

        if (strncasecmp(location, "http://", 7) == 0) {
                url->tls = false;
                rest = location + 5;
        } else if (strncasecmp(location, "https://", 8) == 0) {
                url->tls = true;
                rest = location + 6;
        } else {
                size_t scheme = strcspn(location, ":/?#");

                if (location[scheme] == ':')
                        return false;
        }
        if (strncmp(rest, "//", 2) != 0)
                return resolve_path(url, rest);
        rest += 2;
        n = strcspn(rest, "/?#");
        if (memchr(rest, '@', n) || !same_host(url, host, rest, n))
                return false;
        rest += n;
        strcpy(url->path, "/"); /* what a lone query is relative to */
        return resolve_path(url, *rest == '\0' || *rest == '#' ? "/" : rest);
}

#include "probes/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "probes/url_escape.h"

/* -- authority --------------------------------------------------------------------------------------------- */

/* "", or a colon and any number of digits. */
static bool is_port(const char *text) {
        return *text == '\0' || (*text == ':' && text[1 + strspn(text + 1, "0123456789")] == '\0');
}

/* The text between brackets: an IPv6 address with or without a zone, nothing else. */
static int parse_literal(struct arena *arena, const char *text, const char **ret_text, struct err **err) {
        const char *zone = strstr(text, "%25"), *name = text, *decoded_zone = "";
        unsigned char bytes[16];
        int r;

        if (zone && !(name = arena_strndup(arena, text, (size_t)(zone - text))))
                return err_set(err, ENOMEM, "out of memory");
        if ((r = probe_url_unescape(arena, name, URL_HOST, &name, err)) < 0 ||
            (zone && (r = probe_url_unescape(arena, zone, URL_ZONE, &decoded_zone, err)) < 0))
                return r;
        if (inet_pton(AF_INET6, name, bytes) != 1 || (zone && !decoded_zone[1]))
                return err_set(err, EINVAL, "invalid host: \"%s\" is no IPv6 address", name);
        *ret_text = arena_printf(arena, "%s%s", name, decoded_zone);
        return *ret_text ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int parse_bracketed(struct arena *arena, const char *text, const char **ret_host, struct err **err) {
        const char *end = strrchr(text, ']'), *literal;
        int r;

        if (!end)
                return err_set(err, EINVAL, "missing ']' in host");
        if (!is_port(end + 1))
                return err_set(err, EINVAL, "invalid port \"%s\" after host", end + 1);
        literal = arena_strndup(arena, text + 1, (size_t)(end - text - 1));
        r = literal ? parse_literal(arena, literal, &literal, err) : err_set(err, ENOMEM, "out of memory");
        if (r < 0)
                return r;
        *ret_host = arena_printf(arena, "[%s]%s", literal, end + 1);
        return *ret_host ? 0 : err_set(err, ENOMEM, "out of memory");
}

static bool is_http(const char *scheme) {
        return strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
}

static int parse_host(struct arena *arena, const char *scheme, const char *text, const char **ret_host,
                      struct err **err) {
        const char *bracket = strrchr(text, '['), *colon = is_http(scheme) ? strchr(text, ':') : strrchr(text, ':');

        if (bracket == text)
                return parse_bracketed(arena, text, ret_host, err);
        if (bracket)
                return err_set(err, EINVAL, "invalid IP-literal");
        if (colon && !is_port(colon))
                return err_set(err, EINVAL, "invalid port \"%s\" after host", colon);
        return probe_url_unescape(arena, text, URL_HOST, ret_host, err);
}

static bool is_userinfo(const char *text) {
        for (; *text; text++)
                if (!isalnum((unsigned char)*text) && !strchr("-._:~!$&\'()*+,;=%@", *text))
                        return false;
        return true;
}

static int parse_user(struct arena *arena, char *text, struct url *url, struct err **err) {
        char *colon = strchr(text, ':');
        int r;

        if (!is_userinfo(text))
                return err_set(err, EINVAL, "net/url: invalid userinfo");
        if (colon)
                *colon = '\0';
        r = probe_url_unescape(arena, text, URL_USER, &url->user, err);
        return r < 0 || !colon ? r : probe_url_unescape(arena, colon + 1, URL_USER, &url->password, err);
}

static int parse_authority(struct arena *arena, char *text, struct url *url, struct err **err) {
        char *at = strrchr(text, '@');
        int r = parse_host(arena, url->scheme, at ? at + 1 : text, &url->host, err);

        if (r < 0 || !at)
                return r;
        *at = '\0';
        return parse_user(arena, text, url, err);
}

/* -- the whole --------------------------------------------------------------------------------------------- */

/* Cuts the scheme off *@text, which has none when something else than a colon ends what could be one. */
static int take_scheme(char **text, struct url *url, struct err **err) {
        char *p = *text;

        while (isalpha((unsigned char)*p) || (p > *text && (isdigit((unsigned char)*p) || (*p && strchr("+-.", *p)))))
                p++;
        if (*p != ':')
                return 0;
        if (p == *text)
                return err_set(err, EINVAL, "missing protocol scheme");
        *p = '\0';
        for (char *c = *text; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        url->scheme = *text;
        *text = p + 1;
        return 0;
}

static void take_query(char *text, struct url *url) {
        char *mark = strchr(text, '?');

        if (!mark)
                return;
        *mark = '\0';
        url->query = mark + 1;
        url->asks = true;
}

/* "//host/path" and "/path" and "path". */
static int parse_rest(struct arena *arena, char *text, struct url *url, struct err **err) {
        const char *path = text;
        bool authority = strncmp(text, "//", 2) == 0 && (url->scheme[0] || strncmp(text, "///", 3) != 0);
        size_t n;
        char *host;
        int r;

        if (!authority)
                return probe_url_spell_path(arena, path, &url->path, err);
        n = strcspn(text + 2, "/");
        path = text + 2 + n;
        if (!(host = arena_strndup(arena, text + 2, n)))
                return err_set(err, ENOMEM, "out of memory");
        r = parse_authority(arena, host, url, err);
        return r < 0 ? r : probe_url_spell_path(arena, path, &url->path, err);
}

static int parse(struct arena *arena, char *text, struct url *url, struct err **err) {
        size_t segment;
        int r;

        for (const char *p = text; *p; p++)
                if ((unsigned char)*p < ' ' || *p == 0x7f)
                        return err_set(err, EINVAL, "net/url: invalid control character in URL");
        r = take_scheme(&text, url, err);
        if (r < 0)
                return r;
        take_query(text, url);
        if (*text != '/' && url->scheme[0]) {
                url->opaque = text;
                return 0;
        }
        segment = strcspn(text, "/");
        if (memchr(text, ':', segment))
                return err_set(err, EINVAL, "first path segment in URL cannot contain colon");
        return parse_rest(arena, text, url, err);
}

static int parse_reference(struct arena *arena, const char *text, struct url *ret_url, struct err **err) {
        struct url url = { .scheme = "", .opaque = "", .host = "", .path = "", .query = "" };
        const char *decoded;
        char *copy, *fragment;
        int r;

        if (!(copy = arena_strdup(arena, text)))
                return err_set(err, ENOMEM, "out of memory");
        if ((fragment = strchr(copy, '#')))
                *fragment++ = '\0';
        if ((r = parse(arena, copy, &url, err)) < 0)
                return r;
        /* It is never sent, but what is wrong in it counts. */
        if (fragment && (r = probe_url_unescape(arena, fragment, URL_FRAGMENT, &decoded, err)) < 0)
                return r;
        *ret_url = url;
        return 0;
}

int probe_url_parse(struct arena *arena, const char *text, struct url *ret_url, struct err **err) {
        if (strlen(text) > URL_TEXT_MAX)
                return err_set(err, E2BIG, "longer than %d bytes", URL_TEXT_MAX);
        return parse_reference(arena, text, ret_url, err);
}

/* A path that is no URL goes as it is, all of it escaped, question marks and all. The user of one that is stays. The
 * result is read anew, as it is in kubelet, which finds a host that cannot be. */
int probe_url_of_path(struct arena *arena, const struct probe_url_server *server, const char *path, struct url *ret_url,
                      struct err **err) {
        bool six = strchr(server->host, ':') != NULL;
        struct url url;
        const char *text;
        int r = probe_url_parse(arena, path, &url, NULL);

        if (r == -EINVAL)
                url = (struct url){ .opaque = "", .path = probe_url_escape(arena, path, URL_PATH), .query = "" };
        else if (r < 0)
                return err_set(err, -r, "http path: %s", r == -E2BIG ? "longer than 4096 bytes" : "out of memory");
        url.scheme = server->tls ? "https" : "http";
        url.host = arena_printf(arena, "%s%s%s:%u", six ? "[" : "", server->host, six ? "]" : "", server->port);
        if (!url.path || !url.host || !(text = probe_url_format(arena, &url, false)))
                return err_set(err, ENOMEM, "out of memory");
        r = parse_reference(arena, text, ret_url, err);
        return r < 0 ? err_wrap(err, r, "parse \"%.256s\"", text) : r;
}

/* -- resolution -------------------------------------------------------------------------------------------- */

/* Takes "." and ".." out of @text; what comes out begins with "/" unless it is empty. */
static const char *without_dots(struct arena *arena, const char *text) {
        char *out = arena_alloc(arena, strlen(text) + 3);
        size_t n = 1, length = 0;
        bool first = true, dots = false;

        if (!out || !*text)
                return out;
        out[0] = '/';
        for (const char *p = text;; p += length + 1) {
                length = strcspn(p, "/");
                dots = (length == 1 && p[0] == '.') || (length == 2 && strncmp(p, "..", 2) == 0);
                if (dots && length == 2) {
                        while (n > 1 && out[n - 1] != '/')
                                n--;
                        n -= n > 1;
                        first = n == 1;
                } else if (!dots) {
                        if (!first)
                                out[n++] = '/';
                        memcpy(out + n, p, length);
                        n += length;
                        first = false;
                } else {
                        first = false;
                }
                if (p[length] == '\0')
                        break;
        }
        if (dots)
                out[n++] = '/';
        out[n] = '\0';
        return n > 1 && out[1] == '/' ? out + 1 : out;
}

static const char *join_paths(struct arena *arena, const char *base, const char *text) {
        const char *slash = strrchr(base, '/');

        if (*text == '\0')
                return without_dots(arena, base);
        if (*text == '/' || !slash)
                return without_dots(arena, text);
        text = arena_printf(arena, "%.*s%s", (int)(slash + 1 - base), base, text);
        return text ? without_dots(arena, text) : NULL;
}

int probe_url_resolve(struct arena *arena, const struct url *base, const char *text, struct url *ret_url,
                      struct err **err) {
        struct url url;
        int r = probe_url_parse(arena, text, &url, err);

        if (r < 0)
                return r;
        if (url.scheme[0] || url.host[0] || url.user) {
                url.path = join_paths(arena, "", url.path);
        } else {
                if (!url.path[0] && !url.asks) {
                        url.query = base->query;
                        url.asks = base->query[0] != '\0';
                }
                url.host = base->host;
                url.user = base->user;
                url.password = base->password;
                url.path = join_paths(arena, base->path, url.path);
        }
        if (!url.scheme[0])
                url.scheme = base->scheme;
        if (!url.path)
                return err_set(err, ENOMEM, "out of memory");
        *ret_url = url;
        return 0;
}

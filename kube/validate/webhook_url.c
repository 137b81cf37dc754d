/* URLs of webhooks: what Go's net/url takes, and what kube-apiserver wants of it. */
#include <ctype.h>
#include <string.h>

#include "kube/validate/admission.h"
#include "kube/validate/common.h"
#include "lib/arena.h"

#define FORM "; desired format: https://host[/path]"

struct url {
        const char *scheme, *user, *host, *path, *query, *fragment; /* "" where there is none; user NULL */
};

/* The first escape of @text that is none, up to three bytes; NULL: all are. */
static const char *bad_escape(struct validation *v, const char *text) {
        for (const char *p = strchr(text, '%'); p; p = strchr(p + 1, '%'))
                if (!isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]))
                        return validate_text(v, "invalid URL escape %s",
                                             validate_quoted(v, arena_strndup(v->arena, p, strnlen(p, 3))));
        return NULL;
}

static const char *host_problem(struct validation *v, const char *host) {
        const char *end = *host == '[' ? strrchr(host, ']') : NULL, *port = end ? end + 1 : strrchr(host, ':'), *bad;

        if (*host == '[' && !end)
                return "missing ']' in host";
        if (port && *port && (*port != ':' || port[1 + strspn(port + 1, "0123456789")]))
                return validate_text(v, "invalid port %s after host", validate_quoted(v, port));
        bad = bad_escape(v, host);
        if (bad)
                return bad;
        for (const char *p = host; *p; p++)
                if ((unsigned char)*p < 0x80 && strchr(" \"<>\\^`{|}", *p))
                        return validate_text(v, "invalid character %s in host name",
                                             validate_quoted(v, arena_strndup(v->arena, p, 1)));
        return NULL;
}

/* "user@host:port" */
static const char *read_authority(struct validation *v, char *authority, struct url *ret) {
        char *at = strrchr(authority, '@');

        ret->host = at ? at + 1 : authority;
        if (at) {
                *at = '\0';
                ret->user = authority;
                if (authority[strspn(authority, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                "-._:~!$&'()*+,;=%@")])
                        return "net/url: invalid userinfo";
        }
        return host_problem(v, ret->host) ?: ret->user ? bad_escape(v, ret->user) : NULL;
}

/* Cuts "scheme:" off; NULL in *@ret_problem: that went well. */
static char *cut_scheme(char *text, struct url *url, const char **ret_problem) {
        size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

        if (*text == ':')
                *ret_problem = "missing protocol scheme";
        if (n == 0 || text[n] != ':' || !isalpha((unsigned char)*text))
                return text;
        text[n] = '\0';
        for (char *p = text; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        url->scheme = text;
        return text + n + 1;
}

/* What stands behind @mark, which is cut off with it. */
static const char *cut_at(char *text, char mark) {
        char *found = strchr(text, mark);

        if (!found)
                return "";
        *found = '\0';
        return found + 1;
}

/* What net/url says of @text; NULL: *@ret_url is what it reads. */
static const char *read_url(struct validation *v, const char *text, struct url *ret_url) {
        char *rest = arena_strdup(v->arena, text), *slash, *authority = NULL;
        const char *problem = NULL;

        *ret_url = (struct url){ "", NULL, "", "", "", "" };
        if (!rest)
                return "out of memory";
        ret_url->fragment = cut_at(rest, '#');
        for (const char *p = rest; *p; p++)
                if (iscntrl((unsigned char)*p))
                        return "net/url: invalid control character in URL";
        rest = cut_scheme(rest, ret_url, &problem);
        if (problem)
                return problem;
        ret_url->query = cut_at(rest, '?');
        if (*rest != '/' && *ret_url->scheme)
                return NULL; /* opaque */
        if (*rest != '/' && strcspn(rest, ":") < strcspn(rest, "/"))
                return "first path segment in URL cannot contain colon";
        if (strncmp(rest, "//", 2) == 0 && (*ret_url->scheme || strncmp(rest, "///", 3) != 0)) {
                slash = strchr(rest + 2, '/');
                authority = arena_strndup(v->arena, rest + 2, slash ? (size_t)(slash - rest - 2) : strlen(rest + 2));
                rest = slash ?: rest + strlen(rest);
                problem = authority ? read_authority(v, authority, ret_url) : "out of memory";
        }
        ret_url->path = rest;
        return problem ?: bad_escape(v, rest) ?: bad_escape(v, ret_url->fragment);
}

void validate_webhook_url(struct validation *v, const struct place *at, const char *text) {
        struct url url;
        const char *problem = read_url(v, text, &url);

        if (problem) {
                validate_required(v, at,
                                  validate_text(v, "url must be a valid URL: parse %s: %s" FORM,
                                                validate_quoted(v, text), problem));
                return;
        }
        if (strcmp(url.scheme, "https") != 0)
                validate_invalid(v, at, url.scheme, "'https' is the only allowed URL scheme" FORM);
        if (!*url.host)
                validate_invalid(v, at, url.host, "host must be specified" FORM);
        if (url.user)
                validate_invalid(v, at, url.user, "user information is not permitted in the URL");
        if (*url.fragment)
                validate_invalid(v, at, url.fragment, "fragments are not permitted in the URL");
        if (*url.query)
                validate_invalid(v, at, url.query, "query parameters are not permitted in the URL");
}

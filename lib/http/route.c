#include "lib/http/route.h"

#include <string.h>

#include "lib/arena.h"

/* The length of a pattern's or path's segment that begins at @text. */
static size_t segment(const char *text, const char *end) {
        const char *slash = memchr(text, '/', (size_t)(end - text));

        return (size_t)((slash ?: end) - text);
}

static bool is_param(const char *text, size_t n) {
        return n > 2 && text[0] == '{' && text[n - 1] == '}';
}

static bool is_rest(const char *text, size_t n) {
        return is_param(text, n) && n > 5 && memcmp(text + n - 4, "...", 3) == 0;
}

bool route_is_valid(const char *path) {
        const char *end = path + strlen(path);
        unsigned params = 0;

        if (*path != '/')
                return false;
        for (const char *at = path; at < end;) {
                size_t n = segment(at + 1, end);

                params += is_param(at + 1, n);
                if (is_rest(at + 1, n) && at + 1 + n != end)
                        return false;
                at += 1 + n;
        }
        return params <= HTTP_PARAMS_MAX;
}

enum match { MATCH_NO, MATCH_YES, MATCH_BAD, MATCH_NO_MEMORY };

static enum match set_param(struct http_exchange *x, const char *name, size_t n_name, const char *value) {
        if (!x->head->params)
                x->head->params = arena_alloc_array(x->arena, HTTP_PARAMS_MAX, sizeof(*x->head->params));
        if (!value || !x->head->params)
                return MATCH_NO_MEMORY;
        x->head->params[x->head->n_params].name = name;
        x->head->params[x->head->n_params].n_name = n_name;
        x->head->params[x->head->n_params++].value = value;
        return MATCH_YES;
}

/* One segment of the pattern with one of the path, which is compared as decoded: "/a%62" is "/ab". */
static enum match match_segment(struct http_exchange *x, const char *pattern, size_t n_pattern, const char *path,
                                size_t n) {
        bool plain = !memchr(path, '%', n);
        const char *text;

        if (!is_param(pattern, n_pattern) && plain)
                return n == n_pattern && memcmp(pattern, path, n) == 0 ? MATCH_YES : MATCH_NO;
        text = plain ? arena_strndup(x->arena, path, n) : http_decode(x->arena, path, n, false);
        if (!text)
                return MATCH_BAD;
        if (is_param(pattern, n_pattern))
                return *text ? set_param(x, pattern + 1, n_pattern - 2, text) : MATCH_NO;
        return strlen(text) == n_pattern && memcmp(pattern, text, n_pattern) == 0 ? MATCH_YES : MATCH_NO;
}

static enum match match_path(struct http_exchange *x, const char *pattern) {
        const char *path = x->request.target, *end = path + x->request.n_path, *pattern_end = pattern + strlen(pattern);

        x->head->n_params = 0;
        while (pattern < pattern_end) {
                size_t n_pattern = segment(pattern + 1, pattern_end), n;
                enum match match;

                /* CONNECT has no path: who takes all paths takes it, too. */
                if (!*x->request.target && is_rest(pattern + 1, n_pattern))
                        return set_param(x, pattern + 2, n_pattern - 5, "");
                if (path == end || *path != '/')
                        return MATCH_NO;
                if (is_rest(pattern + 1, n_pattern)) {
                        const char *rest =
                                *end ? arena_strndup(x->arena, path + 1, (size_t)(end - path - 1)) : path + 1;

                        return set_param(x, pattern + 2, n_pattern - 5, rest);
                }
                n = segment(path + 1, end);
                match = match_segment(x, pattern + 1, n_pattern, path + 1, n);
                if (match != MATCH_YES)
                        return match;
                pattern += 1 + n_pattern;
                path += 1 + n;
        }
        return path == end ? MATCH_YES : MATCH_NO;
}

/* HEAD asks for what GET answers, without its body, which a tunnel is; over HTTP/2 that is asked for by CONNECT (RFC
 * 8441, 4). */
static bool fits_method(const struct http_route *route, const struct http_request *request) {
        if (!route->method)
                return true;
        if (request->version == 20 && request->upgrade && (route->flags & ROUTE_UPGRADES))
                return strcmp(request->method, "CONNECT") == 0;
        return strcmp(route->method, request->method) == 0 ||
               (strcmp(request->method, "HEAD") == 0 && strcmp(route->method, "GET") == 0 &&
                !(route->flags & HTTP_ROUTE_UPGRADE));
}

const struct http_route *route_find(const struct http_route *routes, size_t n, struct http_exchange *x,
                                    int *ret_status) {
        *ret_status = 404;
        for (size_t i = 0; i < n; i++) {
                switch (match_path(x, routes[i].path)) {
                case MATCH_YES:
                        if (fits_method(&routes[i], &x->request))
                                return &routes[i];
                        *ret_status = 405;
                        break;
                case MATCH_BAD:
                        *ret_status = 400;
                        return NULL;
                case MATCH_NO_MEMORY:
                        *ret_status = 500;
                        return NULL;
                case MATCH_NO:
                        break;
                }
        }
        return NULL;
}

const char *route_methods(const struct http_route *routes, size_t n, struct http_exchange *x) {
        const char *methods = "";

        for (size_t i = 0; i < n && methods; i++)
                if (routes[i].method && match_path(x, routes[i].path) == MATCH_YES)
                        methods = arena_printf(x->arena, "%s%s%s", methods, *methods ? ", " : "", routes[i].method);
        return methods ?: "";
}

const char *http_param(struct http_exchange *x, const char *name) {
        for (unsigned i = 0; i < x->head->n_params; i++)
                if (strlen(name) == x->head->params[i].n_name &&
                    memcmp(x->head->params[i].name, name, x->head->params[i].n_name) == 0)
                        return x->head->params[i].value;
        return NULL;
}

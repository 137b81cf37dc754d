#include "images/worker/endpoints.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "images/reference.h"
#include "images/worker/endpoints_internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

#define AUTH_MAX 65536

int registry_config_read(const char *path, char **ret_text, size_t *ret_n, struct err **err) {
        _cleanup_close_ int fd =
                open(path, O_RDONLY | O_CLOEXEC); /* a link is followed: configuration directories have them */
        int r;

        *ret_text = NULL;
        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(err, errno, "open %s", path);
        r = files_read_all(fd, REGISTRY_CONFIG_MAX, ret_text, ret_n);
        if (r == -EFBIG)
                return err_set(err, E2BIG, "%s has more than %d bytes", path, REGISTRY_CONFIG_MAX);
        return r < 0 ? err_errno(err, -r, "read %s", path) : 0;
}

int registry_config_set(char **text, const char *value) {
        char *copy;

        if (!value || !*value)
                return 0;
        copy = strdup(value);
        if (!copy)
                return -ENOMEM;
        free(*text);
        *text = copy;
        return 0;
}

int registry_config_decode_auth(const char *auth, char **username, char **password) {
        size_t n = strlen(auth);
        _cleanup_free_ unsigned char *plain = NULL;
        char *colon;
        int length;

        if (n == 0 || n > AUTH_MAX || n % 4 != 0)
                return -EINVAL;
        plain = calloc(1, n + 1);
        if (!plain)
                return -ENOMEM;
        length = EVP_DecodeBlock(plain, (const unsigned char *)auth, (int)n);
        if (length < 0 || !(colon = strchr((char *)plain, ':')))
                return -EINVAL;
        *colon = '\0';
        if (registry_config_set(username, (char *)plain) < 0 || registry_config_set(password, colon + 1) < 0)
                return -ENOMEM;
        return 0;
}

static bool is_loopback(const char *host) {
        return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
               (strncmp(host, "localhost", 9) == 0 && (host[9] == '\0' || host[9] == ':'));
}

/* Whether comma-separated @list names @host. */
static bool list_has(const char *list, const char *host) {
        size_t n = strlen(host);

        for (const char *p = list; p && *p;) {
                size_t length = strcspn(p, ",");

                if (length == n && strncmp(p, host, n) == 0)
                        return true;
                p += length + (p[length] == ',');
        }
        return false;
}

bool endpoint_may_be_plain(const char *host, const char *insecure) {
        return is_loopback(host) || list_has(insecure, host);
}

struct endpoint *endpoints_add(struct endpoints *e, const char *url, bool whole_path, struct err **err) {
        const char *scheme = strstr(url, "://"), *rest = scheme ? scheme + 3 : url;
        struct endpoint *item = &e->items[e->count];
        size_t n = strcspn(rest, "/"), length = strlen(url);

        if (e->count == ENDPOINTS_MAX) {
                err_set(err, E2BIG, "more than %d servers for one registry", ENDPOINTS_MAX);
                return NULL;
        }
        if (n == 0 || strpbrk(url, " \t\r\n") ||
            (scheme && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)) {
                err_set(err, EINVAL, "\"%.200s\" is no URL of http or https", url);
                return NULL;
        }
        while (length > 0 && url[length - 1] == '/')
                length--;
        *item = (struct endpoint){ .pull = true, .resolve = true, .try_plain = !scheme && is_loopback(rest) };
        if (asprintf(&item->base, "%s%.*s%s", scheme ? "" : "https://", (int)length, url, whole_path ? "" : "/v2") < 0)
                item->base = NULL;
        item->host = strndup(rest, n);
        e->count++;
        if (!item->base || !item->host) {
                err_set(err, ENOMEM, "out of memory");
                return NULL;
        }
        return item;
}

struct endpoint *endpoints_add_origin(struct endpoints *e, const char *host, const char *insecure, struct err **err) {
        char url[IMAGE_NAME_MAX + 32];
        const char *name = strcmp(host, "docker.io") == 0 ? "registry-1.docker.io" : host;
        struct endpoint *item;

        snprintf(url, sizeof(url), "%s%s",
                 list_has(insecure, host) ? "http://" :
                 is_loopback(host)        ? "" :
                                            "https://",
                 name);
        item = endpoints_add(e, url, false, err);
        if (item)
                item->origin = item->push = true;
        return item;
}

static bool is_given(const char *text) {
        return text && *text;
}

/* Whether credentials for @server ("https://index.docker.io/v1/") are for registry @host. */
static bool is_server(const char *server, const char *host) {
        const char *scheme = strstr(server, "://");
        size_t n;

        server = scheme ? scheme + 3 : server;
        n = strcspn(server, "/");
        if (strcmp(host, "docker.io") == 0 && n == strlen("index.docker.io") &&
            strncmp(server, "index.docker.io", n) == 0)
                return true;
        return n == strlen(host) && strncmp(server, host, n) == 0;
}

static void free_secret(char *text) {
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
}

void endpoint_forget_auth(struct endpoint *e) {
        free(e->username);
        free_secret(e->password);
        free_secret(e->identity_token);
        free_secret(e->registry_token);
        e->username = e->password = e->identity_token = e->registry_token = NULL;
}

/* What the request itself brings is for the registry, not for its mirrors. */
static int set_request_auth(const struct image_auth *auth, const char *host, struct endpoint *origin,
                            struct err **err) {
        bool any = is_given(auth->username) || is_given(auth->auth) || is_given(auth->identity_token) ||
                   is_given(auth->registry_token);
        int r = 0;

        if (!any || (is_given(auth->server) && !is_server(auth->server, host)))
                return 0;
        endpoint_forget_auth(origin);
        if (is_given(auth->auth))
                r = registry_config_decode_auth(auth->auth, &origin->username, &origin->password);
        if (r == -EINVAL)
                return err_set(err, EINVAL, "the credentials' auth is not the base64 of USERNAME:PASSWORD");
        if (r < 0 || registry_config_set(&origin->username, auth->username) < 0 ||
            registry_config_set(&origin->password, auth->password) < 0 ||
            registry_config_set(&origin->identity_token, auth->identity_token) < 0 ||
            registry_config_set(&origin->registry_token, auth->registry_token) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}

/* What a credential helper said for the registry; what else is configured for it was read before or comes after. */
static int set_helped_auth(const struct image_transfer_request *q, struct endpoint *origin, struct err **err) {
        origin->complaint = q->helper_error;
        if (origin->username || origin->identity_token)
                return 0;
        if (registry_config_set(&origin->username, q->helped.username) < 0 ||
            registry_config_set(&origin->password, q->helped.password) < 0 ||
            registry_config_set(&origin->identity_token, q->helped.identity_token) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}

static int fill(const struct image_transfer_request *q, const char *host, const char *path, struct endpoints *e,
                struct err **err) {
        int r = q->hosts_dir ? hosts_toml_read(q->hosts_dir, host, q->insecure, e, err) : 0;

        if (r < 0)
                return r;
        if (r == 0) {
                r = q->registries ? registries_read_mirrors(q->registries, host, e, err) : 0;
                if (r < 0)
                        return r;
                if (!endpoints_add_origin(e, host, q->insecure, err))
                        return -EINVAL;
        }
        if (q->registries && (r = registries_read_configs(q->registries, e->items, e->count, false, err)) < 0)
                return r;
        for (size_t i = 0; i < e->count; i++)
                if (e->items[i].origin && (r = set_helped_auth(q, &e->items[i], err)) < 0)
                        return r;
        if (q->docker_config && (r = docker_config_read(q->docker_config, path, e->items, e->count, err)) < 0)
                return r;
        for (size_t i = 0; i < e->count; i++) {
                struct endpoint *item = &e->items[i];

                if (item->origin && (r = set_request_auth(&q->auth, host, item, err)) < 0)
                        return r;
                item->tls.ca_file = item->ca_file;
                item->tls.cert_file = item->cert_file;
                item->tls.key_file = item->key_file;
        }
        return 0;
}

int endpoints_find(const struct image_transfer_request *q, const char *host, const char *path,
                   struct endpoints *ret_endpoints, struct err **err) {
        int r;

        *ret_endpoints = (struct endpoints){ .count = 0 };
        r = fill(q, host, path, ret_endpoints, err);
        if (r < 0)
                endpoints_clear(ret_endpoints);
        return r;
}

void endpoint_clear(struct endpoint *e) {
        char *texts[] = { e->base, e->host, e->ca_file, e->cert_file, e->key_file, e->username };
        char *secrets[] = { e->password, e->identity_token, e->registry_token, e->authorization };

        for (size_t i = 0; i < ELEMENTS(texts); i++)
                free(texts[i]);
        for (size_t i = 0; i < ELEMENTS(secrets); i++)
                free_secret(secrets[i]);
        for (size_t i = 0; i < e->n_headers; i++)
                free(e->headers[i]);
        for (size_t i = 0; i < e->n_rewrites; i++) {
                regfree(&e->rewrites[i].pattern);
                free(e->rewrites[i].replacement);
        }
        *e = (struct endpoint){ .base = NULL };
}

void endpoints_clear(struct endpoints *e) {
        for (size_t i = 0; i < e->count; i++)
                endpoint_clear(&e->items[i]);
        e->count = 0;
}

/* Go's Regexp.ReplaceAllString for the first match, which is all that an anchored pattern has. */
static char *replace(const struct rewrite *rewrite, const char *path, const regmatch_t *match) {
        size_t n = 0;
        char *text = NULL;
        FILE *f = open_memstream(&text, &n);

        if (!f)
                return NULL;
        fprintf(f, "%.*s", (int)match[0].rm_so, path);
        for (const char *p = rewrite->replacement; *p; p++) {
                bool braces = p[0] == '$' && p[1] == '{';
                char digit = braces ? p[2] : p[1];

                if (*p == '$' && digit >= '0' && digit <= '9') {
                        const regmatch_t *group = &match[digit - '0'];

                        if (group->rm_so >= 0)
                                fprintf(f, "%.*s", (int)(group->rm_eo - group->rm_so), path + group->rm_so);
                        p += braces ? 3 : 1;
                        if (*p == '\0')
                                break;
                } else {
                        fputc(*p, f);
                }
        }
        fputs(path + match[0].rm_eo, f);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

char *endpoint_path(const struct endpoint *e, const char *path) {
        for (size_t i = 0; i < e->n_rewrites; i++) {
                regmatch_t match[10];

                if (regexec(&e->rewrites[i].pattern, path, ELEMENTS(match), match, 0) == 0)
                        return replace(&e->rewrites[i], path, match);
        }
        return strdup(path);
}

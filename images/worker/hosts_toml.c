#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/reference.h"
#include "images/worker/endpoints_internal.h"
#include "images/worker/toml.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

/* What a table says before its server is known to be usable. */
struct host_table {
        char *url; /* NULL: the file's own, for `server` */
        bool whole_path, skip_verify, has_capabilities, pull, push, resolve;
        char *ca, *cert, *key;
        char *headers[4];
        size_t n_headers;
};

struct hosts_file {
        const char *path, *dir; /* dir: relative file names are its */
        char *server;
        struct host_table tables[ENDPOINTS_MAX]; /* [0] is the file's own */
        size_t count;
};

static struct host_table *table_of(struct hosts_file *f, const char *url, struct err **err) {
        for (size_t i = 1; i < f->count; i++)
                if (strcmp(f->tables[i].url, url) == 0)
                        return &f->tables[i];
        if (f->count == ENDPOINTS_MAX - 1) {
                err_set(err, E2BIG, "more than %d hosts", ENDPOINTS_MAX - 2);
                return NULL;
        }
        f->tables[f->count] = (struct host_table){ .url = strdup(url) };
        if (!f->tables[f->count].url) {
                err_set(err, ENOMEM, "out of memory");
                return NULL;
        }
        return &f->tables[f->count++];
}

static int set_file(const struct hosts_file *f, char **to, const char *name) {
        free(*to);
        return asprintf(to, "%s%s%s", *name == '/' ? "" : f->dir, *name == '/' ? "" : "/", name) < 0 ? -ENOMEM : 0;
}

static int set_capabilities(struct host_table *t, const struct toml_entry *e) {
        t->has_capabilities = true;
        for (size_t i = 0; i < e->n_values; i++) {
                t->pull |= strcmp(e->values[i], "pull") == 0;
                t->resolve |= strcmp(e->values[i], "resolve") == 0;
                t->push |= strcmp(e->values[i], "push") == 0;
        }
        return 0;
}

static int set_key(struct hosts_file *f, struct host_table *t, const char *key, const struct toml_entry *e,
                   struct err **err) {
        const char *value = e->n_values > 0 ? e->values[0] : "";
        int r = 0;

        if (strcmp(key, "capabilities") == 0)
                return set_capabilities(t, e);
        if (strcmp(key, "skip_verify") == 0)
                t->skip_verify = strcmp(value, "true") == 0;
        else if (strcmp(key, "override_path") == 0)
                t->whole_path = strcmp(value, "true") == 0;
        else if (strcmp(key, "ca") == 0)
                r = set_file(f, &t->ca, value);
        else if (strcmp(key, "client") == 0) {
                r = set_file(f, &t->cert, value);
                if (r == 0 && e->nested && e->n_values > 1 && *e->values[1])
                        r = set_file(f, &t->key, e->values[1]);
        } else {
                log_warning("%s:%u: %s is not supported", f->path, e->line, key);
        }
        return r < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

static int add_header(struct host_table *t, const char *name, const struct toml_entry *e, struct err **err) {
        for (size_t i = 0; i < e->n_values; i++) {
                if (t->n_headers == ELEMENTS(t->headers))
                        return err_set(err, E2BIG, "line %u: more than %zu headers", e->line, ELEMENTS(t->headers));
                if (strpbrk(name, "\r\n:") || strpbrk(e->values[i], "\r\n"))
                        return err_set(err, EINVAL, "line %u: a header holds a newline", e->line);
                if (asprintf(&t->headers[t->n_headers], "%s: %s", name, e->values[i]) < 0)
                        return err_set(err, ENOMEM, "out of memory");
                t->n_headers++;
        }
        return 0;
}

static int take_entry(void *data, const struct toml_entry *e, struct err **err) {
        struct hosts_file *f = data;
        struct host_table *t;

        if (e->n_keys == 1 && strcmp(e->keys[0], "server") == 0)
                return registry_config_set(&f->server, e->n_values > 0 ? e->values[0] : "") < 0 ?
                               err_set(err, ENOMEM, "out of memory") :
                               0;
        if (e->n_keys == 1)
                return set_key(f, &f->tables[0], e->keys[0], e, err);
        if (e->n_keys == 2 && strcmp(e->keys[0], "header") == 0)
                return add_header(&f->tables[0], e->keys[1], e, err);
        if (strcmp(e->keys[0], "host") != 0 || e->n_keys < 3) {
                log_warning("%s:%u: %s is not supported", f->path, e->line, e->keys[0]);
                return 0;
        }
        t = table_of(f, e->keys[1], err);
        if (!t)
                return -EINVAL;
        if (e->n_keys == 4 && strcmp(e->keys[2], "header") == 0)
                return add_header(t, e->keys[3], e, err);
        return set_key(f, t, e->keys[2], e, err);
}

/* Hands what the table says over to its endpoint. */
static void apply(struct host_table *t, struct endpoint *e) {
        if (t->has_capabilities) {
                e->pull = t->pull;
                e->resolve = t->resolve;
                e->push = t->push;
        } else {
                e->push = true;
        }
        e->tls.skip_verify = t->skip_verify;
        e->ca_file = TAKE_PTR(t->ca);
        e->cert_file = TAKE_PTR(t->cert);
        e->key_file = TAKE_PTR(t->key);
        memcpy(e->headers, t->headers, sizeof(e->headers));
        e->n_headers = t->n_headers;
        t->n_headers = 0;
}

static int add_endpoints(struct hosts_file *f, const char *host, const char *insecure, struct endpoints *endpoints,
                         struct err **err) {
        struct endpoint *e;

        for (size_t i = 1; i < f->count; i++) {
                e = endpoints_add(endpoints, f->tables[i].url, f->tables[i].whole_path, err);
                if (!e)
                        return -EINVAL;
                apply(&f->tables[i], e);
        }
        e = f->server ? endpoints_add(endpoints, f->server, f->tables[0].whole_path, err) :
                        endpoints_add_origin(endpoints, host, insecure, err);
        if (!e)
                return -EINVAL;
        e->origin = true;
        apply(&f->tables[0], e);
        return 0;
}

static void file_clear(struct hosts_file *f) {
        free(f->server);
        for (size_t i = 0; i < f->count; i++) {
                struct host_table *t = &f->tables[i];

                free(t->url);
                free(t->ca);
                free(t->cert);
                free(t->key);
                for (size_t j = 0; j < t->n_headers; j++)
                        free(t->headers[j]);
        }
}

/* containerd's spellings of a registry's directory: HOST, HOST_PORT_ for HOST:PORT, _default. */
static int find_file(const char *dir, const char *host, char **ret_dir, char **ret_text, size_t *ret_n,
                     struct err **err) {
        char plain[IMAGE_NAME_MAX + 1], under[IMAGE_NAME_MAX + 2];
        const char *names[] = { plain, under, "_default" };
        const char *colon = strrchr(host, ':');

        snprintf(plain, sizeof(plain), "%s", host);
        snprintf(under, sizeof(under), "%.*s_%s_", (int)(colon ? colon - host : 0), host, colon ? colon + 1 : "");
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                _cleanup_free_ char *path = NULL, *parent = NULL;
                int r;

                if (asprintf(&parent, "%s/%s", dir, names[i]) < 0 || asprintf(&path, "%s/hosts.toml", parent) < 0)
                        return err_set(err, ENOMEM, "out of memory");
                r = registry_config_read(path, ret_text, ret_n, err);
                if (r < 0)
                        return r;
                if (*ret_text) {
                        *ret_dir = TAKE_PTR(parent);
                        return 1;
                }
        }
        return 0;
}

int hosts_toml_read(const char *dir, const char *host, const char *insecure, struct endpoints *endpoints,
                    struct err **err) {
        struct hosts_file *f = calloc(1, sizeof(*f));
        _cleanup_free_ char *text = NULL, *parent = NULL, *path = NULL;
        size_t n;
        int r;

        if (!f)
                return err_set(err, ENOMEM, "out of memory");
        r = find_file(dir, host, &parent, &text, &n, err);
        if (r > 0 && asprintf(&path, "%s/hosts.toml", parent) < 0)
                r = err_set(err, ENOMEM, "out of memory");
        if (r > 0) {
                *f = (struct hosts_file){ .path = path, .dir = parent, .count = 1 };
                r = toml_parse(text, take_entry, f, err);
                if (r == 0)
                        r = add_endpoints(f, host, insecure, endpoints, err);
                r = r < 0 ? err_wrap(err, r, "%s", path) : 1;
                file_clear(f);
        }
        free(f);
        return r;
}

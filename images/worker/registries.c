#include <errno.h>
#include <string.h>

#include "images/docker_config.h"
#include "images/worker/endpoints_internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/value.h"
#include "lib/yaml.h"

static int read_yaml(struct arena *arena, const char *file, const struct value **ret_root, struct err **err) {
        const struct value_options options = { .name = file };
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r = registry_config_read(file, &text, &n, err);

        *ret_root = NULL;
        if (r < 0 || !text)
                return r;
        r = yaml_parse(arena, text, n, &options, ret_root, err);
        return r == -ENODATA ? 0 : r;
}

static int add_rewrites(struct endpoint *e, const struct value *rewrites, struct err **err) {
        for (uint32_t i = 0; i < value_count(rewrites) && value_is(rewrites, VALUE_MAP); i++) {
                const char *pattern = rewrites->members[i].key,
                           *replacement = value_string(&rewrites->members[i].value);
                struct rewrite *rewrite = &e->rewrites[e->n_rewrites];

                if (e->n_rewrites == REWRITES_MAX)
                        return err_set(err, E2BIG, "more than %d rewrites", REWRITES_MAX);
                if (!replacement || regcomp(&rewrite->pattern, pattern, REG_EXTENDED) != 0)
                        return err_set(err, EINVAL, "rewrite \"%s\" is no regular expression with a replacement",
                                       pattern);
                rewrite->replacement = strdup(replacement);
                e->n_rewrites++;
                if (!rewrite->replacement)
                        return err_set(err, ENOMEM, "out of memory");
        }
        return 0;
}

/* k3s takes an endpoint's path as it is, and "/v2" for none. */
static bool has_path(const char *url) {
        const char *scheme = strstr(url, "://"), *slash = strchr(scheme ? scheme + 3 : url, '/');

        return slash && slash[1] != '\0';
}

static int add_mirrors(const struct value *mirror, struct endpoints *endpoints, struct err **err) {
        const struct value *list = value_get(mirror, "endpoint");

        for (uint32_t i = 0; i < value_count(list); i++) {
                const char *url = value_string(value_at(list, i));
                struct endpoint *e;
                int r;

                if (!url)
                        return err_set(err, EINVAL, "endpoint[%u] is %s, not a URL", i,
                                       value_kind_name(value_at(list, i)));
                e = endpoints_add(endpoints, url, has_path(url), err);
                if (!e)
                        return -EINVAL;
                r = add_rewrites(e, value_get(mirror, "rewrite"), err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int registries_read_mirrors(const char *file, const char *host, struct endpoints *endpoints, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root, *mirrors, *mirror;
        int r = arena ? read_yaml(arena, file, &root, err) : err_set(err, ENOMEM, "out of memory");

        if (r < 0)
                return r;
        mirrors = value_get(root, "mirrors");
        mirror = value_get(mirrors, host) ?: value_get(mirrors, "*");
        r = add_mirrors(mirror, endpoints, err);
        return r < 0 ? err_wrap(err, r, "%s: mirrors of %s", file, host) : 0;
}

static int apply_config(const struct value *config, struct endpoint *e, struct err **err) {
        const struct value *auth = value_get(config, "auth"), *tls = value_get(config, "tls");
        const struct {
                const struct value *map;
                const char *key;
                char **text;
        } texts[] = {
                { auth, "username", &e->username },
                { auth, "password", &e->password },
                { auth, "identity_token", &e->identity_token },
                { tls, "ca_file", &e->ca_file },
                { tls, "cert_file", &e->cert_file },
                { tls, "key_file", &e->key_file },
        };
        const char *both = value_string(value_get(auth, "auth"));
        int r = both ? registry_config_decode_auth(both, &e->username, &e->password) : 0;

        if (r < 0)
                return err_set(err, -r, "auth is not the base64 of USERNAME:PASSWORD");
        for (size_t i = 0; i < ELEMENTS(texts); i++)
                if (registry_config_set(texts[i].text, value_string(value_get(texts[i].map, texts[i].key))) < 0)
                        return err_set(err, ENOMEM, "out of memory");
        e->tls.skip_verify |= value_bool_or(value_get(tls, "insecure_skip_verify"), false);
        return 0;
}

int registries_read_configs(const char *file, struct endpoint *items, size_t n, bool by_name, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root, *configs;
        int r = arena ? read_yaml(arena, file, &root, err) : err_set(err, ENOMEM, "out of memory");

        configs = r == 0 ? value_get(root, "configs") : NULL;
        for (size_t i = 0; i < n && r == 0; i++) {
                struct endpoint *e = &items[i];
                const struct value *config = value_get(configs, e->host);

                if (!config && strcmp(e->host, "registry-1.docker.io") == 0)
                        config = value_get(configs, "docker.io");
                r = apply_config(config || by_name ? config : value_get(configs, "*"), e, err);
                if (r < 0)
                        err_wrap(err, r, "%s: configs of %s", file, e->host);
        }
        return r;
}

static int apply_docker(const struct value *entry, struct endpoint *e, const char *file, struct err **err) {
        const char *auth = value_string(value_get(entry, "auth"));
        int r = auth && *auth ? registry_config_decode_auth(auth, &e->username, &e->password) : 0;

        if (r < 0)
                return err_set(err, -r, "%s: auth of %s is not the base64 of USERNAME:PASSWORD", file, e->host);
        if (registry_config_set(&e->username, value_string(value_get(entry, "username"))) < 0 ||
            registry_config_set(&e->password, value_string(value_get(entry, "password"))) < 0 ||
            registry_config_set(&e->identity_token, value_string(value_get(entry, "identitytoken"))) < 0 ||
            registry_config_set(&e->registry_token, value_string(value_get(entry, "registrytoken"))) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}

int docker_config_read(const char *file, const char *path, struct endpoint *items, size_t n, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root;
        int r = arena ? image_docker_config_load(file, arena, &root, err) : err_set(err, ENOMEM, "out of memory");

        for (size_t i = 0; i < n && r == 0; i++) {
                struct endpoint *e = &items[i];
                const struct value *entry =
                        e->username || e->identity_token ? NULL : image_docker_config_entry(root, e->host, path);

                if (entry)
                        r = apply_docker(entry, e, file, err);
        }
        return r;
}

/* A kubeconfig (client-go's clientcmd/api/v1 Config): its current context's cluster and user. */
#include <errno.h>
#include <string.h>

#include "client/remote.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/value.h"
#include "lib/yaml.h"

struct kubeconfig {
        struct arena *arena;
        const char *path;
        const struct value *tree;
};

/* "clusters", "cluster", "NAME": what is below the list's item of that name. */
static const struct value *named(const struct kubeconfig *k, const char *list, const char *one, const char *name) {
        return name ? value_get(value_item(value_get(k->tree, list), "name", name), one) : NULL;
}

static int decode(const struct kubeconfig *k, const char *key, const char *text, const char **ret_text,
                  struct err **err) {
        size_t n = strlen(text);
        char *data = arena_alloc(k->arena, n / 4 * 3 + 4);
        uint32_t length;

        if (!data)
                return -ENOMEM;
        if (!kube_base64_parse(text, n, (uint8_t *)data, &length) || memchr(data, '\0', length))
                return err_set(err, EINVAL, "%s: %s is no base64 of a text", k->path, key);
        data[length] = '\0';
        *ret_text = data;
        return 0;
}

/* Names are from where the kubeconfig is. */
static int read_file(const struct kubeconfig *k, const char *name, const char **ret_text, struct err **err) {
        const char *slash = strrchr(k->path, '/'),
                   *path = *name == '/' || !slash ?
                                   name :
                                   arena_printf(k->arena, "%.*s/%s", (int)(slash - k->path), k->path, name);
        _cleanup_free_ char *text = NULL;
        int r = path ? files_read(path, CLIENT_KUBECONFIG_MAX, &text, NULL, err) : -ENOMEM;

        if (r < 0)
                return err_wrap(err, r, "%s", k->path);
        *ret_text = arena_strdup(k->arena, text);
        return *ret_text ? 0 : -ENOMEM;
}

/* KEY-data is the text itself, KEY the name of a file with it. Neither: NULL. */
static int read_text(const struct kubeconfig *k, const struct value *from, const char *key, const char **ret_text,
                     struct err **err) {
        const char *data_key = arena_printf(k->arena, "%s-data", key), *data, *file;

        if (!data_key)
                return -ENOMEM;
        data = value_string_or(value_get(from, data_key), "");
        file = value_string_or(value_get(from, key), "");
        if (*data)
                return decode(k, data_key, data, ret_text, err);
        return *file ? read_file(k, file, ret_text, err) : 0;
}

static int read_token(const struct kubeconfig *k, const struct value *user, const char **ret_token, struct err **err) {
        const char *file = value_string_or(value_get(user, "tokenFile"), "");
        int r;

        *ret_token = value_string(value_get(user, "token"));
        if (!*file || *ret_token)
                return 0;
        if ((r = read_file(k, file, ret_token, err)) < 0)
                return r;
        *ret_token = arena_strndup(k->arena, *ret_token, strcspn(*ret_token, " \t\r\n"));
        return *ret_token ? 0 : -ENOMEM;
}

/* What would have to be asked of somebody else, or not be checked. */
static int refuse(const struct kubeconfig *k, const struct value *cluster, const struct value *user, struct err **err) {
        static const char *const not_ours[] = { "exec", "auth-provider", "username", "as" };

        for (size_t i = 0; i < ELEMENTS(not_ours); i++)
                if (!value_is_null(value_get(user, not_ours[i])))
                        return err_set(err, EINVAL, "%s: %s of a user is not supported: give a certificate or a token",
                                       k->path, not_ours[i]);
        if (value_bool_or(value_get(cluster, "insecure-skip-tls-verify"), false))
                return err_set(err, EINVAL, "%s: insecure-skip-tls-verify is not supported: give certificate-authority",
                               k->path);
        return 0;
}

static int read_all(struct kubeconfig *k, struct client_remote_config *config, struct err **err) {
        const struct value *context =
                named(k, "contexts", "context", value_string(value_get(k->tree, "current-context")));
        const struct value *cluster = named(k, "clusters", "cluster", value_string(value_get(context, "cluster"))),
                           *user = named(k, "users", "user", value_string(value_get(context, "user")));
        int r = refuse(k, cluster, user, err);

        if (r < 0)
                return r;
        config->server = value_string(value_get(cluster, "server"));
        if (!config->server)
                return err_set(err, EINVAL, "%s: the current context has no cluster with a server", k->path);
        if ((r = read_text(k, cluster, "certificate-authority", &config->authorities, err)) < 0 ||
            (r = read_text(k, user, "client-certificate", &config->certificate, err)) < 0 ||
            (r = read_text(k, user, "client-key", &config->key, err)) < 0)
                return r;
        return read_token(k, user, &config->token, err);
}

int client_kubeconfig(struct arena *arena, const char *path, struct client_remote_config *ret_config,
                      struct err **err) {
        struct value_options options = { .name = path, .bytes_max = CLIENT_KUBECONFIG_MAX };
        struct client_remote_config config = { 0 };
        struct kubeconfig k = { .arena = arena, .path = path };
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = files_read(path, CLIENT_KUBECONFIG_MAX, &text, &size, err);

        if (r < 0 || (r = yaml_parse(arena, text, size, &options, &k.tree, err)) < 0 ||
            (r = read_all(&k, &config, err)) < 0)
                return r == -ENODATA ? -EINVAL : r;
        *ret_config = config;
        return 0;
}

#include "images/docker_config.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>

#include "images/reference.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/value.h"

#define HUB_SERVER "https://index.docker.io/v1/"

int image_docker_config_load(const char *file, struct arena *arena, const struct value **ret_root, struct err **err) {
        const struct value_options options = { .name = file };
        _cleanup_free_ char *text = NULL;
        struct err *cause = NULL;
        size_t n = 0;
        int r = files_read(file, DOCKER_CONFIG_SIZE_MAX, &text, &n, &cause);

        *ret_root = NULL;
        if (r == -ENOENT || r == -ENOTDIR) {
                err_free(cause);
                return 0;
        }
        if (r < 0)
                return err_move(err, cause);
        r = json_parse(arena, text, n, &options, ret_root, err);
        explicit_bzero(text, n);
        if (r < 0)
                return r;
        if (!value_is(*ret_root, VALUE_MAP))
                return err_set(err, EINVAL, "%s: is %s, not a map", file, value_kind_name(*ret_root));
        return 0;
}

static const char *const hub[] = { "docker.io", "index.docker.io", "registry-1.docker.io" };

static bool is_hub(const char *host) {
        for (size_t i = 0; i < ELEMENTS(hub); i++)
                if (strcmp(host, hub[i]) == 0)
                        return true;
        return false;
}

const char *image_docker_config_server(const char *host) {
        return is_hub(host) ? HUB_SERVER : host;
}

/* Whether glob @pattern of @n_pattern bytes stands for @label. A pattern that is none, or too long, stands for nothing.
 */
static bool match_label(const char *pattern, size_t n_pattern, const char *label, size_t n_label) {
        char glob[IMAGE_NAME_MAX + 1], text[IMAGE_NAME_MAX + 1];

        if (n_pattern >= sizeof(glob) || n_label >= sizeof(text))
                return false;
        memcpy(glob, pattern, n_pattern);
        glob[n_pattern] = '\0';
        memcpy(text, label, n_label);
        text[n_label] = '\0';
        return fnmatch(glob, text, 0) == 0;
}

/* @pattern[@n] against host "a.b:5000", label by label; what is behind the colon is no glob. */
static bool match_host(const char *pattern, size_t n, const char *host) {
        const char *end = pattern + n;

        if (strlen(host) == n && strncmp(pattern, host, n) == 0)
                return true;
        for (;;) {
                const char *label = pattern;

                while (pattern < end && *pattern != '.' && *pattern != ':')
                        pattern++;
                if (!match_label(label, (size_t)(pattern - label), host, strcspn(host, ".:")))
                        return false;
                host += strcspn(host, ".:");
                if (pattern == end || *pattern == ':')
                        return strlen(host) == (size_t)(end - pattern) && memcmp(pattern, host, strlen(host)) == 0;
                if (*host != '.')
                        return false;
                pattern++;
                host++;
        }
}

static enum docker_match match_path(const char *prefix, const char *path) {
        size_t n = strlen(prefix);

        if (strncmp(prefix, path, n) != 0)
                return DOCKER_MATCH_NONE;
        return n == 0 || prefix[n - 1] == '/' || path[n] == '/' || path[n] == '\0' ? DOCKER_MATCH_WHOLE_PARTS :
                                                                                     DOCKER_MATCH_WITHIN_PART;
}

static const char *without_scheme(const char *key) {
        return strncmp(key, "https://", 8) == 0 ? key + 8 : strncmp(key, "http://", 7) == 0 ? key + 7 : key;
}

enum docker_match image_docker_config_match(const char *key, const char *host, const char *path) {
        size_t n;
        const char *rest;
        bool found;

        key = without_scheme(key);
        n = strcspn(key, "/");
        rest = key + n;
        found = match_host(key, n, host);
        for (size_t i = 0; i < ELEMENTS(hub) && !found && is_hub(host); i++)
                found = match_host(key, n, hub[i]);
        if (strncmp(rest, "/v1", 3) == 0 || strncmp(rest, "/v2", 3) == 0)
                rest += rest[3] == '/' || rest[3] == '\0' ? 3 : 0;
        return found ? match_path(rest + (*rest == '/'), path) : DOCKER_MATCH_NONE;
}

/* docker leaves empty entries behind for what a helper keeps. */
static bool has_credentials(const struct value *entry) {
        static const char *const members[] = { "auth", "username", "identitytoken", "registrytoken" };

        for (size_t i = 0; i < ELEMENTS(members); i++)
                if (*value_string_or(value_get(entry, members[i]), ""))
                        return true;
        return false;
}

bool image_docker_config_precedes(enum docker_match match, const char *key, enum docker_match than_match,
                                  const char *than) {
        if (match != than_match)
                return match > than_match;
        return match != DOCKER_MATCH_NONE && strcmp(without_scheme(key), without_scheme(than)) > 0;
}

const struct value *image_docker_config_entry(const struct value *root, const char *host, const char *path) {
        const struct value *auths = value_get(root, "auths"), *best = NULL;
        enum docker_match best_match = DOCKER_MATCH_NONE;
        const char *best_key = "";

        for (uint32_t i = 0; i < value_count(auths) && value_is(auths, VALUE_MAP); i++) {
                const struct value_member *m = &auths->members[i];
                enum docker_match match = image_docker_config_match(m->key, host, path);

                if (!image_docker_config_precedes(match, m->key, best_match, best_key) || !has_credentials(&m->value))
                        continue;
                best = &m->value;
                best_match = match;
                best_key = m->key;
        }
        return best;
}

const char *image_docker_config_helper(const struct value *root, const char *host, const char **ret_field) {
        const struct value *helpers = value_get(root, "credHelpers");
        const char *name = value_string(value_get(helpers, image_docker_config_server(host)));

        if (!name && is_hub(host)) /* podman's name for it */
                name = value_string(value_get(helpers, "docker.io"));
        *ret_field = name ? "credHelpers" : "credsStore";
        name = name ?: value_string(value_get(root, "credsStore"));
        return name && *name ? name : NULL;
}

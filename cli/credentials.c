#include "cli/credentials.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/docker_config.h"
#include "images/reference.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json_writer.h"
#include "lib/value.h"

#define CREDENTIALS_MAX 4096

static int find_directory(char ret_path[PATH_MAX], struct err **err) {
        const char *config = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
        bool own = config && *config;

        if (!own && (!home || !*home))
                return err_set(err, ENOENT, "no place for credentials: neither DOCKER_CONFIG nor HOME is set");
        if (snprintf(ret_path, PATH_MAX, "%s%s", own ? config : home, own ? "" : "/.docker") >= PATH_MAX - 16)
                return err_set(err, ENAMETOOLONG, "the path of the credentials is too long");
        return 0;
}

/* Members of @map but @key. */
static void copy_members(struct json_writer *w, const struct value *map, const char *key) {
        for (uint32_t i = 0; i < value_count(map); i++) {
                if (strcmp(map->members[i].key, key) == 0)
                        continue;
                json_key(w, map->members[i].key);
                json_value(w, &map->members[i].value);
        }
}

/* The file as it was, but for @registry's entry: @auth, an empty one when that is "", or none when it is NULL. */
static int write_file(const char *path, const struct value *root, const char *registry, const char *auth,
                      struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        const struct value *auths = value_get(root, "auths");
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r;

        if (auths && !value_is(auths, VALUE_MAP))
                return err_set(err, EINVAL, "%s: auths is %s, not a map", path, value_kind_name(auths));
        json_begin_map(&w);
        copy_members(&w, root, "auths");
        json_key(&w, "auths");
        json_begin_map(&w);
        copy_members(&w, auths, registry);
        if (auth) {
                json_key(&w, registry);
                json_begin_map(&w);
                json_add_string_if(&w, "auth", auth);
                json_end_map(&w);
        }
        json_end_map(&w);
        json_end_map(&w);
        r = json_writer_finish(&w, &text, &n);
        if (r < 0)
                return err_set(err, -r, "%s: out of memory", path);
        r = files_replace(path, text, n, 0600, err);
        explicit_bzero(text, n);
        return r;
}

/* The user's file as it is. */
struct config {
        struct arena *arena;
        const struct value *root; /* NULL: there is none */
        char directory[PATH_MAX], path[PATH_MAX + 16];
};

static void config_done(struct config *config) {
        arena_free(config->arena);
}
#define _cleanup_config_ __attribute__((cleanup(config_done)))

static int config_open(struct config *config, struct err **err) {
        int r;

        *config = (struct config){ .arena = arena_new() };
        if (!config->arena)
                return err_set(err, ENOMEM, "out of memory");
        r = find_directory(config->directory, err);
        if (r < 0)
                return r;
        snprintf(config->path, sizeof(config->path), "%s/config.json", config->directory);
        return image_docker_config_load(config->path, config->arena, &config->root, err);
}

static bool find_helper(const struct config *config, const char *registry, struct credential_helper *ret) {
        *ret = (struct credential_helper){ .file = config->path, .cancel_fd = -EBADF };
        ret->name = image_docker_config_helper(config->root, registry, &ret->field);
        return ret->name;
}

/* Returns 1, or 0 when there was nothing to remove. */
static int change(const struct config *config, const char *registry, const char *auth, struct err **err) {
        const char *server = image_docker_config_server(registry);
        int r;

        if (!auth && !value_get(value_get(config->root, "auths"), server))
                return 0;
        if ((r = files_make_dirs(config->directory, 0700, err)) < 0 ||
            (r = write_file(config->path, config->root, server, auth, err)) < 0)
                return r;
        return 1;
}

static int save_in_file(const struct config *config, const char *registry, const char *username, const char *password,
                        struct err **err) {
        char plain[CREDENTIALS_MAX], coded[BASE64_LENGTH(CREDENTIALS_MAX) + 1];
        int n = snprintf(plain, sizeof(plain), "%s:%s", username, password), r;

        if (strchr(username, ':'))
                return err_set(err, EINVAL, "the user name holds a colon");
        if ((size_t)n >= sizeof(plain))
                return err_set(err, E2BIG, "the credentials are longer than %d bytes", CREDENTIALS_MAX - 1);
        base64_encode(plain, (size_t)n, coded);
        r = change(config, registry, coded, err);
        explicit_bzero(plain, sizeof(plain));
        explicit_bzero(coded, sizeof(coded));
        return r;
}

int credentials_save(const char *registry, const char *username, const char *password, struct err **err) {
        _cleanup_config_ struct config config;
        struct credential_helper helper;
        int r = config_open(&config, err);

        if (r < 0)
                return r;
        if (!find_helper(&config, registry, &helper)) {
                r = save_in_file(&config, registry, username, password, err);
                return r < 0 ? r : 0;
        }
        r = image_credential_helper_store(&helper, image_docker_config_server(registry), username, password, err);
        if (r == 0)
                r = change(&config, registry, "", err); /* so docker knows that there was a login */
        return r < 0 ? r : 0;
}

int credentials_remove(const char *registry, struct err **err) {
        _cleanup_config_ struct config config;
        struct credential_helper helper;
        int r = config_open(&config, err), erased = 0;

        if (r < 0 ||
            (find_helper(&config, registry, &helper) &&
             (r = erased = image_credential_helper_erase(&helper, image_docker_config_server(registry), err)) < 0))
                return r;
        r = change(&config, registry, NULL, err);
        return r == 0 ? erased : r;
}

static int copy_text(const struct value *entry, const char *member, char **ret) {
        const char *text = value_string(value_get(entry, member));

        if (!text || !*text)
                return 0;
        *ret = strdup(text);
        return *ret ? 0 : -ENOMEM;
}

static int copy_entry(const struct value *entry, char **ret_auth, struct credentials *ret, struct err **err) {
        if (copy_text(entry, "auth", ret_auth) < 0 || copy_text(entry, "username", &ret->username) < 0 ||
            copy_text(entry, "password", &ret->password) < 0 ||
            copy_text(entry, "identitytoken", &ret->identity_token) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return 1;
}

int credentials_find(const char *reference, char **ret_auth, struct credentials *ret_credentials, struct err **err) {
        char directory[PATH_MAX], host[IMAGE_NAME_MAX + 1];
        _cleanup_config_ struct config config = { .arena = NULL };
        struct image_reference parsed;
        struct credential_helper helper;
        const struct value *entry;
        int r;

        /* What is wrong with the name the agent says; without a home there is nothing to find. */
        if (image_reference_parse(reference, &parsed, NULL) < 0 || find_directory(directory, NULL) < 0)
                return 0;
        r = config_open(&config, err);
        if (r < 0)
                return r;
        image_reference_host(&parsed, host);
        if (find_helper(&config, host, &helper)) {
                _cleanup_err_ struct err *why = NULL;

                r = image_credential_helper_get(&helper, image_docker_config_server(host), ret_credentials, &why);
                if (r > 0)
                        return r;
                if (why) /* a public image needs none */
                        fprintf(stderr, "nacelle: warning: %s\n", err_text(why));
        }
        entry = image_docker_config_entry(config.root, host, image_reference_path(&parsed));
        return entry ? copy_entry(entry, ret_auth, ret_credentials, err) : 0;
}

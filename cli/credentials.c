#include "cli/credentials.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/reference.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

#define FILE_MAX ((size_t)1 << 20)
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

/* Docker Hub is known by its old address. */
static const char *key_of(const char *registry) {
        return strcmp(registry, "docker.io") == 0 ? "https://index.docker.io/v1/" : registry;
}

/* NULL for a file that is not there. */
static int read_file(struct arena *arena, const char *path, const struct value **ret_root, struct err **err) {
        const struct value_options options = { .name = path };
        _cleanup_free_ char *text = NULL;
        struct err *cause = NULL;
        size_t n;
        int r = files_read(path, FILE_MAX, &text, &n, &cause);

        *ret_root = NULL;
        if (r == -ENOENT) {
                err_free(cause);
                return 0;
        }
        if (r < 0)
                return err_move(err, cause);
        r = json_parse(arena, text, n, &options, ret_root, err);
        if (r == 0 && !value_is(*ret_root, VALUE_MAP))
                r = err_set(err, EINVAL, "%s: is %s, not a map", path, value_kind_name(*ret_root));
        return r;
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

/* The file as it was, but for @registry's entry: @auth, or none when that is NULL. */
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
                json_add_string(&w, "auth", auth);
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

static int change(const char *registry, const char *auth, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root;
        char directory[PATH_MAX], path[PATH_MAX + 16];
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        r = find_directory(directory, err);
        snprintf(path, sizeof(path), "%s/config.json", directory);
        if (r == 0)
                r = read_file(arena, path, &root, err);
        if (r < 0)
                return r;
        if (!auth && !value_get(value_get(root, "auths"), registry))
                return 0;
        r = files_make_dirs(directory, 0700, err);
        if (r == 0)
                r = write_file(path, root, registry, auth, err);
        return r < 0 ? r : 1;
}

int credentials_save(const char *registry, const char *username, const char *password, struct err **err) {
        char plain[CREDENTIALS_MAX], coded[BASE64_LENGTH(CREDENTIALS_MAX) + 1];
        int n = snprintf(plain, sizeof(plain), "%s:%s", username, password), r;

        if (strchr(username, ':'))
                return err_set(err, EINVAL, "the user name holds a colon");
        if ((size_t)n >= sizeof(plain))
                return err_set(err, E2BIG, "the credentials are longer than %d bytes", CREDENTIALS_MAX - 1);
        base64_encode(plain, (size_t)n, coded);
        r = change(key_of(registry), coded, err);
        explicit_bzero(plain, sizeof(plain));
        explicit_bzero(coded, sizeof(coded));
        return r < 0 ? r : 0;
}

int credentials_remove(const char *registry, struct err **err) {
        return change(key_of(registry), NULL, err);
}

/* @name is cut at its slashes, from behind, until the file knows it. */
static const char *look_up(const struct value *auths, char *name) {
        for (;;) {
                const char *auth = value_string(value_get(value_get(auths, name), "auth"));
                char *slash = strrchr(name, '/');

                if (auth && *auth)
                        return auth;
                if (!slash)
                        return value_string(value_get(value_get(auths, key_of(name)), "auth"));
                *slash = '\0';
        }
}

int credentials_find(const char *reference, char **ret_auth, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char directory[PATH_MAX], path[PATH_MAX + 16], host[IMAGE_NAME_MAX + 1], name[2 * IMAGE_NAME_MAX + 2];
        struct image_reference parsed;
        const struct value *root;
        const char *auth;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        /* What is wrong with the name the agent says; without a home there is nothing to find. */
        if (image_reference_parse(reference, &parsed, NULL) < 0 || find_directory(directory, NULL) < 0)
                return 0;
        snprintf(path, sizeof(path), "%s/config.json", directory);
        r = read_file(arena, path, &root, err);
        if (r < 0)
                return r;
        snprintf(name, sizeof(name), "%s/%s", image_reference_host(&parsed, host), image_reference_path(&parsed));
        auth = look_up(value_get(root, "auths"), name);
        if (!auth || !*auth)
                return 0;
        *ret_auth = strdup(auth);
        return *ret_auth ? 1 : err_set(err, ENOMEM, "out of memory");
}

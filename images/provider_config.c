#include "images/provider_config.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/strings.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/duration.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/value.h"
#include "lib/yaml.h"

#define GROUP "kubelet.config.k8s.io/"
#define API_GROUP "credentialprovider.kubelet.k8s.io/"

struct reader {
        const char *file, *bin_dir;
        struct arena *arena;
        struct provider_config *config;
};

static bool is_version(const char *text, const char *group) {
        static const char *const versions[] = { "v1", "v1beta1", "v1alpha1" };
        size_t n = strlen(group);

        for (size_t i = 0; i < ELEMENTS(versions); i++)
                if (strncmp(text, group, n) == 0 && strcmp(text + n, versions[i]) == 0)
                        return true;
        return false;
}

static int refuse(const struct reader *r, const struct value *at, const char *field, const char *wants,
                  struct err **err) {
        return err_set(err, EINVAL, "%s:%u: providers.%s: wants %s", r->file, at->line, field, wants);
}

static int copy(const struct reader *r, const struct value *text, const char **ret, struct err **err) {
        *ret = arena_strdup(r->arena, value_string(text));
        return *ret ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int read_name(const struct reader *r, const struct value *item, struct provider *p, struct err **err) {
        const char *name = value_string_or(value_get(item, "name"), "");

        if (!*name || strpbrk(name, "/ ") || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return refuse(r, item, "name", "the name of a program, without slashes and blanks", err);
        for (size_t i = 0; i < r->config->count; i++)
                if (strcmp(r->config->items[i].name, name) == 0)
                        return err_set(err, EINVAL, "%s:%u: providers.name: \"%.80s\" occurs twice", r->file,
                                       item->line, name);
        p->name = arena_strdup(r->arena, name);
        p->path = arena_printf(r->arena, "%s/%s", r->bin_dir, name);
        if (!p->name || !p->path)
                return err_set(err, ENOMEM, "out of memory");
        if (access(p->path, X_OK) < 0)
                return err_errno(err, errno, "%s:%u: provider %.80s: program %s", r->file, item->line, name, p->path);
        return 0;
}

/* A list of texts behind @first (NULL: nothing). */
static int read_texts(const struct reader *r, const struct value *item, const char *field, const char *first,
                      const char *const **ret, struct err **err) {
        const struct value *list = value_get(item, field);
        const char **texts = arena_alloc_array(r->arena, value_count(list) + 2, sizeof(*texts));
        size_t n = 0;

        if (!texts)
                return err_set(err, ENOMEM, "out of memory");
        if (!value_is_null(list) && !value_is(list, VALUE_LIST))
                return refuse(r, list, field, "a list", err);
        if (first)
                texts[n++] = first;
        for (uint32_t i = 0; i < value_count(list); i++) {
                if (!value_is(value_at(list, i), VALUE_STRING))
                        return refuse(r, value_at(list, i), field, "texts", err);
                if (copy(r, value_at(list, i), &texts[n++], err) < 0)
                        return -ENOMEM;
        }
        *ret = texts;
        return 0;
}

static int read_environment(const struct reader *r, const struct value *item, struct provider *p, struct err **err) {
        const struct value *list = value_get(item, "env");
        const char **texts = arena_alloc_array(r->arena, value_count(list) + 1, sizeof(*texts));

        if (!texts)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < value_count(list); i++) {
                const struct value *variable = value_at(list, i);
                const char *name = value_string_or(value_get(variable, "name"), "");

                if (!*name || strchr(name, '='))
                        return refuse(r, item, "env", "names of variables", err);
                texts[i] = arena_printf(r->arena, "%s=%s", name, value_string_or(value_get(variable, "value"), ""));
                if (!texts[i])
                        return err_set(err, ENOMEM, "out of memory");
        }
        p->environment = texts;
        return 0;
}

static int read_provider(const struct reader *r, const struct value *item, struct provider *p, struct err **err) {
        const char *version = value_string_or(value_get(item, "apiVersion"), ""),
                   *duration = value_string_or(value_get(item, "defaultCacheDuration"), "");
        const struct value *tokens = value_get(item, "tokenAttributes");
        int e;

        if ((e = read_name(r, item, p, err)) < 0)
                return e;
        if (!is_version(version, API_GROUP))
                return refuse(r, item, "apiVersion", API_GROUP "v1, v1beta1 or v1alpha1", err);
        if (duration_parse(duration, &p->default_cache_ns) < 0 || p->default_cache_ns < 0)
                return refuse(r, item, "defaultCacheDuration", "a duration like 5m", err);
        if (value_count(value_get(item, "matchImages")) == 0)
                return refuse(r, item, "matchImages", "at least one pattern", err);
        if (!value_is_null(tokens) && value_bool_or(value_get(tokens, "requireServiceAccount"), true)) {
                p->never = true;
                log_warning("%s:%u: provider %s is not asked: it requires service accounts, which this node has not",
                            r->file, item->line, p->name);
        }
        if ((e = copy(r, value_get(item, "apiVersion"), &p->api_version, err)) < 0 ||
            (e = read_texts(r, item, "matchImages", NULL, &p->match_images, err)) < 0 ||
            (e = read_texts(r, item, "args", p->path, &p->arguments, err)) < 0)
                return e;
        return read_environment(r, item, p, err);
}

static int read_document(const struct reader *r, const struct value *root, struct err **err) {
        const struct value *list = value_get(root, "providers");

        if (strcmp(value_string_or(value_get(root, "kind"), ""), "CredentialProviderConfig") != 0 ||
            !is_version(value_string_or(value_get(root, "apiVersion"), ""), GROUP))
                return err_set(err, EINVAL, "%s: is no CredentialProviderConfig of " GROUP "v1", r->file);
        for (uint32_t i = 0; i < value_count(list); i++) {
                struct provider *p = &r->config->items[r->config->count];
                int e;

                if (r->config->count == PROVIDERS_MAX)
                        return err_set(err, E2BIG, "%s: more than %d providers", r->file, PROVIDERS_MAX);
                e = read_provider(r, value_at(list, i), p, err);
                if (e < 0)
                        return e;
                r->config->count++;
        }
        return 0;
}

static int read_file(struct reader *r, const char *file, struct err **err) {
        const struct value_options options = { .name = file };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *text = NULL;
        const struct value *root = NULL;
        size_t n;
        int e = arena ? files_read(file, PROVIDER_CONFIG_SIZE_MAX, &text, &n, err) :
                        err_set(err, ENOMEM, "out of memory");

        if (e < 0)
                return e;
        e = yaml_parse(arena, text, n, &options, &root, err);
        r->file = file;
        return e < 0 ? e : read_document(r, root, err);
}

static bool is_config(const char *name) {
        const char *dot = strrchr(name, '.');

        return dot && (strcmp(dot, ".json") == 0 || strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int list_files(const char *path, struct string_list *files, struct err **err) {
        _cleanup_closedir_ DIR *dir = opendir(path);
        struct dirent *entry;

        if (!dir)
                return err_errno(err, errno, "open %s", path);
        while ((entry = readdir(dir)))
                if (is_config(entry->d_name) && entry->d_type != DT_DIR &&
                    image_string_list_addf(files, "%s/%s", path, entry->d_name) < 0)
                        return err_set(err, ENOMEM, "out of memory");
        image_string_list_sort(files);
        return 0;
}

int image_provider_config_read(const char *path, const char *bin_dir, struct arena *arena,
                               struct provider_config *ret_config, struct err **err) {
        struct provider_config config = { .items = arena_alloc_array(arena, PROVIDERS_MAX, sizeof(*config.items)) };
        struct reader reader = { .bin_dir = bin_dir, .arena = arena, .config = &config };
        _cleanup_strings_ struct string_list files = { .items = NULL };
        struct stat st;
        int r;

        if (!config.items)
                return err_set(err, ENOMEM, "out of memory");
        if (stat(path, &st) < 0)
                return err_errno(err, errno, "open %s", path);
        if (S_ISDIR(st.st_mode))
                r = list_files(path, &files, err);
        else
                r = image_string_list_add(&files, path) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
        for (size_t i = 0; i < files.count && r == 0; i++)
                r = read_file(&reader, files.items[i], err);
        if (r < 0)
                return r;
        if (config.count == 0)
                return err_set(err, EINVAL, "%s: names no provider", path);
        *ret_config = config;
        return 0;
}

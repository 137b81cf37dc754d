#include "cni/conflist.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/value.h"

static const char *const versions[CNI_VERSIONS] = {
        [CNI_0_1_0] = "0.1.0", [CNI_0_2_0] = "0.2.0", [CNI_0_3_0] = "0.3.0", [CNI_0_3_1] = "0.3.1",
        [CNI_0_4_0] = "0.4.0", [CNI_1_0_0] = "1.0.0", [CNI_1_1_0] = "1.1.0",
};

const char *cni_version_text(enum cni_version version) {
        return versions[version];
}

/* -EINVAL for a version that is not known. */
static int cni_version_parse(const char *text, enum cni_version *ret_version) {
        for (enum cni_version i = 0; i < CNI_VERSIONS; i++) {
                if (strcmp(versions[i], text) == 0) {
                        *ret_version = i;
                        return 0;
                }
        }
        return -EINVAL;
}

struct conflist *cni_conflist_free(struct conflist *conflist) {
        if (conflist) {
                arena_free(conflist->arena);
                free(conflist->text);
                free(conflist);
        }
        return NULL;
}

void cni_conflist_freep(struct conflist **conflist) {
        cni_conflist_free(*conflist);
}

const char *cni_conflist_type(const struct conflist *conflist, size_t plugin) {
        return value_string(value_get(conflist->plugins[plugin], "type"));
}

/* cniVersion, or the newest known one of cniVersions. */
static int read_version(const struct value *document, struct conflist *conflist, struct err **err) {
        const char *text = value_string_or(value_get(document, "cniVersion"), "0.1.0");
        const struct value *list = value_get(document, "cniVersions");
        enum cni_version version;
        bool found = cni_version_parse(text, &conflist->version) == 0;

        for (uint32_t i = 0; i < value_count(list); i++) {
                const char *item = value_string(value_at(list, i));

                if (item && cni_version_parse(item, &version) == 0 && (!found || version > conflist->version)) {
                        conflist->version = version;
                        found = true;
                }
        }
        return found ? 0 :
                       err_set(err, EINVAL, "cniVersion \"%s\" is not known; the newest is %s", text,
                               versions[CNI_VERSIONS - 1]);
}

/* As libcni: a letter or digit, then letters, digits, and _ . - */
static bool is_name(const char *name) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

        return name[0] && !strchr("_.-", name[0]) && strspn(name, letters) == strlen(name);
}

static int add_plugin(struct conflist *conflist, const struct value *plugin, struct err **err) {
        const char *type = value_string(value_get(plugin, "type"));
        size_t n = conflist->n_plugins;

        if (n == CONFLIST_PLUGINS_MAX)
                return err_set(err, EINVAL, "more than %d plugins", CONFLIST_PLUGINS_MAX);
        if (!type || type[0] == '\0')
                return err_set(err, EINVAL, "plugins[%zu]: no type", n);
        /* The type is a file in one of the directories for plugins, and nothing else. */
        if (strchr(type, '/') || strcmp(type, ".") == 0 || strcmp(type, "..") == 0)
                return err_set(err, EINVAL, "plugins[%zu]: type \"%s\" is not the name of a plugin", n, type);
        conflist->plugins[conflist->n_plugins++] = plugin;
        return 0;
}

static int read_plugins(const struct value *document, struct conflist *conflist, struct err **err) {
        const struct value *plugins = value_get(document, "plugins");
        int r = 0;

        if (!plugins)
                return add_plugin(conflist, document, err);
        if (!value_is(plugins, VALUE_LIST) || value_count(plugins) == 0)
                return err_set(err, EINVAL, "plugins is %s: it lists at least one plugin",
                               value_is(plugins, VALUE_LIST) ? "empty" : value_kind_name(plugins));
        for (uint32_t i = 0; i < value_count(plugins) && r == 0; i++)
                r = add_plugin(conflist, value_at(plugins, i), err);
        return r;
}

/* Some write their booleans as strings, and libcni reads both. */
static bool read_flag(const struct value *document, const char *key) {
        const struct value *flag = value_get(document, key);

        return value_bool_or(flag, strcmp(value_string_or(flag, "false"), "true") == 0);
}

static int read_document(struct conflist *conflist, struct err **err) {
        struct value_options options = { .bytes_max = CONFLIST_FILE_MAX };
        const struct value *document;
        int r = json_parse(conflist->arena, conflist->text, conflist->length, &options, &document, err);

        if (r < 0)
                return r;
        if (!value_is(document, VALUE_MAP))
                return err_set(err, EINVAL, "is %s, not a network configuration", value_kind_name(document));
        conflist->name = value_string_or(value_get(document, "name"), "");
        if (!is_name(conflist->name))
                return err_set(err, EINVAL, "name \"%s\" is not a network's name", conflist->name);
        conflist->disable_check = read_flag(document, "disableCheck");
        conflist->disable_gc = read_flag(document, "disableGC");
        r = read_version(document, conflist, err);
        return r < 0 ? r : read_plugins(document, conflist, err);
}

int cni_conflist_parse(const char *path, const char *text, size_t length, struct conflist **ret_conflist,
                       struct err **err) {
        _cleanup_conflist_ struct conflist *conflist = calloc(1, sizeof(*conflist));
        int r;

        if (!conflist)
                return err_errno(err, ENOMEM, "%s", path);
        conflist->arena = arena_new();
        conflist->text = malloc(length + 1);
        conflist->path = conflist->arena ? arena_strdup(conflist->arena, path) : NULL;
        if (!conflist->path || !conflist->text)
                return err_errno(err, ENOMEM, "%s", path);
        memcpy(conflist->text, text, length);
        conflist->text[length] = '\0';
        conflist->length = length;
        r = read_document(conflist, err);
        if (r < 0)
                return err_wrap(err, r, "%s", path);
        *ret_conflist = TAKE_PTR(conflist);
        return 0;
}

void cni_conflist_stamp(const char *directory, const struct conflist *conflist, struct cni_conflist_stamp *ret_stamp) {
        struct cni_conflist_stamp stamp;
        struct stat status;

        /* Compared byte by byte. */
        memset(&stamp, 0, sizeof(stamp));
        if (stat(directory, &status) == 0)
                stamp.directory = status.st_mtim;
        if (conflist && stat(conflist->path, &status) == 0) {
                stamp.file = status.st_mtim;
                stamp.inode = status.st_ino;
                stamp.size = (uint64_t)status.st_size;
        }
        *ret_stamp = stamp;
}

static int is_configuration(const struct dirent *entry) {
        static const char *const suffixes[] = { ".conflist", ".conf", ".json" };
        size_t n = strlen(entry->d_name);

        for (size_t i = 0; i < ELEMENTS(suffixes); i++) {
                size_t length = strlen(suffixes[i]);

                if (entry->d_name[0] != '.' && n > length && strcmp(entry->d_name + n - length, suffixes[i]) == 0)
                        return 1;
        }
        return 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

int cni_conflist_load(const char *directory, struct conflist **ret_conflist, struct err **err) {
        _cleanup_free_ char *text = NULL;
        struct dirent **entries;
        char path[PATH_MAX];
        size_t length;
        int n, r;

        n = scandir(directory, &entries, is_configuration, by_bytes);
        if (n < 0 && errno != ENOENT)
                return err_errno(err, errno, "%s", directory);
        if (n <= 0) {
                if (n == 0)
                        free(entries);
                *ret_conflist = NULL;
                return 0;
        }
        snprintf(path, sizeof(path), "%s/%s", directory, entries[0]->d_name);
        for (int i = 0; i < n; i++)
                free(entries[i]);
        free(entries);
        r = files_read(path, CONFLIST_FILE_MAX, &text, &length, err);
        return r < 0 ? r : cni_conflist_parse(path, text, length, ret_conflist, err);
}

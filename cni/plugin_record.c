#include "cni/plugin_record.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cni/conflist.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static const char suffix[] = ".json";

static const char *path_of(const char *directory, const char *id, char ret_path[PATH_MAX]) {
        snprintf(ret_path, PATH_MAX, "%s/%s%s", directory, id, suffix);
        return ret_path;
}

/* "A=1;B=2" as libcni keeps it: [["A","1"],["B","2"]]. */
static void write_arguments(struct json_writer *w, const char *arguments) {
        json_key(w, "cniArgs");
        json_begin_list(w);
        while (*arguments) {
                size_t n = strcspn(arguments, ";"), name = strcspn(arguments, "=;");

                json_begin_list(w);
                json_string_length(w, arguments, name);
                json_string_length(w, arguments + name + (name < n), n - name - (name < n));
                json_end_list(w);
                arguments += n + (arguments[n] == ';');
        }
        json_end_list(w);
}

int cni_plugin_record_write(const char *directory, const struct plugin_record *record, struct err **err) {
        _cleanup_free_ char *config = malloc(BASE64_LENGTH(record->conflist->length) + 1), *text = NULL;
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        char path[PATH_MAX];
        size_t length;
        int r;

        if (!config)
                return err_errno(err, ENOMEM, "record of the CNI network");
        base64_encode(record->conflist->text, record->conflist->length, config);
        json_begin_map(&w);
        json_add_string(&w, "kind", "cniCacheV1");
        json_add_string(&w, "containerId", record->id);
        json_add_string(&w, "config", config);
        json_add_string(&w, "ifName", record->interface);
        json_add_string(&w, "networkName", record->conflist->name);
        json_add_string(&w, "netns", record->netns);
        write_arguments(&w, record->arguments);
        if (record->capabilities) {
                json_key(&w, "capabilityArgs");
                json_value(&w, record->capabilities);
        }
        if (record->result) {
                json_key(&w, "result");
                json_value(&w, record->result);
        }
        json_end_map(&w);
        r = json_writer_finish(&w, &text, &length);
        if (r < 0)
                return err_errno(err, -r, "record of the CNI network");
        r = files_make_dirs(directory, 0700, err);
        return r < 0 ? r : files_replace(path_of(directory, record->id, path), text, length, 0600, err);
}

static const char *read_arguments(const struct value *list, struct arena *arena) {
        const char *text = "";

        for (uint32_t i = 0; i < value_count(list) && text; i++)
                text = arena_printf(arena, "%s%s%s=%s", text, i > 0 ? ";" : "",
                                    value_string_or(value_at(value_at(list, i), 0), ""),
                                    value_string_or(value_at(value_at(list, i), 1), ""));
        return text;
}

static int read_conflist(const char *path, const struct value *document, struct conflist **ret_conflist,
                         struct err **err) {
        const char *config = value_string(value_get(document, "config"));
        struct base64_decoder decoder = { 0 };
        _cleanup_free_ char *text = NULL;
        int64_t n;

        if (!config)
                return err_set(err, EINVAL, "%s: no config", path);
        text = malloc(strlen(config) + 1);
        if (!text)
                return err_errno(err, ENOMEM, "%s", path);
        n = base64_decode(&decoder, config, strlen(config), text);
        if (n < 0)
                return err_set(err, EINVAL, "%s: config is not base64", path);
        return cni_conflist_parse(path, text, (size_t)n, ret_conflist, err);
}

int cni_plugin_record_read(const char *directory, const char *id, struct arena *arena, struct plugin_record *ret_record,
                           struct err **err) {
        struct value_options options = { .bytes_max = PLUGIN_RECORD_MAX };
        struct plugin_record record = { 0 };
        const struct value *document;
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];
        size_t length;
        int r;

        r = files_read(path_of(directory, id, path), PLUGIN_RECORD_MAX, &text, &length, err);
        if (r < 0)
                return r;
        r = json_parse(arena, text, length, &options, &document, err);
        if (r < 0)
                return err_wrap(err, r, "%s", path);
        record.id = arena_strdup(arena, id);
        record.netns = value_string_or(value_get(document, "netns"), "");
        record.interface = value_string_or(value_get(document, "ifName"), "eth0");
        record.arguments = read_arguments(value_get(document, "cniArgs"), arena);
        record.capabilities = value_get(document, "capabilityArgs");
        record.result = value_get(document, "result");
        if (!record.id || !record.arguments)
                return err_errno(err, ENOMEM, "%s", path);
        r = read_conflist(path, document, &record.conflist, err);
        if (r < 0)
                return r;
        *ret_record = record;
        return 0;
}

int cni_plugin_record_remove(const char *directory, const char *id, struct err **err) {
        char path[PATH_MAX];

        if (unlink(path_of(directory, id, path)) < 0 && errno != ENOENT)
                return err_errno(err, errno, "%s", path);
        return 0;
}

int cni_plugin_record_for_each(const char *directory, int (*each)(const char *id, void *data), void *data,
                               struct err **err) {
        _cleanup_closedir_ DIR *dir = opendir(directory);
        const struct dirent *entry;
        int r = 0;

        if (!dir)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s", directory);
        while (r >= 0 && (entry = readdir(dir))) {
                size_t n = strlen(entry->d_name), end = n - (sizeof(suffix) - 1);
                char id[NAME_MAX + 1];

                if (n < sizeof(suffix) || entry->d_name[0] == '.' || strcmp(entry->d_name + end, suffix) != 0)
                        continue;
                memcpy(id, entry->d_name, end);
                id[end] = '\0';
                r = each(id, data);
        }
        return r < 0 ? r : 0;
}

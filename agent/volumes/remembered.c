#include "agent/volumes/remembered.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config/options.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

/* The two files: what is in each, and where. */
static const struct remembered_file {
        enum pod_object_kind kind;
        const char *member;
} both[] = {
        { POD_CONFIG_MAP, "configMaps" },
        { POD_SECRET, "secrets" },
};

static char *path_of(const struct options *options, const char *uid, enum pod_object_kind kind) {
        char *path = NULL;
        int n = kind == POD_SECRET ? asprintf(&path, "%s/sources/%s", options->run_dir, uid) :
                                     asprintf(&path, "%s/pods/%s/sources", options->root_dir, uid);

        return n < 0 ? NULL : path;
}

/* -- write ------------------------------------------------------------------------------------------------- */

static void write_encoded(struct json_writer *w, const struct pod_object_key *key) {
        _cleanup_free_ char *text = malloc(BASE64_LENGTH(key->length) + 1);

        if (!text)
                return json_writer_fail(w, -ENOMEM);
        base64_encode(key->data, key->length, text);
        json_string(w, text);
}

/* Either those that are text in the API's object, or those that are not. */
static void write_keys(struct json_writer *w, const struct pod_object *object, enum pod_object_kind kind, bool binary) {
        json_key(w, binary ? "binaryData" : "data");
        json_begin_map(w);
        for (size_t i = 0; i < object->n_keys; i++) {
                const struct pod_object_key *key = &object->keys[i];

                if (key->binary != binary)
                        continue;
                json_key(w, key->key);
                if (binary || kind == POD_SECRET)
                        write_encoded(w, key);
                else
                        json_string_length(w, key->data, key->length);
        }
        json_end_map(w);
}

static size_t write_objects(struct json_writer *w, const struct pod_sources *sources,
                            const struct remembered_file *file) {
        size_t n = 0;

        json_key(w, file->member);
        json_begin_map(w);
        for (size_t i = 0; i < sources->n_objects; i++) {
                const struct pod_source *source = &sources->objects[i];

                if (source->kind != file->kind || source->state != POD_SOURCE_THERE)
                        continue;
                json_key(w, source->name);
                json_begin_map(w);
                json_add_string(w, "type", source->object->type);
                write_keys(w, source->object, file->kind, false);
                write_keys(w, source->object, file->kind, true);
                json_end_map(w);
                n++;
        }
        json_end_map(w);
        return n;
}

static void write_services(struct json_writer *w, const string_map *services) {
        json_key(w, "services");
        json_begin_map(w);
        list_for_each (pair, services)
                json_add_string(w, pair->key, pair->value);
        json_end_map(w);
}

static int write_file(const struct pod_files *files, const struct remembered_file *file, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *path = path_of(files->options, files->pod->metadata.uid, file->kind), *text = NULL;
        bool secret = file->kind == POD_SECRET;
        size_t n, length = 0;

        json_begin_map(&w);
        n = write_objects(&w, files->facts.sources, file);
        if (!secret)
                write_services(&w, files->facts.services);
        json_end_map(&w);
        if (!path || json_writer_finish(&w, &text, &length) < 0)
                return err_set(err, ENOMEM, "out of memory");
        if (secret && n == 0) {
                unlink(path);
                return 0;
        }
        return files_replace(path, text, length, 0600, err);
}

static bool is_complete(const struct pod_sources *sources) {
        for (size_t i = 0; i < sources->n_objects; i++)
                if (sources->objects[i].state == POD_SOURCE_UNKNOWN)
                        return false;
        return true;
}

static int make_run_directory(const struct options *options, struct err **err) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/sources", options->run_dir) < 0) {
                path = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        return files_make_private(path, err);
}

static int write_all(const struct pod_files *files, struct err **err) {
        int r = make_run_directory(files->options, err);

        for (size_t i = 0; r == 0 && i < ELEMENTS(both); i++)
                r = write_file(files, &both[i], err);
        return r;
}

void remembered_write(const struct pod_files *files) {
        _cleanup_err_ struct err *err = NULL;

        if (!files->facts.sources || !files->facts.services || !is_complete(files->facts.sources))
                return;
        if (write_all(files, &err) < 0)
                log_warning(
                        "pod %s/%s: its ConfigMaps and Secrets are not kept for a start without the API service: %s",
                        files->pod->metadata.namespace, files->pod->metadata.name, err_text(err));
}

void remembered_remove(const struct pod_files *files) {
        _cleanup_free_ char *path = path_of(files->options, files->pod->metadata.uid, POD_SECRET);

        if (path)
                unlink(path);
}

/* -- read -------------------------------------------------------------------------------------------------- */

/* NULL in *@ret_tree: there is no such file. */
static int read_tree(struct arena *arena, const char *path, const struct value **ret_tree, struct err **err) {
        const struct value_options how = { .bytes_max = REMEMBERED_BYTES_MAX };
        _cleanup_free_ char *text = NULL;
        size_t length = 0;
        int r;

        *ret_tree = NULL;
        if (access(path, F_OK) < 0)
                return 0;
        r = files_read(path, REMEMBERED_BYTES_MAX, &text, &length, err);
        return r < 0 ? r : json_parse(arena, text, length, &how, ret_tree, err);
}

static int take_objects(struct pod_sources *sources, const struct value *map, enum pod_object_kind kind) {
        for (uint32_t i = 0; i < value_count(map); i++) {
                struct pod_source *source = &sources->objects[sources->n_objects];

                *source = (struct pod_source){ .kind = kind,
                                               .state = POD_SOURCE_THERE,
                                               .name = arena_strdup(sources->arena, map->members[i].key) };
                if (!source->name)
                        return -ENOMEM;
                if (pod_object_read(kind, &map->members[i].value, &source->object, NULL) == 0)
                        sources->n_objects++;
        }
        return 0;
}

static int take_services(struct pod_sources *sources, const struct value *map) {
        string_map *services = &sources->services;

        if (!(services->items = arena_alloc_array(sources->arena, value_count(map) + 1, sizeof(*services->items))))
                return -ENOMEM;
        for (uint32_t i = 0; i < value_count(map); i++) {
                struct string_pair *pair = &services->items[services->count++];

                pair->key = arena_strdup(sources->arena, map->members[i].key);
                pair->value = arena_strdup(sources->arena, value_string_or(&map->members[i].value, ""));
                if (!pair->key || !pair->value)
                        return -ENOMEM;
        }
        return 0;
}

static int make_sources(const struct value *const trees[ELEMENTS(both)], struct pod_sources **ret_sources) {
        struct pod_sources *sources;
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(both); i++)
                n += value_count(value_get(trees[i], both[i].member));
        if (!(sources = pod_sources_new(n, 0)))
                return -ENOMEM;
        sources->n_objects = 0; /* counted as they come */
        for (size_t i = 0; r == 0 && i < ELEMENTS(both); i++)
                r = take_objects(sources, value_get(trees[i], both[i].member), both[i].kind);
        if (r == 0)
                r = take_services(sources, value_get(trees[POD_CONFIG_MAP], "services"));
        *ret_sources = r == 0 ? sources : pod_sources_unref(sources);
        return r;
}

int remembered_read(const struct options *options, const char *uid, struct pod_sources **ret_sources) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *trees[ELEMENTS(both)] = { NULL };

        *ret_sources = NULL;
        if (!arena)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTS(both); i++) {
                _cleanup_free_ char *path = path_of(options, uid, both[i].kind);
                _cleanup_err_ struct err *err = NULL;

                if (!path)
                        return -ENOMEM;
                if (read_tree(arena, path, &trees[both[i].kind], &err) < 0)
                        log_warning("going on without what was kept of a pod's ConfigMaps and Secrets: %s",
                                    err_text(err));
        }
        return trees[POD_CONFIG_MAP] ? make_sources(trees, ret_sources) : 0;
}

/* config.dump and spec.dump: https://github.com/checkpoint-restore/checkpointctl, lib/metadata.go. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cgroups/cgroup.h"
#include "cri/checkpoint/checkpoint.h"
#include "cri/container/seccomp.h"
#include "cri/container/spec.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "runtime/delegate/delegate.h"

static void add_time(struct json_writer *w, const char *key, int64_t ns) {
        time_t seconds = ns / 1000000000;
        char text[48], stamp[32];
        struct tm utc;

        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
        snprintf(text, sizeof(text), "%s.%09dZ", stamp, (int)(ns % 1000000000));
        json_add_string(w, key, text);
}

int checkpoint_config(const struct cri_container *container, char **ret_text, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        const Cri__ContainerConfig *config = container->config;
        const char *handler = container->sandbox->record->runtime_handler;

        json_begin_map(&w);
        json_add_string(&w, "id", container->id);
        json_add_string(&w, "name", config->metadata->name);
        json_add_string(&w, "rootfsImage", container->record->image_id);
        json_add_string(&w, "rootfsImageRef", container->record->image_ref);
        json_add_string(&w, "rootfsImageName",
                        config->image && !text_empty(config->image->user_specified_image) ?
                                config->image->user_specified_image :
                        config->image ? config->image->image :
                                        "");
        json_add_string(&w, "runtime", text_empty(handler) ? CRI_RUNTIME_NAME : handler);
        add_time(&w, "createdTime", container->record->created_at);
        add_time(&w, "checkpointedTime", cri_now());
        json_add_string(&w, "restoredTime", "0001-01-01T00:00:00Z");
        json_add_bool(&w, "restored", false);
        json_end_map(&w);
        return json_writer_finish(&w, ret_text, NULL) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

/* As containerd calls them. */
static void add_annotations(struct json_writer *w, const struct cri_container *container) {
        const Cri__PodSandboxMetadata *pod = container->sandbox->config->metadata;

        json_key(w, "annotations");
        json_begin_map(w);
        json_add_string(w, "io.kubernetes.cri.container-type", "container");
        json_add_string(w, "io.kubernetes.cri.container-name", container->config->metadata->name);
        json_add_string(w, "io.kubernetes.cri.image-name",
                        container->config->image ? container->config->image->image : "");
        json_add_string(w, "io.kubernetes.cri.sandbox-id", container->sandbox->id);
        json_add_string(w, "io.kubernetes.cri.sandbox-name", pod->name);
        json_add_string(w, "io.kubernetes.cri.sandbox-namespace", pod->namespace_);
        json_add_string(w, "io.kubernetes.cri.sandbox-uid", pod->uid);
        json_end_map(w);
}

static int add_to_document(const struct cri_container *container, struct arena *arena, const char *document,
                           char **ret_text, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        const struct value *json;
        int r = json_parse(arena, document, strlen(document), NULL, &json, err);

        if (r < 0)
                return r;
        json_begin_map(&w);
        for (uint32_t i = 0; i < value_count(json); i++) {
                json_key(&w, json->members[i].key);
                json_value(&w, &json->members[i].value);
        }
        add_annotations(&w, container);
        json_end_map(&w);
        return json_writer_finish(&w, ret_text, NULL) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

static int make_config(struct cri_container *container, struct arena *arena, struct container_spec *spec,
                       struct delegate_spec *delegate, char **ret_document, struct err **err) {
        struct cgroup_device *rules = NULL;
        const char *const *sources;
        int r;

        if ((r = spec_fill_devices(container, arena, spec, &rules, &delegate->n_rules, err)) < 0)
                return r;
        r = seccomp_choose_oci(container, spec->process.capabilities.bounding, arena, &delegate->seccomp, err);
        if (r < 0)
                return r;
        delegate->rules = rules;
        spec->delegate = delegate;
        sources = arena_alloc_array(arena, spec->n_mounts + 1, sizeof(*sources));
        return sources ? delegate_config(spec, NULL, sources, ret_document, err) :
                         err_set(err, ENOMEM, "out of memory");
}

int checkpoint_spec(struct cri_container *container, struct arena *arena, char **ret_text, struct err **err) {
        char *cgroup = arena_alloc(arena, CGROUP_PATH_MAX);
        struct delegate_spec delegate = { .path = "", .cgroup = cgroup };
        _cleanup_free_ char *document = NULL;
        struct container_spec spec;
        int r = cgroup ? cgroup_full_path(container->sandbox->cri->cgroups, container->cgroup, cgroup, err) :
                         err_set(err, ENOMEM, "out of memory");

        if (r < 0)
                return r;
        r = spec_fill(container, arena, &spec, err);
        if (r >= 0)
                r = make_config(container, arena, &spec, &delegate, &document, err);
        spec_close(&spec);
        return r < 0 ? r : add_to_document(container, arena, document, ret_text, err);
}

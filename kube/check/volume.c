#include <stdio.h>
#include <string.h>

#include "kube/check/check.h"
#include "kube/type.h"
#include "lib/cleanup.h"

#define MODE_TEXT "must be a number between 0 and 0777 (octal), both inclusive"
#define PROJECTED_PATHS_MAX 100 /* paths compared pairwise in a projected volume */

static void check_mode(struct check *c, const char *child, const struct opt_int *mode) {
        if (mode->set && (mode->value < 0 || mode->value > 0777))
                check_invalid_int(c, child, mode->value, MODE_TEXT);
}

/* A path inside the volume; names beginning with ".." are the atomic writer's own. */
static void check_file_path(struct check *c, const char *path) {
        if (!path) {
                check_required(c, ".path", "");
                return;
        }
        check_relative(c, ".path", path);
        if (strncmp(path, "..", 2) == 0 && path[2] != '/' && path[2] != '\0')
                check_invalid(c, ".path", path, "must not start with '..'");
}

static void check_downward_file(struct check *c, const struct kube_downward_api_volume_file *file) {
        check_file_path(c, file->path);
        if (file->field_ref && file->resource_field_ref)
                check_invalid(c, "", "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
        if (!file->field_ref && !file->resource_field_ref)
                check_required(c, "", "one of fieldRef and resourceFieldRef is required");
        check_field_ref(c, file->field_ref, true);
        check_resource_ref(c, file->resource_field_ref, true);
        check_mode(c, ".mode", &file->mode);
}

static void check_downward_files(struct check *c, const kube_downward_api_volume_file_items *files) {
        for (uint32_t i = 0; i < files->count; i++) {
                size_t before = TRAIL_ENTER(c, ".items[%u]", i);

                check_downward_file(c, &files->items[i]);
                TRAIL_LEAVE(c, before);
        }
}

static void check_keys(struct check *c, const kube_key_to_path_items *keys) {
        for (uint32_t i = 0; i < keys->count; i++) {
                const struct kube_key_to_path *item = &keys->items[i];
                size_t before = TRAIL_ENTER(c, ".items[%u]", i);

                if (!item->key)
                        check_required(c, ".key", "");
                check_file_path(c, item->path);
                check_mode(c, ".mode", &item->mode);
                TRAIL_LEAVE(c, before);
        }
}

/* The keys of the ConfigMap or Secret that is called @name in the field @child. */
static void check_named_keys(struct check *c, const char *child, const char *name, const kube_key_to_path_items *keys) {
        if (!name)
                check_required(c, child, "");
        check_keys(c, keys);
}

static void check_projection(struct check *c, const struct kube_volume_projection *source) {
        unsigned n = !!source->downward_api + !!source->config_map + !!source->secret +
                     !!source->service_account_token + !!source->cluster_trust_bundle + !!source->pod_certificate;
        size_t before;

        if (n > 1)
                check_forbidden(c, "", "may not specify more than 1 volume type per source");
        if (n == 0)
                check_required(c, "",
                               "must specify one of `clusterTrustBundle`, `configMap`, `downwardAPI`, "
                               "`podCertificate`, `secret` or `serviceAccountToken`");
        if (source->downward_api) {
                before = TRAIL_ENTER(c, ".downwardAPI");
                check_downward_files(c, &source->downward_api->items);
                TRAIL_LEAVE(c, before);
        }
        if (source->config_map) {
                before = TRAIL_ENTER(c, ".configMap");
                check_named_keys(c, ".name", source->config_map->name, &source->config_map->items);
                TRAIL_LEAVE(c, before);
        }
        if (source->secret) {
                before = TRAIL_ENTER(c, ".secret");
                check_named_keys(c, ".name", source->secret->name, &source->secret->items);
                TRAIL_LEAVE(c, before);
        }
}

/* The paths of all files that the volume will hold, from downward API sources, are different ones. */
static void check_projected_paths(struct check *c, const struct kube_projected_volume_source *projected) {
        const char *seen[PROJECTED_PATHS_MAX];
        size_t n = 0;

        list_for_each (source, &projected->sources) {
                if (!source->downward_api)
                        continue;
                list_for_each (file, &source->downward_api->items) {
                        for (size_t i = 0; i < n && file->path; i++)
                                if (strcmp(seen[i], file->path) == 0)
                                        check_invalid(c, "", file->path, "conflicting duplicate paths");
                        if (file->path && n < PROJECTED_PATHS_MAX)
                                seen[n++] = file->path;
                }
        }
}

static void check_projected(struct check *c, const struct kube_volume *v) {
        const struct kube_projected_volume_source *projected = v->projected;

        check_mode(c, ".defaultMode", &projected->default_mode);
        for (uint32_t i = 0; i < projected->sources.count; i++) {
                size_t before = TRAIL_ENTER(c, ".sources[%u]", i);

                check_projection(c, &projected->sources.items[i]);
                TRAIL_LEAVE(c, before);
        }
        check_projected_paths(c, projected);
}

static void check_empty_dir(struct check *c, const struct kube_volume *v) {
        if (quantity_sign(v->empty_dir->size_limit.amount) < 0)
                check_forbidden(c, ".sizeLimit", "SizeLimit field must be a valid resource quantity");
}

static void check_host_path(struct check *c, const struct kube_volume *v) {
        static const char *const types[] = { "",     "BlockDevice",  "CharDevice", "Directory", "DirectoryOrCreate",
                                             "File", "FileOrCreate", "Socket",     NULL };

        if (!v->host_path->path)
                check_required(c, ".path", "");
        else
                check_no_backsteps(c, ".path", v->host_path->path);
        check_choice(c, ".type", v->host_path->type, types);
}

static void check_image(struct check *c, const struct kube_volume *v) {
        if (!v->image->reference)
                check_required(c, ".reference", "");
        check_choice(c, ".pullPolicy", v->image->pull_policy, check_pull_policies);
}

static void check_downward(struct check *c, const struct kube_volume *v) {
        check_mode(c, ".defaultMode", &v->downward_api->default_mode);
        check_downward_files(c, &v->downward_api->items);
}

static void check_config_map(struct check *c, const struct kube_volume *v) {
        check_mode(c, ".defaultMode", &v->config_map->default_mode);
        check_named_keys(c, ".name", v->config_map->name, &v->config_map->items);
}

static void check_secret(struct check *c, const struct kube_volume *v) {
        check_mode(c, ".defaultMode", &v->secret->default_mode);
        check_named_keys(c, ".secretName", v->secret->secret_name, &v->secret->items);
}

static void check_claim(struct check *c, const struct kube_volume *v) {
        if (!v->persistent_volume_claim->claim_name)
                check_required(c, ".claimName", "");
}

/* In the order in which the API server looks at them. */
static const struct source {
        const char *name;
        void (*check)(struct check *c, const struct kube_volume *volume);
} sources[] = {
        { "emptyDir", check_empty_dir },          { "hostPath", check_host_path },   { "secret", check_secret },
        { "persistentVolumeClaim", check_claim }, { "downwardAPI", check_downward }, { "configMap", check_config_map },
        { "projected", check_projected },         { "image", check_image },
};

static bool is_other(const struct kube_field *field) {
        for (size_t i = 0; i < ELEMENTS(sources); i++)
                if (strcmp(sources[i].name, field->name) == 0)
                        return false;
        return true;
}

static void check_others(struct check *c, const struct kube_volume *v, bool one) {
        for (size_t i = 0; i < kube_volume_type.n_fields; i++) {
                const struct kube_field *field = &kube_volume_type.fields[i];
                size_t before;

                if (!field->type || !kube_below(field, v) || !is_other(field))
                        continue;
                before = TRAIL_ENTER(c, ".%s", field->name);
                if (one) {
                        check_forbidden(c, "", "may not specify more than 1 volume type");
                } else {
                        problem_warning(c->problems, c->path,
                                        "volumes of type %s are not supported; the pod will not start", field->name);
                        check_other_volume(c, v, field);
                }
                one = true;
                TRAIL_LEAVE(c, before);
        }
}

/* One source only: the second and all further ones are named. */
static void check_sources(struct check *c, const struct kube_volume *v) {
        bool one = false;

        for (size_t i = 0; i < ELEMENTS(sources); i++) {
                const char *name = sources[i].name;
                size_t before;

                if (!kube_below(kube_type_field(&kube_volume_type, name, strlen(name)), v))
                        continue;
                before = TRAIL_ENTER(c, ".%s", name);
                if (one)
                        check_forbidden(c, "", "may not specify more than 1 volume type");
                else
                        sources[i].check(c, v);
                one = true;
                TRAIL_LEAVE(c, before);
        }
        check_others(c, v, one);
}

void check_volumes(struct check *c) {
        const kube_volume_items *volumes = &c->pod->spec.volumes;

        for (uint32_t i = 0; i < volumes->count; i++) {
                const struct kube_volume *v = &volumes->items[i];
                size_t before = TRAIL_ENTER(c, ".volumes[%u]", i);

                check_name(c, ".name", NAME_LABEL, v->name);
                for (uint32_t j = 0; j < i && v->name; j++)
                        if (volumes->items[j].name && strcmp(volumes->items[j].name, v->name) == 0) {
                                check_duplicate(c, ".name", v->name);
                                break;
                        }
                check_sources(c, v);
                TRAIL_LEAVE(c, before);
        }
}

bool check_has_volume(const struct check *c, const char *name) {
        return name && pod_find_volume(c->pod, name);
}

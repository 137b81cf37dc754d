#include <stdio.h>
#include <string.h>

#include "kube/check.h"
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

static void check_downward(struct check *c, const struct pod_downward *downward) {
        check_mode(c, ".defaultMode", &downward->default_mode);
        for (uint32_t i = 0; i < downward->items.count; i++) {
                size_t before = TRAIL_ENTER(c, ".items[%u]", i);

                check_downward_file(c, &downward->items.items[i]);
                TRAIL_LEAVE(c, before);
        }
}

static void check_keys(struct check *c, const struct pod_keys *keys, const char *name_field) {
        if (!keys->name)
                check_required(c, name_field, "");
        check_mode(c, ".defaultMode", &keys->default_mode);
        for (uint32_t i = 0; i < keys->items.count; i++) {
                const struct kube_key_to_path *item = &keys->items.items[i];
                size_t before = TRAIL_ENTER(c, ".items[%u]", i);

                if (!item->key)
                        check_required(c, ".key", "");
                check_file_path(c, item->path);
                check_mode(c, ".mode", &item->mode);
                TRAIL_LEAVE(c, before);
        }
}

static void check_projection(struct check *c, const struct pod_projection *source) {
        unsigned n = !!source->downward_api + !!source->config_map + !!source->secret + !!source->other.name;
        size_t before;

        if (n > 1)
                check_forbidden(c, "", "may not specify more than 1 volume type per source");
        if (n == 0)
                check_required(c, "",
                               "must specify one of `clusterTrustBundle`, `configMap`, `downwardAPI`, "
                               "`podCertificate`, `secret` or `serviceAccountToken`");
        if (source->downward_api) {
                before = TRAIL_ENTER(c, ".downwardAPI");
                check_downward(c, source->downward_api);
                TRAIL_LEAVE(c, before);
        }
        if (source->config_map || source->secret) {
                before = TRAIL_ENTER(c, "%s", source->config_map ? ".configMap" : ".secret");
                check_keys(c, source->config_map ?: source->secret, ".name");
                TRAIL_LEAVE(c, before);
        }
}

/* The paths of all files that the volume will hold, from downward API sources, are different ones. */
static void check_projected_paths(struct check *c, const struct pod_projected *projected) {
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

static void check_projected(struct check *c, const struct pod_projected *projected) {
        check_mode(c, ".defaultMode", &projected->default_mode);
        for (uint32_t i = 0; i < projected->sources.count; i++) {
                size_t before = TRAIL_ENTER(c, ".sources[%u]", i);

                check_projection(c, &projected->sources.items[i]);
                TRAIL_LEAVE(c, before);
        }
        check_projected_paths(c, projected);
}

static void check_source(struct check *c, const struct pod_volume *v) {
        size_t before;

        if (v->empty_dir && quantity_sign(v->empty_dir->size_limit.amount) < 0)
                check_forbidden(c, ".emptyDir.sizeLimit", "SizeLimit field must be a valid resource quantity");
        if (v->host_path && !v->host_path->path)
                check_required(c, ".hostPath.path", "");
        else if (v->host_path)
                check_no_backsteps(c, ".hostPath.path", v->host_path->path);
        if (v->image && !v->image->reference)
                check_required(c, ".image.reference", "");
        if (v->persistent_volume_claim && !v->persistent_volume_claim->claim_name)
                check_required(c, ".persistentVolumeClaim.claimName", "");
        if (v->downward_api) {
                before = TRAIL_ENTER(c, ".downwardAPI");
                check_downward(c, v->downward_api);
                TRAIL_LEAVE(c, before);
        }
        if (v->projected) {
                before = TRAIL_ENTER(c, ".projected");
                check_projected(c, v->projected);
                TRAIL_LEAVE(c, before);
        }
        if (v->config_map || v->secret) {
                before = TRAIL_ENTER(c, "%s", v->config_map ? ".configMap" : ".secret");
                check_keys(c, v->config_map ?: v->secret, v->config_map ? ".name" : ".secretName");
                TRAIL_LEAVE(c, before);
        }
}

/* One source only; the second is named, in the order of the API's type. */
static void check_one_source(struct check *c, const struct pod_volume *v) {
        const struct {
                const char *name;
                bool given;
        } sources[] = {
                { ".emptyDir", v->empty_dir },
                { ".hostPath", v->host_path },
                { ".secret", v->secret },
                { ".persistentVolumeClaim", v->persistent_volume_claim },
                { ".downwardAPI", v->downward_api },
                { ".configMap", v->config_map },
                { ".projected", v->projected },
                { ".image", v->image },
        };
        char other[64] = "";
        bool one = false;

        for (size_t i = 0; i < ELEMENTS(sources); i++) {
                if (sources[i].given && one)
                        check_forbidden(c, sources[i].name, "may not specify more than 1 volume type");
                one |= sources[i].given;
        }
        if (!v->other.name)
                return;
        snprintf(other, sizeof(other), ".%s", v->other.name);
        if (one)
                check_forbidden(c, other, "may not specify more than 1 volume type");
        else
                problem_warning(c->problems, c->path, "volumes of type %s are not supported; the pod will not start",
                                v->other.name);
        check_other_volume(c, &v->other);
}

void check_volumes(struct check *c) {
        const __typeof__(c->pod->spec.volumes) *volumes = &c->pod->spec.volumes;

        for (uint32_t i = 0; i < volumes->count; i++) {
                const struct pod_volume *v = &volumes->items[i];
                size_t before = TRAIL_ENTER(c, ".volumes[%u]", i);

                check_name(c, ".name", NAME_LABEL, v->name);
                for (uint32_t j = 0; j < i && v->name; j++)
                        if (volumes->items[j].name && strcmp(volumes->items[j].name, v->name) == 0) {
                                check_duplicate(c, ".name", v->name);
                                break;
                        }
                check_one_source(c, v);
                check_source(c, v);
                TRAIL_LEAVE(c, before);
        }
}

bool check_has_volume(const struct check *c, const char *name) {
        return name && pod_find_volume(c->pod, name);
}

/* Files of a volume that hide each other (warningsForOverlappingVirtualPaths in k8s.io/kubernetes/pkg/api/pod): one is
 * another's, or a folder on its way. */
#include <string.h>

#include "kube/validate/warnings.h"

struct file {
        const char *path;
        size_t length;      /* without slashes at its end */
        const char *source; /* NULL: the volume is its only one */
};

struct files {
        struct file *items;
        uint32_t count;
        const char *volume, *kind; /* ConfigMap "name" */
        uint32_t comparisons;
};

/* The volume is told of as Go's %q would. */
static const char *quoted(struct validation *v, const char *text) {
        return validate_quoted(v, text ?: "");
}

static const char *file_text(struct validation *v, const struct file *file) {
        const char *path = quoted(v, validate_copy(v, file->path, file->length));

        return file->source ? validate_key(v, "%s (%s)", path, file->source) : path;
}

/* One is the other, or a folder that the other is in. */
static bool overlap(const struct file *a, const struct file *b) {
        size_t n = a->length < b->length ? a->length : b->length;

        return n > 0 && memcmp(a->path, b->path, n) == 0 &&
               (a->length == b->length || (a->length > n ? a->path[n] : b->path[n]) == '/');
}

static void add(struct validation *v, struct files *files, const char *path, const char *source) {
        struct file file = { path ?: "", strlen(path ?: ""), source };

        while (file.length > 0 && file.path[file.length - 1] == '/')
                file.length--;
        for (uint32_t i = 0; i < files->count && files->comparisons < WARN_COMPARISONS_MAX; i++) {
                files->comparisons++;
                if (overlap(&files->items[i], &file) && !validate_has_warned(v))
                        validate_warn(v, NULL, "volume %s (%s): overlapping paths: %s with %s",
                                      quoted(v, files->volume), files->kind, file_text(v, &file),
                                      file_text(v, &files->items[i]));
        }
        files->items[files->count++] = file;
}

static void add_keys(struct validation *v, struct files *files, const kube_key_to_path_items *keys,
                     const char *source) {
        for (uint32_t i = 0; i < keys->count; i++)
                add(v, files, keys->items[i].path, source);
}

static void add_downward(struct validation *v, struct files *files, const kube_downward_api_volume_file_items *items,
                         const char *source) {
        for (uint32_t i = 0; i < items->count; i++)
                add(v, files, items->items[i].path, source);
}

static void warn_of(struct validation *v, const char *volume, const char *kind, const kube_key_to_path_items *keys) {
        struct files files = { .volume = volume, .kind = kind };

        files.items = validate_alloc(v, keys->count, sizeof(*files.items));
        if (files.items)
                add_keys(v, &files, keys, NULL);
}

/* --- projected volumes --- */

#define OF_CERTIFICATE 3 /* paths a certificate can have */

static size_t count_paths(const struct kube_projected_volume_source *projected) {
        size_t n = 0;

        for (uint32_t i = 0; i < projected->sources.count; i++) {
                const struct kube_volume_projection *s = &projected->sources.items[i];

                n += (s->config_map ? s->config_map->items.count : 0) + (s->secret ? s->secret->items.count : 0) +
                     (s->downward_api ? s->downward_api->items.count : 0) + OF_CERTIFICATE;
        }
        return n;
}

static void add_given(struct validation *v, struct files *files, const char *path, const char *source) {
        if (path && *path)
                add(v, files, path, source);
}

static void add_certificate(struct validation *v, struct files *files,
                            const struct kube_pod_certificate_projection *c) {
        add_given(v, files, c->certificate_chain_path, "PodCertificate chain");
        add_given(v, files, c->key_path, "PodCertificate key");
        add_given(v, files, c->credential_bundle_path, "PodCertificate credential bundle");
}

static void add_source(struct validation *v, struct files *files, const struct kube_volume_projection *s) {
        if (s->config_map && s->config_map->items.items)
                add_keys(v, files, &s->config_map->items,
                         validate_key(v, "ConfigMap %s", quoted(v, s->config_map->name)));
        else if (s->secret && s->secret->items.items)
                add_keys(v, files, &s->secret->items, validate_key(v, "Secret %s", quoted(v, s->secret->name)));
        else if (s->downward_api && s->downward_api->items.items)
                add_downward(v, files, &s->downward_api->items, "DownwardAPI");
        else if (s->service_account_token)
                add(v, files, s->service_account_token->path, "ServiceAccountToken");
        else if (s->cluster_trust_bundle)
                add(v, files, s->cluster_trust_bundle->path,
                    validate_key(v, "ClusterTrustBundle %s",
                                 quoted(v, s->cluster_trust_bundle->name ?: s->cluster_trust_bundle->signer_name)));
        else if (s->pod_certificate)
                add_certificate(v, files, s->pod_certificate);
}

static bool is_empty(const struct kube_volume_projection *s) {
        return !s->config_map && !s->secret && !s->downward_api && !s->service_account_token &&
               !s->cluster_trust_bundle && !s->pod_certificate;
}

static void warn_of_projected(struct validation *v, const struct kube_volume *volume) {
        struct files files = { .volume = volume->name, .kind = "Projected" };

        files.items = validate_alloc(v, count_paths(volume->projected), sizeof(*files.items));
        if (!files.items)
                return;
        for (uint32_t i = 0; i < volume->projected->sources.count; i++) {
                const struct kube_volume_projection *source = &volume->projected->sources.items[i];

                if (is_empty(source))
                        validate_warn(v, NULL, "volume %s (Projected) has no sources provided",
                                      quoted(v, volume->name));
                else
                        add_source(v, &files, source);
        }
}

static void warn_of_downward(struct validation *v, const struct kube_volume *volume) {
        const kube_downward_api_volume_file_items *items = &volume->downward_api->items;
        struct files files = { .volume = volume->name, .kind = "DownwardAPI" };

        files.items = validate_alloc(v, items->count, sizeof(*files.items));
        if (files.items)
                add_downward(v, &files, items, NULL);
}

void validate_warn_paths(struct validation *v, const struct kube_volume *volume) {
        if (volume->config_map && volume->config_map->items.count > 0)
                warn_of(v, volume->name, validate_key(v, "ConfigMap %s", quoted(v, volume->config_map->name)),
                        &volume->config_map->items);
        if (volume->secret && volume->secret->items.count > 0)
                warn_of(v, volume->name, validate_key(v, "Secret %s", quoted(v, volume->secret->secret_name)),
                        &volume->secret->items);
        if (volume->downward_api && volume->downward_api->items.count > 0)
                warn_of_downward(v, volume);
        if (volume->projected && volume->projected->sources.count > 0)
                warn_of_projected(v, volume);
}

#include "images/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/document.h"
#include "images/image.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/value.h"

/* Copies a text of bounded length; what is longer counts as not there, for no name we know is. */
static void copy_text(const struct value *value, char *to, size_t size) {
        const char *text = value_string_or(value, "");

        if (strlen(text) < size)
                strcpy(to, text);
}

static int read_descriptor(const struct value *value, const char *what, struct descriptor *ret, struct err **err) {
        const char *digest = value_string(value_get(value, "digest"));
        int64_t size;

        if (!value_is(value, VALUE_MAP))
                return err_set(err, EINVAL, "%s is %s, not a descriptor", what, value_kind_name(value));
        if (!digest || !image_digest_valid(digest))
                return err_set(err, EINVAL, "%s: digest \"%.100s\" is not sha256: and 64 hex digits", what,
                               digest ?: "");
        if (!value_integer(value_get(value, "size"), &size) || size < 0)
                return err_set(err, EINVAL, "%s: size is missing or no number of bytes", what);
        copy_text(value_get(value, "mediaType"), ret->media_type, sizeof(ret->media_type));
        strcpy(ret->digest, digest);
        ret->size = (uint64_t)size;
        return 0;
}

static const char *entry_name(const struct value *entry) {
        const struct value *notes = value_get(entry, "annotations");

        return value_string(value_get(notes, "io.containerd.image.name")) ?:
                       value_string(value_get(notes, "org.opencontainers.image.ref.name"));
}

static int read_entries(const struct value *list, struct manifest *m, struct err **err) {
        uint32_t n = value_count(list);

        if (!value_is(list, VALUE_LIST))
                return err_set(err, EINVAL, "manifests is %s, not a list", value_kind_name(list));
        if (n > MANIFEST_INDEX_MAX)
                return err_set(err, E2BIG, "an index of %u manifests; at most %d are read", n, MANIFEST_INDEX_MAX);
        m->entries = calloc(n + 1, sizeof(*m->entries));
        if (!m->entries)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < n; i++) {
                const struct value *item = value_at(list, i), *platform = value_get(item, "platform");
                struct manifest_entry *e = &m->entries[i];
                char what[32];
                int r;

                snprintf(what, sizeof(what), "manifests[%u]", i);
                r = read_descriptor(item, what, &e->descriptor, err);
                if (r < 0)
                        return r;
                copy_text(value_get(platform, "os"), e->platform.os, sizeof(e->platform.os));
                copy_text(value_get(platform, "architecture"), e->platform.architecture,
                          sizeof(e->platform.architecture));
                copy_text(value_get(platform, "variant"), e->platform.variant, sizeof(e->platform.variant));
                m->n_entries++;
                if (entry_name(item) && !(e->reference = strdup(entry_name(item))))
                        return err_set(err, ENOMEM, "out of memory");
        }
        return 0;
}

static int read_layers(const struct value *list, struct manifest *m, struct err **err) {
        uint32_t n = value_count(list);

        if (!value_is(list, VALUE_LIST))
                return err_set(err, EINVAL, "layers is %s, not a list", value_kind_name(list));
        if (n > IMAGE_LAYERS_MAX)
                return err_set(err, E2BIG, "%u layers; at most %d can be mounted", n, IMAGE_LAYERS_MAX);
        m->layers = calloc(n + 1, sizeof(*m->layers));
        if (!m->layers)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < n; i++) {
                char what[32];
                int r;

                snprintf(what, sizeof(what), "layers[%u]", i);
                r = read_descriptor(value_at(list, i), what, &m->layers[i], err);
                if (r < 0)
                        return r;
                m->n_layers++;
        }
        return 0;
}

static int read_manifest(const struct value *root, void *data, struct err **err) {
        struct manifest *m = data;
        int64_t version;
        int r;

        if (value_get(root, "fsLayers"))
                return err_set(err, EINVAL,
                               "docker's schema 1 is not supported; push the image again with a newer docker");
        if (!value_integer(value_get(root, "schemaVersion"), &version) || version != 2)
                return err_set(err, EINVAL, "schemaVersion is not 2");
        copy_text(value_get(root, "mediaType"), m->media_type, sizeof(m->media_type));
        /* one document must not be both, or two readers could disagree on what it is */
        if (value_get(root, "manifests") && (value_get(root, "layers") || value_get(root, "config")))
                return err_set(err, EINVAL, "it has manifests as an index has, and layers or config as a manifest has");
        if (value_get(root, "manifests"))
                return read_entries(value_get(root, "manifests"), m, err);
        r = read_descriptor(value_get(root, "config"), "config", &m->config, err);
        if (r < 0)
                return r;
        if (m->config.size > IMAGE_CONFIG_SIZE_MAX)
                return err_set(err, E2BIG, "a config of %llu bytes; at most %d are read",
                               (unsigned long long)m->config.size, IMAGE_CONFIG_SIZE_MAX);
        return read_layers(value_get(root, "layers"), m, err);
}

static void clear(void *data) {
        image_manifest_clear(data);
}

int image_manifest_parse(const char *text, size_t n, struct manifest *ret_manifest, struct err **err) {
        static const struct document_kind kind = { "manifest", IMAGE_MANIFEST_SIZE_MAX, read_manifest, clear };
        struct manifest m = { 0 };
        int r = image_document_parse(&kind, text, n, &m, err);

        if (r == 0)
                *ret_manifest = m;
        return r;
}

void image_manifest_clear(struct manifest *m) {
        for (size_t i = 0; i < m->n_entries; i++)
                free(m->entries[i].reference);
        free(m->entries);
        free(m->layers);
        *m = (struct manifest){ .entries = NULL };
}

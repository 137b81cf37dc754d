/* Which documents there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/kinds.h"
#include "kube/openapi/openapi.h"
#include "lib/cleanup.h"
#include "lib/grow.h"
#include "lib/json_writer.h"
#include "lib/sha1.h"

struct index_visit {
        struct json_writer *out;
        const struct kube_registry *registry;
        const struct kube_kind **first; /* of each group version: its first kind */
        size_t n, size;
        int error;
};

static bool is_known(const struct index_visit *visit, const struct kube_kind *kind) {
        for (size_t i = 0; i < visit->n; i++)
                if (strcmp(visit->first[i]->group, kind->group) == 0 &&
                    strcmp(visit->first[i]->version, kind->version) == 0)
                        return true;
        return false;
}

static void note_version(void *data, const struct kube_kind *kind) {
        struct index_visit *visit = data;

        if (!kind->resource || visit->error < 0 || is_known(visit, kind))
                return;
        visit->error = GROW(visit->first, visit->size, visit->n + 1, GROW_NO_MAX);
        if (visit->error == 0)
                visit->first[visit->n++] = kind;
}

static int write_entry(const struct index_visit *visit, const struct kube_kind *kind) {
        _cleanup_json_writer_ struct json_writer document = { .go_escapes = true };
        char path[512], url[640];
        uint8_t digest[20];
        size_t n;
        int r = openapi_write(&document, visit->registry, kind->group, kind->version);

        if (r < 0)
                return r;
        sha1(document.text, document.length, digest);
        snprintf(path, sizeof(path), "%s%s/%s", *kind->group ? "apis/" : "api", kind->group, kind->version);
        n = (size_t)snprintf(url, sizeof(url), "/openapi/v3/%s?hash=", path);
        for (size_t i = 0; i < sizeof(digest); i++)
                snprintf(url + n + 2 * i, 3, "%02X", digest[i]);
        json_key(visit->out, path);
        json_begin_map(visit->out);
        json_add_string(visit->out, "serverRelativeURL", url);
        json_end_map(visit->out);
        return 0;
}

int openapi_write_index(struct json_writer *out, const struct kube_registry *registry) {
        struct index_visit visit = { .out = out, .registry = registry };
        int r;

        kube_registry_each(registry, note_version, &visit);
        json_begin_map(out);
        json_key(out, "paths");
        json_begin_map(out);
        for (size_t i = 0; i < visit.n && visit.error == 0; i++)
                visit.error = write_entry(&visit, visit.first[i]);
        json_end_map(out);
        json_end_map(out);
        free(visit.first);
        r = visit.error;
        if (r < 0)
                json_writer_fail(out, r);
        return out->error;
}

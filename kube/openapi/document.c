#include <errno.h>
#include <string.h>

#include "kube/openapi/internal.h"
#include "kube/openapi/openapi.h"
#include "lib/json_writer.h"

struct visit {
        struct openapi_document *document;
        size_t n;
        bool write;
};

static void visit_kind(void *data, const struct kube_kind *kind) {
        struct visit *visit = data;

        if (!kind->resource || strcmp(kind->group, visit->document->group) != 0 ||
            strcmp(kind->version, visit->document->version) != 0)
                return;
        visit->n++;
        if (visit->write)
                openapi_write_paths(visit->document, kind);
}

int openapi_write(struct json_writer *out, const struct kube_registry *registry, const char *group,
                  const char *version) {
        struct openapi_document document = { .out = out, .registry = registry, .group = group, .version = version };
        struct visit visit = { .document = &document };

        kube_registry_each(registry, visit_kind, &visit);
        if (visit.n == 0)
                return -ENOENT;
        visit.write = true;
        json_begin_map(out);
        json_add_string(out, "openapi", "3.0.0");
        json_key(out, "info");
        json_begin_map(out);
        json_add_string(out, "title", "Kubernetes");
        json_add_string(out, "version", "unversioned");
        json_end_map(out);
        json_key(out, "paths");
        json_begin_map(out);
        openapi_write_root(&document);
        kube_registry_each(registry, visit_kind, &visit);
        json_end_map(out);
        openapi_write_schemas(&document);
        json_end_map(out);
        if (document.types.error < 0)
                json_writer_fail(out, document.types.error);
        openapi_types_done(&document.types);
        return out->error;
}

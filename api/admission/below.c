/* What is created below an object, or for one: bindings, evictions, tokens. These are no objects that are kept, so that
 * the plugins that look at them look at what was sent. */
#include <errno.h>
#include <string.h>

#include "api/admission/admission.h"
#include "api/admission/builtin.h"
#include "api/admission/internal.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static bool is_core(const struct api_request *r, const char *resource, const char *sub) {
        return !*r->kind->group && strcmp(r->kind->resource, resource) == 0 &&
               strcmp(r->sub ? r->sub->name : "", sub) == 0;
}

/* --- PodTopologyLabels: a pod gets its binding's labels, and so those of its node --- */

static int put_labels(struct admission *a, const struct kube_node *node) {
        struct value_edit edit;
        int error = 0;

        value_edit_begin(&edit, a->arena, a->r->sent);
        for (size_t i = 0; error == 0 && i < ELEMENTS(admission_topology_keys); i++) {
                const struct admission_topology_key *key = &admission_topology_keys[i];
                const char *value = string_map_get(&node->metadata.labels, key->label);

                if (value)
                        error = value_edit_set(&edit, key->pointer, &(struct value)VALUE_TEXT(value), NULL);
        }
        a->r->sent = value_edit_end(&edit);
        return error ?: a->r->sent ? 0 : -ENOMEM;
}

static enum api_step label_binding(struct admission *a) {
        const char *kind = value_string_or(value_find(a->r->sent, "target.kind"), ""),
                   *name = value_string_or(value_find(a->r->sent, "target.name"), "");
        const void *node;
        int error;

        if (strcmp(kind, "Node") != 0)
                return API_NEXT;
        error = admission_get(a, "", "nodes", "", name, &node);
        error = error ?: put_labels(a, node);
        return error < 0 && error != -ENOENT ? api_fail(a->r, error, NULL) : API_NEXT;
}

/* --- the stage --- */

enum api_step api_admit_below(struct api_request *r) {
        struct admission a = { .r = r,
                               .config = r->server->config.admission,
                               .arena = r->arena,
                               .operation = ADMISSION_CREATE,
                               .namespace = r->path.namespace ?: "" };
        enum api_step step = API_NEXT;

        if (!r->kind->namespaced || !(r->sub || is_core(r, "bindings", "")))
                return API_NEXT;
        a.name = r->path.name ?: value_string_or(value_find(r->sent, "metadata.name"), "");
        if (admission_is_on(a.config->on, "NamespaceLifecycle"))
                step = admission_namespace(&a);
        if (step == API_NEXT && is_core(r, "pods", "binding") && admission_is_on(a.config->on, "PodTopologyLabels"))
                step = label_binding(&a);
        return step;
}

#include "api/rest/strategy.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "api/server/request.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define POD_GRACE_S 30

static int set(struct value_edit *edit, const char *pointer, struct value value) {
        return value_edit_set(edit, pointer, &value, NULL);
}

/* --- namespaces: their name as a label, and a finalizer of their own that holds them while something is in them --- */

static int label_namespace(struct api_request *r, struct value_edit *edit, const struct value *object) {
        struct value label = VALUE_TEXT(r->name);

        return set(edit, "/metadata/labels/kubernetes.io~1metadata.name", label);
}

static int create_namespace(struct api_request *r, struct value_edit *edit) {
        static const struct value kubernetes = VALUE_TEXT("kubernetes");
        struct value finalizers = { .kind = VALUE_LIST, .count = 1, .items = &kubernetes },
                     active = VALUE_TEXT("Active");

        return set(edit, "/spec/finalizers", finalizers) ?: set(edit, "/status/phase", active);
}

static bool holds_namespace(const struct value *object) {
        return value_count(value_find(object, "spec.finalizers")) > 0;
}

/* --- secrets: stringData is how data may be written, never how it is read --- */

static int shape_secret(struct api_request *r, struct value_edit *edit, const struct value *object) {
        const struct value *texts = value_get(object, "stringData");

        for (uint32_t i = 0; value_is(texts, VALUE_MAP) && i < texts->count; i++) {
                const char *text = value_string_or(&texts->members[i].value, "");
                size_t n = strlen(text);
                char *data = arena_alloc(r->arena, BASE64_LENGTH(n) + 1),
                     *pointer = arena_printf(r->arena, "/data/%s", texts->members[i].key);
                int error;

                if (!data || !pointer)
                        return -ENOMEM;
                base64_encode(text, n, data);
                error = set(edit, pointer, (struct value)VALUE_TEXT(data));
                if (error < 0)
                        return error;
        }
        return texts ? value_edit_remove(edit, "/stringData", NULL) : 0;
}

/* --- pods --- */

static int create_pod(struct api_request *r, struct value_edit *edit) {
        struct value pending = VALUE_TEXT("Pending");

        return set(edit, "/status/phase", pending);
}

/* One that is on no node, or has ended, has nobody to take leave of. */
static int64_t pod_grace(const struct api_request *r, const struct value *object) {
        const char *phase = value_string_or(value_find(object, "status.phase"), "");
        int64_t seconds = POD_GRACE_S;

        if (!*value_string_or(value_find(object, "spec.nodeName"), "") || strcmp(phase, "Succeeded") == 0 ||
            strcmp(phase, "Failed") == 0)
                return 0;
        if (r->options.grace_set)
                return r->options.grace_s < 0 ? 1 : r->options.grace_s;
        value_integer(value_find(object, "spec.terminationGracePeriodSeconds"), &seconds);
        return seconds;
}

/* --- volumes and claims --- */

static int create_pending(struct api_request *r, struct value_edit *edit) {
        struct value pending = VALUE_TEXT("Pending");

        return set(edit, "/status/phase", pending);
}

static const struct api_strategy table[] = {
        { "", "namespaces", 0, label_namespace, create_namespace, holds_namespace, NULL },
        { "", "persistentvolumeclaims", API_RETURNS_DELETED, NULL, create_pending, NULL, NULL },
        { "", "persistentvolumes", API_RETURNS_DELETED, NULL, create_pending, NULL, NULL },
        { "", "pods", API_RETURNS_DELETED | API_GENERATION, NULL, create_pod, NULL, pod_grace },
        { "", "podtemplates", API_RETURNS_DELETED | API_GENERATION, NULL, NULL, NULL, NULL },
        { "", "replicationcontrollers", API_GENERATION, NULL, NULL, NULL, NULL },
        { "", "resourcequotas", API_RETURNS_DELETED, NULL, NULL, NULL, NULL },
        { "", "endpoints", API_CREATES_ON_UPDATE, NULL, NULL, NULL, NULL },
        { "", "events", API_CREATES_ON_UPDATE, NULL, NULL, NULL, NULL },
        { "events.k8s.io", "events", API_CREATES_ON_UPDATE, NULL, NULL, NULL, NULL },
        { "", "limitranges", API_CREATES_ON_UPDATE, NULL, NULL, NULL, NULL },
        { "", "secrets", 0, shape_secret, NULL, NULL, NULL },
        { "", "serviceaccounts", API_RETURNS_DELETED, NULL, NULL, NULL, NULL },
        { "", "services", API_RETURNS_DELETED | API_CREATES_ON_UPDATE, NULL, NULL, NULL, NULL },
        { "admissionregistration.k8s.io", "mutatingwebhookconfigurations", API_GENERATION | API_CONDITIONAL, NULL, NULL,
          NULL, NULL },
        { "admissionregistration.k8s.io", "validatingadmissionpolicies", API_GENERATION | API_CONDITIONAL, NULL, NULL,
          NULL, NULL },
        { "admissionregistration.k8s.io", "validatingadmissionpolicybindings", API_GENERATION | API_CONDITIONAL, NULL,
          NULL, NULL, NULL },
        { "admissionregistration.k8s.io", "mutatingadmissionpolicies", API_GENERATION | API_CONDITIONAL, NULL, NULL,
          NULL, NULL },
        { "admissionregistration.k8s.io", "mutatingadmissionpolicybindings", API_GENERATION | API_CONDITIONAL, NULL,
          NULL, NULL, NULL },
        { "admissionregistration.k8s.io", "validatingwebhookconfigurations", API_GENERATION | API_CONDITIONAL, NULL,
          NULL, NULL, NULL },
        { "apiextensions.k8s.io", "customresourcedefinitions", API_GENERATION | API_CONDITIONAL, NULL, NULL, NULL,
          NULL },
        { "apps", "daemonsets", API_GENERATION, NULL, NULL, NULL, NULL },
        { "apps", "deployments", API_GENERATION, NULL, NULL, NULL, NULL },
        { "apps", "replicasets", API_GENERATION, NULL, NULL, NULL, NULL },
        { "apps", "statefulsets", API_GENERATION, NULL, NULL, NULL, NULL },
        { "batch", "cronjobs", API_GENERATION, NULL, NULL, NULL, NULL },
        { "batch", "jobs", API_GENERATION, NULL, NULL, NULL, NULL },
        { "certificates.k8s.io", "certificatesigningrequests", 0, api_shape_signing_request, NULL, NULL, NULL },
        { "coordination.k8s.io", "leases", API_CREATES_ON_UPDATE | API_CONDITIONAL | API_RENEWS, NULL, NULL, NULL,
          NULL },
        { "discovery.k8s.io", "endpointslices", API_GENERATION, NULL, NULL, NULL, NULL },
        { "flowcontrol.apiserver.k8s.io", "flowschemas", API_GENERATION, NULL, NULL, NULL, NULL },
        { "flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", API_GENERATION, NULL, NULL, NULL, NULL },
        { "networking.k8s.io", "ingresses", API_GENERATION, NULL, NULL, NULL, NULL },
        { "networking.k8s.io", "ingressclasses", API_GENERATION, NULL, NULL, NULL, NULL },
        { "networking.k8s.io", "networkpolicies", API_GENERATION, NULL, NULL, NULL, NULL },
        { "policy", "poddisruptionbudgets", API_GENERATION | API_CONDITIONAL, NULL, NULL, NULL, NULL },
        { "rbac.authorization.k8s.io", "clusterrolebindings", API_CREATES_ON_UPDATE, NULL, NULL, NULL, NULL },
        { "rbac.authorization.k8s.io", "clusterroles", API_CREATES_ON_UPDATE, NULL, NULL, NULL, NULL },
        { "rbac.authorization.k8s.io", "rolebindings", API_CREATES_ON_UPDATE, NULL, NULL, NULL, NULL },
        { "rbac.authorization.k8s.io", "roles", API_CREATES_ON_UPDATE, NULL, NULL, NULL, NULL },
        { "resource.k8s.io", "resourceslices", API_GENERATION, NULL, NULL, NULL, NULL },
        { "node.k8s.io", "runtimeclasses", API_CONDITIONAL, NULL, NULL, NULL, NULL },
        { "apiregistration.k8s.io", "apiservices", API_CONDITIONAL, NULL, NULL, NULL, NULL },
        { "storage.k8s.io", "csidrivers", API_CONDITIONAL | API_RETURNS_DELETED, NULL, NULL, NULL, NULL },
        { "storage.k8s.io", "csinodes", API_CONDITIONAL | API_RETURNS_DELETED, NULL, NULL, NULL, NULL },
        { "storage.k8s.io", "csistoragecapacities", API_CONDITIONAL | API_RETURNS_DELETED, NULL, NULL, NULL, NULL },
        { "storage.k8s.io", "volumeattachments", API_CONDITIONAL | API_RETURNS_DELETED, NULL, NULL, NULL, NULL },
        { "storage.k8s.io", "storageclasses", API_RETURNS_DELETED, NULL, NULL, NULL, NULL },
        { "storage.k8s.io", "volumeattributesclasses", API_RETURNS_DELETED, NULL, NULL, NULL, NULL },
        { "scheduling.k8s.io", "priorityclasses", API_GENERATION, NULL, NULL, NULL, NULL },
};

static const struct api_strategy *find(const struct kube_kind *kind) {
        static const struct api_strategy usual = { .flags = 0 };

        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (strcmp(table[i].resource, kind->resource) == 0 && strcmp(table[i].group, kind->group) == 0)
                        return &table[i];
        return &usual;
}

/* A request asks for that of its kind again and again. */
const struct api_strategy *api_strategy_of(const struct kube_kind *kind) {
        static _Thread_local const char *resource, *group; /* the texts of the kind that was asked for last */
        static _Thread_local const struct api_strategy *strategy;

        if (resource != kind->resource || group != kind->group || !strategy) {
                strategy = find(kind);
                resource = kind->resource;
                group = kind->group;
        }
        return strategy;
}

bool api_has_status(const struct kube_kind *kind) {
        return kube_kind_subresource(kind, "status");
}

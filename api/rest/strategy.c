#include "api/rest/strategy.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "api/rest/shape.h"
#include "api/server/request.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/value.h"

static bool holds_namespace(const struct value *object) {
        return value_count(value_find(object, "spec.finalizers")) > 0;
}

#define POD_GRACE_S 30

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

static bool is_system_class(const char *name) {
        return strcmp(name, "system-node-critical") == 0 || strcmp(name, "system-cluster-critical") == 0;
}

static const struct api_strategy table[] = {
        { "", "namespaces", .flags = API_MARKED_PLAINLY, .shape = shape_label, .create = shape_namespace,
          .update = shape_namespace_update, .held = holds_namespace },
        { "", "persistentvolumeclaims", .flags = API_RETURNS_DELETED, .create = shape_claim,
          .update = shape_claim_update },
        { "", "persistentvolumes", .flags = API_RETURNS_DELETED, .create = shape_volume,
          .update = shape_volume_update },
        { "", "pods", .flags = API_RETURNS_DELETED | API_GENERATION | API_STATUS_OWNERS, .create = shape_pod,
          .update = shape_pod_update, .grace = pod_grace },
        { "", "podtemplates", .flags = API_RETURNS_DELETED | API_GENERATION, .create = shape_template,
          .update = shape_template },
        { "", "replicationcontrollers", .flags = API_GENERATION | API_ORPHANS, .create = shape_template,
          .update = shape_template },
        { "", "resourcequotas", .flags = API_RETURNS_DELETED | API_RECOUNTED },
        { "", "endpoints", .flags = API_CREATES_ON_UPDATE },
        { "", "events", .flags = API_CREATES_ON_UPDATE | API_NO_GARBAGE },
        { "events.k8s.io", "events", .flags = API_CREATES_ON_UPDATE | API_NO_GARBAGE },
        { "", "limitranges", .flags = API_CREATES_ON_UPDATE | API_NAMED_BY_UID },
        { "", "secrets", .shape = shape_secret },
        { "", "serviceaccounts", .flags = API_RETURNS_DELETED, .shape = shape_account },
        { "", "services", .flags = API_RETURNS_DELETED | API_CREATES_ON_UPDATE },
        { "admissionregistration.k8s.io", "mutatingwebhookconfigurations", .flags = API_GENERATION | API_CONDITIONAL },
        { "admissionregistration.k8s.io", "validatingadmissionpolicies",
          .flags = API_GENERATION | API_CONDITIONAL | API_STATUS_PLAIN },
        { "admissionregistration.k8s.io", "validatingadmissionpolicybindings",
          .flags = API_GENERATION | API_CONDITIONAL },
        { "admissionregistration.k8s.io", "mutatingadmissionpolicies", .flags = API_GENERATION | API_CONDITIONAL },
        { "admissionregistration.k8s.io", "mutatingadmissionpolicybindings",
          .flags = API_GENERATION | API_CONDITIONAL },
        { "admissionregistration.k8s.io", "validatingwebhookconfigurations",
          .flags = API_GENERATION | API_CONDITIONAL },
        { "apiextensions.k8s.io", "customresourcedefinitions", .flags = API_GENERATION | API_CONDITIONAL },
        { "apps", "daemonsets", .flags = API_GENERATION, .settled = shape_daemons, .create = shape_template,
          .update = shape_template },
        { "apps", "deployments", .flags = API_GENERATION | API_COUNTS_ANNOTATIONS | API_STATUS_LABELS,
          .create = shape_template, .update = shape_template, .shape = shape_deployment },
        { "apps", "replicasets", .flags = API_GENERATION, .create = shape_template, .update = shape_template },
        { "apps", "statefulsets", .flags = API_GENERATION, .create = shape_stateful_set, .update = shape_stateful_set },
        { "batch", "cronjobs", .flags = API_GENERATION, .create = shape_template, .update = shape_template },
        { "batch", "jobs", .flags = API_GENERATION | API_ORPHANS, .create = shape_job, .update = shape_template },
        { "coordination.k8s.io", "leases", .flags = API_CREATES_ON_UPDATE | API_CONDITIONAL | API_RENEWS,
          .create = shape_lease, .update = shape_lease },
        { "discovery.k8s.io", "endpointslices", .flags = API_GENERATION | API_COUNTS_LABELS,
          .create = shape_endpoint_slice, .update = shape_endpoint_slice },
        { "flowcontrol.apiserver.k8s.io", "flowschemas", .flags = API_GENERATION | API_STATUS_PLAIN },
        { "flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", .flags = API_GENERATION | API_STATUS_PLAIN },
        { "networking.k8s.io", "ingresses", .flags = API_GENERATION },
        { "networking.k8s.io", "ingressclasses", .flags = API_GENERATION },
        { "networking.k8s.io", "networkpolicies", .flags = API_GENERATION },
        { "policy", "poddisruptionbudgets", .flags = API_GENERATION | API_CONDITIONAL },
        { "rbac.authorization.k8s.io", "clusterrolebindings", .flags = API_CREATES_ON_UPDATE },
        { "rbac.authorization.k8s.io", "clusterroles", .flags = API_CREATES_ON_UPDATE },
        { "rbac.authorization.k8s.io", "rolebindings", .flags = API_CREATES_ON_UPDATE },
        { "rbac.authorization.k8s.io", "roles", .flags = API_CREATES_ON_UPDATE },
        { "resource.k8s.io", "resourceslices", .flags = API_GENERATION | API_RETURNS_DELETED, .create = shape_slice,
          .update = shape_slice },
        { "node.k8s.io", "runtimeclasses", .flags = API_CREATES_ON_UPDATE | API_CONDITIONAL },
        { "apiregistration.k8s.io", "apiservices", .flags = API_CONDITIONAL },
        { "storage.k8s.io", "csidrivers",
          .flags = API_GENERATION | API_CONDITIONAL | API_RETURNS_DELETED | API_COUNTS_LATE, .create = shape_csi_driver,
          .update = shape_csi_driver },
        { "storage.k8s.io", "csinodes", .flags = API_CONDITIONAL | API_RETURNS_DELETED },
        { "storage.k8s.io", "csistoragecapacities", .flags = API_CONDITIONAL },
        { "storage.k8s.io", "volumeattachments", .flags = API_CONDITIONAL | API_RETURNS_DELETED | API_STATUS_PLAIN },
        { "storage.k8s.io", "storageclasses", .flags = API_RETURNS_DELETED },
        { "storage.k8s.io", "volumeattributesclasses", .flags = API_RETURNS_DELETED },
        { "scheduling.k8s.io", "priorityclasses", .flags = API_GENERATION | API_COUNTS_NEVER, .stays = is_system_class,
          .stays_why = "this is a system priority class and cannot be deleted" },
        { "", "nodes", .flags = API_KEEPS_STATUS, .create = shape_node, .update = shape_node },
        { "networking.k8s.io", "servicecidrs", .flags = API_STATUS_PLAIN },
        { "resource.k8s.io", "resourceclaims", .flags = API_STATUS_PLAIN | API_RETURNS_DELETED,
          .update = shape_device_claim_update },
        { "resource.k8s.io", "resourceclaimtemplates", .flags = API_RETURNS_DELETED },
        { "resource.k8s.io", "deviceclasses", .flags = API_GENERATION | API_RETURNS_DELETED },
        { "certificates.k8s.io", "certificatesigningrequests", .create = shape_request,
          .update = shape_request_update },
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

#include "kube/validate/warnings.h"

#include <stddef.h>
#include <string.h>

#include "kube/kinds.h"
#include "kube/validate/rules.h"
#include "lib/cleanup.h"

#define LABEL_ADVISED "a DNS label is recommended: [%s]"

/* Where a rule is NULL there is nothing to say. */
struct warn_row {
        const char *group, *kind, *version, *sub; /* @sub NULL: the object itself */
        validate_rule create, update;
};

#define BOTH(rule) (rule), (rule)

static const struct warn_row rows[] = {
        { "", "Endpoints", "v1", NULL, BOTH(validate_warn_endpoints) },
        { "", "Node", "v1", NULL, BOTH(validate_warn_node) },
        { "", "PersistentVolume", "v1", NULL, BOTH(validate_warn_volume) },
        { "", "PersistentVolumeClaim", "v1", NULL, BOTH(validate_warn_claim) },
        { "", "Pod", "v1", NULL, validate_warn_new_pod, NULL },
        { "", "Pod", "v1", "status", NULL, validate_warn_pod_status },
        { "", "PodTemplate", "v1", NULL, BOTH(validate_warn_template_object) },
        { "", "ReplicationController", "v1", NULL, BOTH(validate_warn_controller) },
        { "", "ResourceQuota", "v1", NULL, validate_warn_quota, NULL },
        { "", "Secret", "v1", NULL, BOTH(validate_warn_secret) },
        { "", "Service", "v1", NULL, BOTH(validate_warn_service) },
        { "", "Service", "v1", "status", NULL, validate_warn_service_status },
        { "", "ServiceAccount", "v1", NULL, BOTH(validate_warn_account) },
        { "apps", "DaemonSet", "v1", NULL, BOTH(validate_warn_daemon_set) },
        { "apps", "Deployment", "v1", NULL, BOTH(validate_warn_deployment) },
        { "apps", "ReplicaSet", "v1", NULL, BOTH(validate_warn_replica_set) },
        { "apps", "StatefulSet", "v1", NULL, BOTH(validate_warn_stateful_set) },
        { "batch", "CronJob", "v1", NULL, BOTH(validate_warn_cron_job) },
        { "batch", "Job", "v1", NULL, BOTH(validate_warn_job) },
        { "discovery.k8s.io", "EndpointSlice", "v1", NULL, BOTH(validate_warn_slice) },
        { "networking.k8s.io", "Ingress", "v1", NULL, validate_warn_ingress, NULL },
        { "networking.k8s.io", "Ingress", "v1", "status", NULL, validate_warn_ingress_status },
        { "networking.k8s.io", "NetworkPolicy", "v1", NULL, BOTH(validate_warn_network_policy) },
        { "node.k8s.io", "RuntimeClass", "v1", NULL, BOTH(validate_warn_runtime_class) },
        { "resource.k8s.io", "ResourceSlice", "v1", NULL, BOTH(validate_warn_resource_slice) },
        { "storage.k8s.io", "CSIDriver", "v1", NULL, BOTH(validate_warn_csi_driver) },
        { "storage.k8s.io", "CSIStorageCapacity", "v1", NULL, BOTH(validate_warn_capacity) },
        { "storage.k8s.io", "StorageClass", "v1", NULL, BOTH(validate_warn_storage_class) },
};

/* What every kind begins with. */
struct head {
        const char *kind, *api_version;
        struct kube_object_meta metadata;
};
_Static_assert(offsetof(struct head, metadata) == offsetof(struct kube_pod, metadata), "kinds begin otherwise");

#define RESERVED ".static.k8s.io"

/* Of webhooks and policies, those of files on a server are called so. */
static void warn_reserved(struct validation *v, const void *object) {
        const char *name = ((const struct head *)object)->metadata.name ?: "";
        size_t n = strlen(name);

        if (n >= strlen(RESERVED) && strcmp(name + n - strlen(RESERVED), RESERVED) == 0)
                validate_warn(v, NULL,
                              "metadata.name: names ending with \"" RESERVED
                              "\" are reserved for static manifest-based configurations and cannot be managed via the "
                              "API");
}

static bool same_sub(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

void validate_warn_of(struct validation *v, const struct kube_kind *kind, const char *sub, const void *object,
                      const void *old) {
        if (!sub && strcmp(kind->group, "admissionregistration.k8s.io") == 0)
                warn_reserved(v, object);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct warn_row *row = &rows[i];
                validate_rule rule = old ? row->update : row->create;

                if (strcmp(row->kind, kind->kind) == 0 && strcmp(row->group, kind->group) == 0 &&
                    strcmp(row->version, kind->version) == 0 && same_sub(row->sub, sub)) {
                        if (rule)
                                rule(v, object, old);
                        return;
                }
        }
}

void validate_warn_name(struct validation *v, const struct kube_object_meta *meta, const char *what) {
        const char *problems[NAME_PROBLEMS_MAX];
        unsigned n = name_problems(NAME_LABEL, meta->name ?: "", problems);
        const char *all = "";

        for (unsigned i = 0; i < n; i++)
                all = validate_key(v, "%s%s%s", all, i > 0 ? " " : "", problems[i]);
        if (n > 0)
                validate_warn(
                        v, NULL,
                        "metadata.name: this is used in %s, which can result in surprising behavior; " LABEL_ADVISED,
                        what, all);
}

void validate_warn_fraction(struct validation *v, const struct place *at, const resource_list *amounts,
                            const char *name) {
        const struct quantity *amount = resource_get(amounts, name);
        char text[QUANTITY_TEXT_MAX];

        if (amount && amount->exponent < 0 && quantity_milli(*amount) % 1000 != 0)
                validate_warn(v, ENTRY(at, name), "fractional byte value \"%s\" is invalid, must be an integer",
                              quantity_format(*amount, text));
}

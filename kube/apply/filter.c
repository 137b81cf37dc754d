/* What kube-apiserver's strategies reset (GetResetFields of pkg/registry), where its storage tells so: that of a pod's
 * ephemeral containers and of its resize does not. */
#include "kube/apply/filter.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"

#define WITHOUT(name_, ...)                                                                                            \
        static const struct apply_filter name_ = { .paths = (const char *const[]){ __VA_ARGS__, NULL } }

WITHOUT(status, "status");
WITHOUT(spec, "spec");
WITHOUT(spec_and_metadata, "metadata", "spec");
WITHOUT(spec_and_labels, "spec", "metadata.labels");
WITHOUT(spec_and_owners, "spec", "metadata.deletionTimestamp", "metadata.ownerReferences");
WITHOUT(signing_request, "spec", "status");
WITHOUT(but_certificate, "spec", "status.conditions");
WITHOUT(but_conditions, "spec", "status.certificate");

const struct apply_filter apply_filter_custom = { .paths = (const char *const[]){ "status", NULL } };
const struct apply_filter apply_filter_custom_status = { .paths = (const char *const[]){ "metadata", "spec", NULL } };

/* By group and kind; of subresource "" is the object itself. */
static const struct {
        const char *group, *kind, *subresource;
        const struct apply_filter *filter;
} filters[] = {
        { "", "Namespace", "", &status },
        { "", "Namespace", "finalize", &status },
        { "", "Namespace", "status", &spec },
        { "", "Node", "", &status },
        { "", "Node", "status", &spec },
        { "", "PersistentVolume", "", &status },
        { "", "PersistentVolume", "status", &spec },
        { "", "PersistentVolumeClaim", "", &status },
        { "", "PersistentVolumeClaim", "status", &spec },
        { "", "Pod", "", &status },
        { "", "Pod", "status", &spec_and_owners },
        { "", "ReplicationController", "", &status },
        { "", "ReplicationController", "status", &spec },
        { "", "ResourceQuota", "", &status },
        { "", "ResourceQuota", "status", &spec },
        { "", "Service", "", &status },
        { "", "Service", "status", &spec },
        { "admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "", &status },
        { "admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "status", &spec_and_metadata },
        { "apiextensions.k8s.io", "CustomResourceDefinition", "", &status },
        { "apiextensions.k8s.io", "CustomResourceDefinition", "status", &spec_and_metadata },
        { "apiregistration.k8s.io", "APIService", "", &status },
        { "apiregistration.k8s.io", "APIService", "status", &spec_and_metadata },
        { "apps", "DaemonSet", "", &status },
        { "apps", "DaemonSet", "status", &spec },
        { "apps", "Deployment", "", &status },
        { "apps", "Deployment", "status", &spec_and_labels },
        { "apps", "ReplicaSet", "", &status },
        { "apps", "ReplicaSet", "status", &spec },
        { "apps", "StatefulSet", "", &status },
        { "apps", "StatefulSet", "status", &spec },
        { "autoscaling", "HorizontalPodAutoscaler", "", &status },
        { "autoscaling", "HorizontalPodAutoscaler", "status", &spec },
        { "batch", "CronJob", "", &status },
        { "batch", "CronJob", "status", &spec },
        { "batch", "Job", "", &status },
        { "batch", "Job", "status", &spec },
        { "certificates.k8s.io", "CertificateSigningRequest", "", &signing_request },
        { "certificates.k8s.io", "CertificateSigningRequest", "approval", &but_conditions },
        { "certificates.k8s.io", "CertificateSigningRequest", "status", &but_certificate },
        { "certificates.k8s.io", "PodCertificateRequest", "status", &spec },
        { "flowcontrol.apiserver.k8s.io", "FlowSchema", "", &status },
        { "flowcontrol.apiserver.k8s.io", "FlowSchema", "status", &spec_and_metadata },
        { "flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", "", &status },
        { "flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", "status", &spec_and_metadata },
        { "internal.apiserver.k8s.io", "StorageVersion", "", &status },
        { "internal.apiserver.k8s.io", "StorageVersion", "status", &spec_and_metadata },
        { "networking.k8s.io", "Ingress", "", &status },
        { "networking.k8s.io", "Ingress", "status", &spec },
        { "networking.k8s.io", "ServiceCIDR", "", &status },
        { "networking.k8s.io", "ServiceCIDR", "status", &spec_and_metadata },
        { "policy", "PodDisruptionBudget", "", &status },
        { "policy", "PodDisruptionBudget", "status", &spec },
        { "resource.k8s.io", "DeviceTaintRule", "", &status },
        { "resource.k8s.io", "DeviceTaintRule", "status", &spec_and_metadata },
        { "resource.k8s.io", "ResourceClaim", "", &status },
        { "resource.k8s.io", "ResourceClaim", "status", &spec_and_metadata },
        { "resource.k8s.io", "ResourcePoolStatusRequest", "", &status },
        { "resource.k8s.io", "ResourcePoolStatusRequest", "status", &spec_and_metadata },
        { "scheduling.k8s.io", "PodGroup", "", &status },
        { "scheduling.k8s.io", "PodGroup", "status", &spec_and_metadata },
        { "storage.k8s.io", "VolumeAttachment", "", &status },
        { "storage.k8s.io", "VolumeAttachment", "status", &spec_and_metadata },
        { "storagemigration.k8s.io", "StorageVersionMigration", "", &status },
        { "storagemigration.k8s.io", "StorageVersionMigration", "status", &spec_and_metadata },
};

const struct apply_filter *apply_filter_of(const char *group, const char *kind, const char *subresource) {
        for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
                if (*filters[i].kind == *kind && strcmp(filters[i].kind, kind) == 0 &&
                    strcmp(filters[i].group, group) == 0 && strcmp(filters[i].subresource, subresource ?: "") == 0)
                        return filters[i].filter;
        return NULL;
}

/* ---- as work on sets ---- */

static bool step_matches(const char *part, size_t length, const struct apply_step *step) {
        return step->kind == APPLY_STEP_FIELD && strncmp(step->name, part, length) == 0 && step->name[length] == '\0';
}

/* What @paths, from @depth parts on, say of @step: it is the end of one, on the way of others (those go to @ret_on), or
 * nothing. */
struct matched {
        bool end;
        const char **on; /* ends with NULL */
};

static int match(struct arena *arena, const char *const *paths, const struct apply_step *step,
                 struct matched *ret_matched) {
        uint32_t n = 0;

        while (paths[n])
                n++;
        *ret_matched = (struct matched){ .on = arena_alloc_array(arena, n + 1, sizeof(char *)) };
        if (!ret_matched->on)
                return -ENOMEM;
        for (uint32_t i = 0, k = 0; i < n; i++) {
                const size_t length = strcspn(paths[i], ".");

                if (!step_matches(paths[i], length, step))
                        continue;
                if (paths[i][length] == '\0')
                        ret_matched->end = true;
                else
                        ret_matched->on[k++] = paths[i] + length + 1;
        }
        return 0;
}

static const struct apply_set *sift(struct arena *arena, const char *const *paths, const struct apply_set *set) {
        struct apply_builder b = { .arena = arena };
        const struct apply_set *below;

        for (uint32_t i = 0; i < set->count; i++) {
                const struct apply_node *node = &set->nodes[i];
                struct matched matched;

                if (match(arena, paths, &node->step, &matched) < 0)
                        return NULL;
                if (matched.end)
                        continue;
                below = node->below;
                if (below && matched.on[0]) {
                        below = sift(arena, matched.on, below);
                        if (!below)
                                return NULL;
                }
                apply_builder_add(&b, &node->step, node->member, below);
        }
        return apply_builder_below(&b, &below) < 0 ? NULL : below ?: &apply_set_none;
}

const struct apply_set *apply_filter_set(struct arena *arena, const struct apply_filter *filter,
                                         const struct apply_set *set) {
        return filter ? sift(arena, filter->paths, set) : set;
}

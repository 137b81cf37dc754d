#include "api/defaults/table.h"

#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define DEFAULT_MODE "420" /* 0644 */

static const struct value yes = VALUE_BOOLEAN(true);

static const struct value *text_value(struct arena *arena, const char *text) {
        struct value *value = arena_new_of(arena, struct value);

        if (value)
                *value = (struct value)VALUE_TEXT(text);
        return value;
}

/* An image without a tag, or with the tag latest, may change under its name. */
static const struct value *pull_policy(struct arena *arena, const struct value *object) {
        const char *image = value_string_or(value_get(object, "image"), ""), *name = strrchr(image, '/') ?: image,
                   *tag = strrchr(name, ':');
        bool fixed = strchr(image, '@') || (tag && strcmp(tag, ":latest") != 0);

        return text_value(arena, fixed ? "IfNotPresent" : "Always");
}

static const struct value *target_port(struct arena *arena, const struct value *object) {
        return value_get(object, "port");
}

static bool is(const struct value *object, const char *key, const char *text) {
        return strcmp(value_string_or(value_get(object, key), ""), text) == 0;
}

static const struct value *when_rolling(struct arena *arena, const struct value *object) {
        return is(object, "type", "") || is(object, "type", "RollingUpdate") ? &yes : NULL;
}

static const struct value *when_external(struct arena *arena, const struct value *object) {
        return is(object, "type", "NodePort") || is(object, "type", "LoadBalancer") ? &yes : NULL;
}

static const struct value *when_not_named(struct arena *arena, const struct value *object) {
        return is(object, "type", "ExternalName") ? NULL : &yes;
}

/* Jobs that say neither are of one pod. */
static const struct value *when_single(struct arena *arena, const struct value *object) {
        return value_is_null(value_get(object, "completions")) && value_is_null(value_get(object, "parallelism")) ? &yes :
                                                                                                                   NULL;
}

static const struct value *when_user_or_group(struct arena *arena, const struct value *object) {
        return is(object, "kind", "User") || is(object, "kind", "Group") ? &yes : NULL;
}

/* A container's limit is the most that it may have, its request what its limit is. */
static const struct value *limit_default(struct arena *arena, const struct value *object) {
        return is(object, "type", "Container") ? value_get(object, "max") : NULL;
}

static const struct value *limit_request(struct arena *arena, const struct value *object) {
        return is(object, "type", "Container") ? value_get(object, "default") ?: value_get(object, "min") : NULL;
}

static const struct value *policy_types(struct arena *arena, const struct value *object) {
        bool out = value_count(value_get(object, "egress")) > 0;
        struct value *list = arena_new_of(arena, struct value), *items = arena_alloc_array(arena, 2, sizeof(*items));

        if (!list || !items)
                return NULL;
        items[0] = (struct value)VALUE_TEXT("Ingress");
        items[1] = (struct value)VALUE_TEXT("Egress");
        *list = (struct value){ .kind = VALUE_LIST, .count = out ? 2 : 1, .items = items };
        return list;
}

const struct defaults_row defaults_table[] = {
        { "core.v1.PodSpec", "restartPolicy", "\"Always\"", NULL, NULL },
        { "core.v1.PodSpec", "terminationGracePeriodSeconds", "30", NULL, NULL },
        { "core.v1.PodSpec", "dnsPolicy", "\"ClusterFirst\"", NULL, NULL },
        { "core.v1.PodSpec", "securityContext", "{}", NULL, NULL },
        { "core.v1.PodSpec", "schedulerName", "\"default-scheduler\"", NULL, NULL },
        { "core.v1.Container", "terminationMessagePath", "\"/dev/termination-log\"", NULL, NULL },
        { "core.v1.Container", "terminationMessagePolicy", "\"File\"", NULL, NULL },
        { "core.v1.Container", "imagePullPolicy", NULL, pull_policy, NULL },
        { "core.v1.EphemeralContainer", "terminationMessagePath", "\"/dev/termination-log\"", NULL, NULL },
        { "core.v1.EphemeralContainer", "terminationMessagePolicy", "\"File\"", NULL, NULL },
        { "core.v1.EphemeralContainer", "imagePullPolicy", NULL, pull_policy, NULL },
        { "core.v1.Probe", "timeoutSeconds", "1", NULL, NULL },
        { "core.v1.Probe", "periodSeconds", "10", NULL, NULL },
        { "core.v1.Probe", "successThreshold", "1", NULL, NULL },
        { "core.v1.Probe", "failureThreshold", "3", NULL, NULL },
        { "core.v1.HTTPGetAction", "path", "\"/\"", NULL, NULL },
        { "core.v1.HTTPGetAction", "scheme", "\"HTTP\"", NULL, NULL },
        { "core.v1.GRPCAction", "service", "\"\"", NULL, NULL },
        { "core.v1.ObjectFieldSelector", "apiVersion", "\"v1\"", NULL, NULL },
        { "core.v1.SecretVolumeSource", "defaultMode", DEFAULT_MODE, NULL, NULL },
        { "core.v1.ConfigMapVolumeSource", "defaultMode", DEFAULT_MODE, NULL, NULL },
        { "core.v1.DownwardAPIVolumeSource", "defaultMode", DEFAULT_MODE, NULL, NULL },
        { "core.v1.ProjectedVolumeSource", "defaultMode", DEFAULT_MODE, NULL, NULL },
        { "core.v1.ServiceAccountTokenProjection", "expirationSeconds", "3600", NULL, NULL },
        { "core.v1.HostPathVolumeSource", "type", "\"\"", NULL, NULL },
        { "core.v1.ISCSIVolumeSource", "iscsiInterface", "\"default\"", NULL, NULL },
        { "core.v1.RBDVolumeSource", "pool", "\"rbd\"", NULL, NULL },
        { "core.v1.RBDVolumeSource", "user", "\"admin\"", NULL, NULL },
        { "core.v1.RBDVolumeSource", "keyring", "\"/etc/ceph/keyring\"", NULL, NULL },
        { "core.v1.Secret", "type", "\"Opaque\"", NULL, NULL },
        { "core.v1.EndpointPort", "protocol", "\"TCP\"", NULL, NULL },
        { "core.v1.ServicePort", "protocol", "\"TCP\"", NULL, NULL },
        { "core.v1.ServicePort", "targetPort", NULL, target_port, NULL },
        { "core.v1.ServiceSpec", "type", "\"ClusterIP\"", NULL, NULL },
        { "core.v1.ServiceSpec", "sessionAffinity", "\"None\"", NULL, NULL },
        { "core.v1.ServiceSpec", "externalTrafficPolicy", "\"Cluster\"", when_external, NULL },
        { "core.v1.ServiceSpec", "internalTrafficPolicy", "\"Cluster\"", when_not_named, NULL },
        { "core.v1.PersistentVolumeSpec", "persistentVolumeReclaimPolicy", "\"Retain\"", NULL, NULL },
        { "core.v1.PersistentVolumeSpec", "volumeMode", "\"Filesystem\"", NULL, NULL },
        { "core.v1.PersistentVolumeClaimSpec", "volumeMode", "\"Filesystem\"", NULL, NULL },
        { "core.v1.LimitRangeItem", "default", NULL, limit_default, NULL },
        { "core.v1.LimitRangeItem", "defaultRequest", NULL, limit_request, NULL },
        { "core.v1.ReplicationControllerSpec", "replicas", "1", NULL, NULL },
        { "apps.v1.DeploymentSpec", "replicas", "1", NULL, NULL },
        { "apps.v1.DeploymentSpec", "revisionHistoryLimit", "10", NULL, NULL },
        { "apps.v1.DeploymentSpec", "progressDeadlineSeconds", "600", NULL, NULL },
        { "apps.v1.DeploymentSpec", "strategy", "{}", NULL, NULL },
        { "apps.v1.DeploymentStrategy", "rollingUpdate", "{}", when_rolling, NULL },
        { "apps.v1.DeploymentStrategy", "type", "\"RollingUpdate\"", NULL, NULL },
        { "apps.v1.RollingUpdateDeployment", "maxUnavailable", "\"25%\"", NULL, NULL },
        { "apps.v1.RollingUpdateDeployment", "maxSurge", "\"25%\"", NULL, NULL },
        { "apps.v1.ReplicaSetSpec", "replicas", "1", NULL, NULL },
        { "apps.v1.DaemonSetSpec", "updateStrategy", "{}", NULL, NULL },
        { "apps.v1.DaemonSetSpec", "revisionHistoryLimit", "10", NULL, NULL },
        { "apps.v1.DaemonSetUpdateStrategy", "rollingUpdate", "{}", when_rolling, NULL },
        { "apps.v1.DaemonSetUpdateStrategy", "type", "\"RollingUpdate\"", NULL, NULL },
        { "apps.v1.RollingUpdateDaemonSet", "maxUnavailable", "1", NULL, NULL },
        { "apps.v1.RollingUpdateDaemonSet", "maxSurge", "0", NULL, NULL },
        { "apps.v1.StatefulSetSpec", "replicas", "1", NULL, NULL },
        { "apps.v1.StatefulSetSpec", "podManagementPolicy", "\"OrderedReady\"", NULL, NULL },
        { "apps.v1.StatefulSetSpec", "updateStrategy", "{}", NULL, NULL },
        { "apps.v1.StatefulSetSpec", "revisionHistoryLimit", "10", NULL, NULL },
        { "apps.v1.StatefulSetSpec", "persistentVolumeClaimRetentionPolicy", "{}", NULL, NULL },
        { "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy", "whenDeleted", "\"Retain\"", NULL, NULL },
        { "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy", "whenScaled", "\"Retain\"", NULL, NULL },
        { "apps.v1.StatefulSetUpdateStrategy", "rollingUpdate", "{}", when_rolling, NULL },
        { "apps.v1.StatefulSetUpdateStrategy", "type", "\"RollingUpdate\"", NULL, NULL },
        { "apps.v1.RollingUpdateStatefulSetStrategy", "partition", "0", NULL, NULL },
        { "batch.v1.JobSpec", "completions", "1", when_single, "batch.v1.Job" },
        { "batch.v1.JobSpec", "parallelism", "1", NULL, "batch.v1.Job" },
        { "batch.v1.JobSpec", "backoffLimit", "6", NULL, "batch.v1.Job" },
        { "batch.v1.JobSpec", "completionMode", "\"NonIndexed\"", NULL, "batch.v1.Job" },
        { "batch.v1.JobSpec", "suspend", "false", NULL, "batch.v1.Job" },
        { "batch.v1.JobSpec", "podReplacementPolicy", "\"TerminatingOrFailed\"", NULL, "batch.v1.Job" },
        { "batch.v1.CronJobSpec", "concurrencyPolicy", "\"Allow\"", NULL, NULL },
        { "batch.v1.CronJobSpec", "suspend", "false", NULL, NULL },
        { "batch.v1.CronJobSpec", "successfulJobsHistoryLimit", "3", NULL, NULL },
        { "batch.v1.CronJobSpec", "failedJobsHistoryLimit", "1", NULL, NULL },
        { "autoscaling.v1.HorizontalPodAutoscalerSpec", "minReplicas", "1", NULL, NULL },
        { "autoscaling.v2.HorizontalPodAutoscalerSpec", "minReplicas", "1", NULL, NULL },
        { "autoscaling.v2.HorizontalPodAutoscalerSpec", "metrics",
          "[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\","
          "\"averageUtilization\":80}}}]",
          NULL, NULL },
        { "networking.v1.NetworkPolicySpec", "policyTypes", NULL, policy_types, NULL },
        { "networking.v1.NetworkPolicyPort", "protocol", "\"TCP\"", NULL, NULL },
        { "networking.v1.IngressClassParametersReference", "scope", "\"Cluster\"", NULL, NULL },
        { "discovery.v1.EndpointPort", "name", "\"\"", NULL, NULL },
        { "discovery.v1.EndpointPort", "protocol", "\"TCP\"", NULL, NULL },
        { "rbac.v1.RoleRef", "apiGroup", "\"rbac.authorization.k8s.io\"", NULL, NULL },
        { "rbac.v1.Subject", "apiGroup", "\"rbac.authorization.k8s.io\"", when_user_or_group, NULL },
        { "storage.v1.StorageClass", "reclaimPolicy", "\"Delete\"", NULL, NULL },
        { "storage.v1.StorageClass", "volumeBindingMode", "\"Immediate\"", NULL, NULL },
        { "storage.v1.CSIDriverSpec", "attachRequired", "true", NULL, NULL },
        { "storage.v1.CSIDriverSpec", "podInfoOnMount", "false", NULL, NULL },
        { "storage.v1.CSIDriverSpec", "storageCapacity", "false", NULL, NULL },
        { "storage.v1.CSIDriverSpec", "fsGroupPolicy", "\"ReadWriteOnceWithFSType\"", NULL, NULL },
        { "storage.v1.CSIDriverSpec", "volumeLifecycleModes", "[\"Persistent\"]", NULL, NULL },
        { "storage.v1.CSIDriverSpec", "requiresRepublish", "false", NULL, NULL },
        { "storage.v1.CSIDriverSpec", "seLinuxMount", "false", NULL, NULL },
        { "scheduling.v1.PriorityClass", "preemptionPolicy", "\"PreemptLowerPriority\"", NULL, NULL },
        { "admissionregistration.v1.MutatingWebhook", "failurePolicy", "\"Fail\"", NULL, NULL },
        { "admissionregistration.v1.MutatingWebhook", "matchPolicy", "\"Equivalent\"", NULL, NULL },
        { "admissionregistration.v1.MutatingWebhook", "namespaceSelector", "{}", NULL, NULL },
        { "admissionregistration.v1.MutatingWebhook", "objectSelector", "{}", NULL, NULL },
        { "admissionregistration.v1.MutatingWebhook", "timeoutSeconds", "10", NULL, NULL },
        { "admissionregistration.v1.MutatingWebhook", "reinvocationPolicy", "\"Never\"", NULL, NULL },
        { "admissionregistration.v1.ValidatingWebhook", "failurePolicy", "\"Fail\"", NULL, NULL },
        { "admissionregistration.v1.ValidatingWebhook", "matchPolicy", "\"Equivalent\"", NULL, NULL },
        { "admissionregistration.v1.ValidatingWebhook", "namespaceSelector", "{}", NULL, NULL },
        { "admissionregistration.v1.ValidatingWebhook", "objectSelector", "{}", NULL, NULL },
        { "admissionregistration.v1.ValidatingWebhook", "timeoutSeconds", "10", NULL, NULL },
        { "admissionregistration.v1.ServiceReference", "port", "443", NULL, NULL },
        { "admissionregistration.v1.RuleWithOperations", "scope", "\"*\"", NULL, NULL },
};

const size_t defaults_table_count = ELEMENTS(defaults_table);

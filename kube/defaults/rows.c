/* Fields and what they are when nothing is given, by group. */
#include "kube/admissionregistration_v1.h"
#include "kube/admissionregistration_v1alpha1.h"
#include "kube/admissionregistration_v1beta1.h"
#include "kube/apiextensions_v1.h"
#include "kube/apiregistration_v1.h"
#include "kube/apps_v1.h"
#include "kube/authentication_v1.h"
#include "kube/autoscaling_v1.h"
#include "kube/autoscaling_v2.h"
#include "kube/batch_v1.h"
#include "kube/certificates_v1beta1.h"
#include "kube/core_v1.h"
#include "kube/defaults/rules.h"
#include "kube/discovery_v1.h"
#include "kube/flowcontrol_v1.h"
#include "kube/networking_v1.h"
#include "kube/networking_v1beta1.h"
#include "kube/rbac_v1.h"
#include "kube/resource_v1.h"
#include "kube/resource_v1beta1.h"
#include "kube/resource_v1beta2.h"
#include "kube/scheduling_v1.h"
#include "kube/storage_v1.h"
#include "kube/storage_v1beta1.h"

#define ROW(type_, path_, json_)                                                                                       \
        { .type = &kube_##type_##_type, .path = (path_), .json = (json_) }
#define ROW_IF(type_, path_, json_, other_, equals_)                                                                   \
        { .type = &kube_##type_##_type, .path = (path_), .json = (json_), .other = (other_), .equals = (equals_) }
#define TEXT(text) "\"" text "\""
#define RBAC TEXT("rbac.authorization.k8s.io")

const struct defaults_row defaults_rows[] = {
        /* core/v1 */
        ROW(config_map_volume_source, "defaultMode", "420"),
        ROW(container, "terminationMessagePath", TEXT("/dev/termination-log")),
        ROW(container, "terminationMessagePolicy", TEXT("File")),
        ROW(downward_api_volume_source, "defaultMode", "420"),
        ROW(endpoint_port, "protocol", TEXT("TCP")),
        ROW(ephemeral_container, "terminationMessagePath", TEXT("/dev/termination-log")),
        ROW(ephemeral_container, "terminationMessagePolicy", TEXT("File")),
        ROW(host_path_volume_source, "type", TEXT("")),
        ROW(http_get_action, "path", TEXT("/")),
        ROW(http_get_action, "scheme", TEXT("HTTP")),
        ROW(namespace_status, "phase", TEXT("Active")),
        ROW(object_field_selector, "apiVersion", TEXT("v1")),
        ROW(persistent_volume_claim_spec, "volumeMode", TEXT("Filesystem")),
        ROW(persistent_volume_claim, "status.phase", TEXT("Pending")),
        ROW(persistent_volume, "spec.persistentVolumeReclaimPolicy", TEXT("Retain")),
        ROW(persistent_volume, "spec.volumeMode", TEXT("Filesystem")),
        ROW(persistent_volume, "status.phase", TEXT("Pending")),
        ROW(pod_spec, "dnsPolicy", TEXT("ClusterFirst")),
        ROW(pod_spec, "restartPolicy", TEXT("Always")),
        ROW(pod_spec, "schedulerName", TEXT("default-scheduler")),
        ROW(pod_spec, "securityContext", "{}"),
        ROW(pod_spec, "terminationGracePeriodSeconds", "30"),
        ROW(pod, "spec.enableServiceLinks", "true"),
        ROW(probe, "failureThreshold", "3"),
        ROW(probe, "periodSeconds", "10"),
        ROW(probe, "successThreshold", "1"),
        ROW(probe, "timeoutSeconds", "1"),
        ROW(projected_volume_source, "defaultMode", "420"),
        ROW(secret, "type", TEXT("Opaque")),
        ROW(secret_volume_source, "defaultMode", "420"),
        ROW(service_account_token_projection, "expirationSeconds", "3600"),
        ROW(service, "spec.sessionAffinity", TEXT("None")),
        ROW(service, "spec.type", TEXT("ClusterIP")),

        /* admissionregistration */
        ROW(admissionregistration_v1_match_resources, "matchPolicy", TEXT("Equivalent")),
        ROW(admissionregistration_v1_match_resources, "namespaceSelector", "{}"),
        ROW(admissionregistration_v1_match_resources, "objectSelector", "{}"),
        ROW(admissionregistration_v1_mutating_admission_policy_spec, "failurePolicy", TEXT("Fail")),
        ROW(admissionregistration_v1_validating_admission_policy_spec, "failurePolicy", TEXT("Fail")),
        ROW(admissionregistration_v1_mutating_webhook, "failurePolicy", TEXT("Fail")),
        ROW(admissionregistration_v1_mutating_webhook, "matchPolicy", TEXT("Equivalent")),
        ROW(admissionregistration_v1_mutating_webhook, "namespaceSelector", "{}"),
        ROW(admissionregistration_v1_mutating_webhook, "objectSelector", "{}"),
        ROW(admissionregistration_v1_mutating_webhook, "timeoutSeconds", "10"),
        ROW(admissionregistration_v1_validating_webhook, "failurePolicy", TEXT("Fail")),
        ROW(admissionregistration_v1_validating_webhook, "matchPolicy", TEXT("Equivalent")),
        ROW(admissionregistration_v1_validating_webhook, "namespaceSelector", "{}"),
        ROW(admissionregistration_v1_validating_webhook, "objectSelector", "{}"),
        ROW(admissionregistration_v1_validating_webhook, "timeoutSeconds", "10"),
        ROW(admissionregistration_v1_mutating_webhook, "reinvocationPolicy", TEXT("Never")),
        ROW(admissionregistration_v1_named_rule_with_operations, "scope", TEXT("*")),
        ROW(admissionregistration_v1_rule_with_operations, "scope", TEXT("*")),
        ROW(admissionregistration_v1_service_reference, "port", "443"),
        ROW(admissionregistration_v1beta1_match_resources, "matchPolicy", TEXT("Equivalent")),
        ROW(admissionregistration_v1beta1_match_resources, "namespaceSelector", "{}"),
        ROW(admissionregistration_v1beta1_match_resources, "objectSelector", "{}"),
        ROW(admissionregistration_v1beta1_mutating_admission_policy_spec, "failurePolicy", TEXT("Fail")),
        ROW(admissionregistration_v1beta1_validating_admission_policy_spec, "failurePolicy", TEXT("Fail")),
        ROW(admissionregistration_v1beta1_named_rule_with_operations, "scope", TEXT("*")),
        ROW(admissionregistration_v1beta1_service_reference, "port", "443"),
        ROW(admissionregistration_v1alpha1_match_resources, "matchPolicy", TEXT("Equivalent")),
        ROW(admissionregistration_v1alpha1_match_resources, "namespaceSelector", "{}"),
        ROW(admissionregistration_v1alpha1_match_resources, "objectSelector", "{}"),
        ROW(admissionregistration_v1alpha1_mutating_admission_policy_spec, "failurePolicy", TEXT("Fail")),
        ROW(admissionregistration_v1alpha1_validating_admission_policy_spec, "failurePolicy", TEXT("Fail")),
        ROW(admissionregistration_v1alpha1_named_rule_with_operations, "scope", TEXT("*")),
        ROW(admissionregistration_v1beta1_mutating_webhook, "admissionReviewVersions", "[\"v1beta1\"]"),
        ROW(admissionregistration_v1beta1_mutating_webhook, "failurePolicy", TEXT("Ignore")),
        ROW(admissionregistration_v1beta1_mutating_webhook, "matchPolicy", TEXT("Exact")),
        ROW(admissionregistration_v1beta1_mutating_webhook, "namespaceSelector", "{}"),
        ROW(admissionregistration_v1beta1_mutating_webhook, "objectSelector", "{}"),
        ROW(admissionregistration_v1beta1_mutating_webhook, "sideEffects", TEXT("Unknown")),
        ROW(admissionregistration_v1beta1_mutating_webhook, "timeoutSeconds", "30"),
        ROW(admissionregistration_v1beta1_validating_webhook, "admissionReviewVersions", "[\"v1beta1\"]"),
        ROW(admissionregistration_v1beta1_validating_webhook, "failurePolicy", TEXT("Ignore")),
        ROW(admissionregistration_v1beta1_validating_webhook, "matchPolicy", TEXT("Exact")),
        ROW(admissionregistration_v1beta1_validating_webhook, "namespaceSelector", "{}"),
        ROW(admissionregistration_v1beta1_validating_webhook, "objectSelector", "{}"),
        ROW(admissionregistration_v1beta1_validating_webhook, "sideEffects", TEXT("Unknown")),
        ROW(admissionregistration_v1beta1_validating_webhook, "timeoutSeconds", "30"),
        ROW(admissionregistration_v1beta1_mutating_webhook, "reinvocationPolicy", TEXT("Never")),
        ROW(admissionregistration_v1alpha1_param_ref, "parameterNotFoundAction", TEXT("Deny")),

        /* apiextensions, apiregistration, authentication */
        ROW(apiextensions_v1_custom_resource_definition_spec, "conversion", "{\"strategy\":\"None\"}"),
        ROW(apiextensions_v1_service_reference, "port", "443"),
        ROW(apiregistration_v1_service_reference, "port", "443"),
        ROW(authentication_v1_token_request_spec, "expirationSeconds", "3600"),

        /* apps */
        ROW(apps_v1_daemon_set_spec, "revisionHistoryLimit", "10"),
        ROW(apps_v1_daemon_set_update_strategy, "type", TEXT("RollingUpdate")),
        ROW_IF(apps_v1_daemon_set_update_strategy, "rollingUpdate.maxUnavailable", "1", "type", "RollingUpdate"),
        ROW_IF(apps_v1_daemon_set_update_strategy, "rollingUpdate.maxSurge", "0", "type", "RollingUpdate"),
        ROW(apps_v1_deployment_spec, "progressDeadlineSeconds", "600"),
        ROW(apps_v1_deployment_spec, "replicas", "1"),
        ROW(apps_v1_deployment_spec, "revisionHistoryLimit", "10"),
        ROW(apps_v1_deployment_strategy, "type", TEXT("RollingUpdate")),
        ROW_IF(apps_v1_deployment_strategy, "rollingUpdate.maxSurge", TEXT("25%"), "type", "RollingUpdate"),
        ROW_IF(apps_v1_deployment_strategy, "rollingUpdate.maxUnavailable", TEXT("25%"), "type", "RollingUpdate"),
        ROW(apps_v1_replica_set_spec, "replicas", "1"),
        /* of a strategy that does not roll: the hub version has numbers there */
        ROW(apps_v1_rolling_update_deployment, "maxSurge", "0"),
        ROW(apps_v1_rolling_update_deployment, "maxUnavailable", "0"),
        ROW(apps_v1_rolling_update_daemon_set, "maxSurge", "0"),
        ROW(apps_v1_rolling_update_daemon_set, "maxUnavailable", "0"),
        ROW(apps_v1_rolling_update_stateful_set_strategy, "partition", "0"),
        ROW(apps_v1_stateful_set_spec, "persistentVolumeClaimRetentionPolicy.whenDeleted", TEXT("Retain")),
        ROW(apps_v1_stateful_set_spec, "persistentVolumeClaimRetentionPolicy.whenScaled", TEXT("Retain")),
        ROW(apps_v1_stateful_set_spec, "podManagementPolicy", TEXT("OrderedReady")),
        ROW(apps_v1_stateful_set_spec, "replicas", "1"),
        ROW(apps_v1_stateful_set_spec, "revisionHistoryLimit", "10"),

        /* autoscaling, batch */
        ROW(autoscaling_v1_horizontal_pod_autoscaler_spec, "minReplicas", "1"),
        ROW(autoscaling_v2_horizontal_pod_autoscaler_spec, "minReplicas", "1"),
        ROW(batch_v1_cron_job_spec, "concurrencyPolicy", TEXT("Allow")),
        ROW(batch_v1_cron_job_spec, "failedJobsHistoryLimit", "1"),
        ROW(batch_v1_cron_job_spec, "successfulJobsHistoryLimit", "3"),
        ROW(batch_v1_cron_job_spec, "suspend", "false"),
        ROW(batch_v1_job, "spec.completionMode", TEXT("NonIndexed")),
        ROW(batch_v1_job, "spec.manualSelector", "false"),
        ROW(batch_v1_job, "spec.suspend", "false"),
        ROW(batch_v1_pod_failure_policy_on_pod_conditions_pattern, "status", TEXT("True")),

        /* discovery, flowcontrol, networking */
        ROW(discovery_v1_endpoint_port, "name", TEXT("")),
        ROW(discovery_v1_endpoint_port, "protocol", TEXT("TCP")),
        ROW(flowcontrol_v1_exempt_priority_level_configuration, "lendablePercent", "0"),
        ROW(flowcontrol_v1_exempt_priority_level_configuration, "nominalConcurrencyShares", "0"),
        ROW(flowcontrol_v1_flow_schema_spec, "matchingPrecedence", "1000"),
        ROW(flowcontrol_v1_limited_priority_level_configuration, "lendablePercent", "0"),
        ROW(flowcontrol_v1_limited_priority_level_configuration, "nominalConcurrencyShares", "30"),
        ROW(flowcontrol_v1_queuing_configuration, "handSize", "8"),
        ROW(flowcontrol_v1_queuing_configuration, "queueLengthLimit", "50"),
        ROW(flowcontrol_v1_queuing_configuration, "queues", "64"),
        ROW(networking_v1_ingress_class_parameters_reference, "scope", TEXT("Cluster")),
        ROW(networking_v1_network_policy_port, "protocol", TEXT("TCP")),

        /* rbac, scheduling, storage, and what is left of betas */
        ROW(rbac_v1_cluster_role_binding, "roleRef.apiGroup", RBAC),
        ROW(rbac_v1_role_binding, "roleRef.apiGroup", RBAC),
        ROW_IF(rbac_v1_subject, "apiGroup", RBAC, "kind", "Group"),
        ROW_IF(rbac_v1_subject, "apiGroup", RBAC, "kind", "User"),
        ROW(scheduling_v1_priority_class, "preemptionPolicy", TEXT("PreemptLowerPriority")),
        ROW(storage_v1_csi_driver_spec, "attachRequired", "true"),
        ROW(storage_v1_csi_driver_spec, "fsGroupPolicy", TEXT("ReadWriteOnceWithFSType")),
        ROW(storage_v1_csi_driver_spec, "podInfoOnMount", "false"),
        ROW(storage_v1_csi_driver_spec, "requiresRepublish", "false"),
        ROW(storage_v1_csi_driver_spec, "seLinuxMount", "false"),
        ROW(storage_v1_csi_driver_spec, "storageCapacity", "false"),
        ROW(storage_v1_csi_driver_spec, "volumeLifecycleModes", "[\"Persistent\"]"),
        ROW(storage_v1_storage_class, "reclaimPolicy", TEXT("Delete")),
        ROW(storage_v1_storage_class, "volumeBindingMode", TEXT("Immediate")),
        ROW(storage_v1beta1_csi_driver_spec, "attachRequired", "true"),
        ROW(storage_v1beta1_csi_driver_spec, "fsGroupPolicy", TEXT("ReadWriteOnceWithFSType")),
        ROW(storage_v1beta1_csi_driver_spec, "podInfoOnMount", "false"),
        ROW(storage_v1beta1_csi_driver_spec, "requiresRepublish", "false"),
        ROW(storage_v1beta1_csi_driver_spec, "seLinuxMount", "false"),
        ROW(storage_v1beta1_csi_driver_spec, "storageCapacity", "false"),
        ROW(storage_v1beta1_csi_driver_spec, "volumeLifecycleModes", "[\"Persistent\"]"),
        ROW(storage_v1beta1_storage_class, "reclaimPolicy", TEXT("Delete")),
        ROW(storage_v1beta1_storage_class, "volumeBindingMode", TEXT("Immediate")),
        ROW(certificates_v1beta1_certificate_signing_request_condition, "status", TEXT("True")),
        ROW(networking_v1beta1_http_ingress_path, "pathType", TEXT("ImplementationSpecific")),

        /* resource */
        ROW(resource_v1_exact_device_request, "allocationMode", TEXT("ExactCount")),
        ROW_IF(resource_v1_exact_device_request, "count", "1", "allocationMode", "ExactCount"),
        ROW(resource_v1_device_sub_request, "allocationMode", TEXT("ExactCount")),
        ROW_IF(resource_v1_device_sub_request, "count", "1", "allocationMode", "ExactCount"),
        ROW(resource_v1beta2_exact_device_request, "allocationMode", TEXT("ExactCount")),
        ROW_IF(resource_v1beta2_exact_device_request, "count", "1", "allocationMode", "ExactCount"),
        ROW(resource_v1beta2_device_sub_request, "allocationMode", TEXT("ExactCount")),
        ROW_IF(resource_v1beta2_device_sub_request, "count", "1", "allocationMode", "ExactCount"),
        ROW(resource_v1beta1_device_sub_request, "allocationMode", TEXT("ExactCount")),
        ROW_IF(resource_v1beta1_device_sub_request, "count", "1", "allocationMode", "ExactCount"),
        ROW(resource_v1_node_allocatable_resource_mapping, "allocationMultiplier", TEXT("1")),
        ROW(resource_v1beta2_node_allocatable_resource_mapping, "allocationMultiplier", TEXT("1")),
        ROW(resource_v1beta1_node_allocatable_resource_mapping, "allocationMultiplier", TEXT("1")),
        { .type = NULL },
};

#include "kube/pod_fields.h"

#include "kube/pod.h"

static const char *const dns_policies[] = { "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None", NULL };
static const char *const fs_group_policies[] = { "Always", "OnRootMismatch", NULL };
static const char *const groups_policies[] = { "Merge", "Strict", NULL };

static const struct field object_meta_type_fields[] = {
        ROW("annotations", STRING_MAP, 0, object_meta, annotations),
        ROW("creationTimestamp", STRING, 0, object_meta, creation_timestamp),
        ROW("deletionGracePeriodSeconds", OPT_INT64, 0, object_meta, deletion_grace_period),
        ROW("deletionTimestamp", STRING, 0, object_meta, deletion_timestamp),
        ROW("finalizers", STRINGS, 0, object_meta, finalizers),
        ROW("generateName", STRING, 0, object_meta, generate_name),
        ROW("generation", INT64, 0, object_meta, generation),
        ROW("labels", STRING_MAP, 0, object_meta, labels),
        ROW_KUBE("managedFields", KUBE_LIST, 0, object_meta, managed_fields, kube_managed_fields_entry_type),
        ROW("name", STRING, 0, object_meta, name),
        ROW("namespace", STRING, 0, object_meta, namespace),
        ROW_KUBE("ownerReferences", KUBE_LIST, 0, object_meta, owner_references, kube_owner_reference_type),
        ROW("resourceVersion", STRING, 0, object_meta, resource_version),
        ROW("selfLink", STRING, 0, object_meta, self_link),
        ROW("uid", STRING, 0, object_meta, uid),
};
const struct object_type object_meta_type = OBJECT_TYPE(object_meta, object_meta_type_fields);

static const struct field security_type_fields[] = {
        ROW_OF("appArmorProfile", OBJECT, 0, pod_security, apparmor, profile_type),
        ROW("fsGroup", OPT_INT64, 0, pod_security, fs_group),
        ROW_ENUM("fsGroupChangePolicy", 0, pod_security, fs_group_change_policy, fs_group_policies),
        ROW("runAsGroup", OPT_INT64, 0, pod_security, run_as_group),
        ROW("runAsNonRoot", TRI, 0, pod_security, run_as_non_root),
        ROW("runAsUser", OPT_INT64, 0, pod_security, run_as_user),
        ROW("seLinuxChangePolicy", STRING, FIELD_UNSUPPORTED, pod_security, selinux_change_policy),
        ROW_KUBE("seLinuxOptions", KUBE, 0, pod_security, selinux, kube_se_linux_options_type),
        ROW_OF("seccompProfile", OBJECT, 0, pod_security, seccomp, profile_type),
        ROW("supplementalGroups", INTS, 0, pod_security, supplemental_groups),
        ROW_ENUM("supplementalGroupsPolicy", 0, pod_security, supplemental_groups_policy, groups_policies),
        ROW_KUBE("sysctls", KUBE_LIST, 0, pod_security, sysctls, kube_sysctl_type),
        ROW_KUBE("windowsOptions", KUBE, FIELD_UNSUPPORTED, pod_security, windows_options,
                 kube_windows_security_context_options_type),
};
static const struct object_type security_type = OBJECT_TYPE(pod_security, security_type_fields);

static const struct field pod_spec_type_fields[] = {
        ROW("activeDeadlineSeconds", OPT_INT64, 0, pod_spec, active_deadline),
        ROW_KUBE("affinity", KUBE, 0, pod_spec, affinity, kube_affinity_type),
        ROW("automountServiceAccountToken", TRI, 0, pod_spec, automount_service_account_token),
        ROW_OF("containers", LIST, FIELD_ALWAYS, pod_spec, containers, container_type),
        ROW_KUBE("dnsConfig", KUBE, 0, pod_spec, dns_config, kube_pod_dns_config_type),
        ROW_ENUM("dnsPolicy", 0, pod_spec, dns_policy, dns_policies),
        ROW("enableServiceLinks", TRI, 0, pod_spec, enable_service_links),
        ROW_OF("ephemeralContainers", LIST, 0, pod_spec, ephemeral_containers, ephemeral_container_type),
        ROW_KUBE("hostAliases", KUBE_LIST, 0, pod_spec, host_aliases, kube_host_alias_type),
        ROW("hostIPC", BOOL, 0, pod_spec, host_ipc),
        ROW("hostNetwork", BOOL, 0, pod_spec, host_network),
        ROW("hostPID", BOOL, 0, pod_spec, host_pid),
        ROW("hostUsers", TRI, 0, pod_spec, host_users),
        ROW("hostname", STRING, 0, pod_spec, hostname),
        ROW("hostnameOverride", STRING, 0, pod_spec, hostname_override),
        ROW_KUBE("imagePullSecrets", KUBE_LIST, 0, pod_spec, image_pull_secrets, kube_local_object_reference_type),
        ROW_OF("initContainers", LIST, 0, pod_spec, init_containers, container_type),
        ROW("nodeName", STRING, 0, pod_spec, node_name),
        ROW("nodeSelector", STRING_MAP, 0, pod_spec, node_selector),
        ROW_KUBE("os", KUBE, 0, pod_spec, os, kube_pod_os_type),
        ROW("overhead", RESOURCES, 0, pod_spec, overhead),
        ROW("preemptionPolicy", STRING, 0, pod_spec, preemption_policy),
        ROW("priority", OPT_INT32, 0, pod_spec, priority),
        ROW("priorityClassName", STRING, 0, pod_spec, priority_class_name),
        ROW_KUBE("readinessGates", KUBE_LIST, 0, pod_spec, readiness_gates, kube_pod_readiness_gate_type),
        ROW_KUBE("resourceClaims", KUBE_LIST, 0, pod_spec, resource_claims, kube_pod_resource_claim_type),
        ROW_OF("resources", OBJECT, 0, pod_spec, resources, resources_type),
        ROW_ENUM("restartPolicy", 0, pod_spec, restart_policy, restart_policies),
        ROW("runtimeClassName", STRING, 0, pod_spec, runtime_class_name),
        ROW("schedulerName", STRING, 0, pod_spec, scheduler_name),
        ROW_KUBE("schedulingGates", KUBE_LIST, 0, pod_spec, scheduling_gates, kube_pod_scheduling_gate_type),
        ROW_KUBE("schedulingGroup", KUBE, FIELD_UNSUPPORTED, pod_spec, scheduling_group,
                 kube_pod_scheduling_group_type),
        ROW_OF("securityContext", OBJECT, 0, pod_spec, security, security_type),
        ROW("serviceAccount", STRING, 0, pod_spec, service_account),
        ROW("serviceAccountName", STRING, 0, pod_spec, service_account_name),
        ROW("setHostnameAsFQDN", TRI, 0, pod_spec, set_hostname_as_fqdn),
        ROW("shareProcessNamespace", TRI, 0, pod_spec, share_process_namespace),
        ROW("subdomain", STRING, 0, pod_spec, subdomain),
        ROW("terminationGracePeriodSeconds", OPT_INT64, 0, pod_spec, termination_grace_period),
        ROW_KUBE("tolerations", KUBE_LIST, 0, pod_spec, tolerations, kube_toleration_type),
        ROW_KUBE("topologySpreadConstraints", KUBE_LIST, FIELD_UNSUPPORTED, pod_spec, topology_spread_constraints,
                 kube_topology_spread_constraint_type),
        ROW_KUBE("volumes", KUBE_LIST, 0, pod_spec, volumes, kube_volume_type),
};
const struct object_type pod_spec_type = OBJECT_TYPE(pod_spec, pod_spec_type_fields);

static const struct field pod_type_fields[] = {
        ROW("apiVersion", IGNORED, 0, pod, metadata),
        ROW("kind", IGNORED, 0, pod, metadata),
        ROW_OF("metadata", EMBED, 0, pod, metadata, object_meta_type),
        ROW_OF("spec", EMBED, 0, pod, spec, pod_spec_type),
        ROW("status", IGNORED_MAP, 0, pod, metadata),
};
const struct object_type pod_type = OBJECT_TYPE(pod, pod_type_fields);

#include "kube/pod_fields.h"

#include "kube/pod.h"

const char *const restart_policies[] = { "Always", "OnFailure", "Never", NULL };
static const char *const propagations[] = { "None", "HostToContainer", "Bidirectional", NULL };
static const char *const recursive_read_only[] = { "Disabled", "IfPossible", "Enabled", NULL };
static const char *const message_policies[] = { "File", "FallbackToLogsOnError", NULL };
static const char *const proc_mounts[] = { "Default", "Unmasked", NULL };
static const char *const profile_types[] = { "Unconfined", "RuntimeDefault", "Localhost", NULL };
static const char *const resize_restarts[] = { "NotRequired", "RestartContainer", NULL };
static const char *const exit_code_operators[] = { "In", "NotIn", NULL };

static const struct field profile_type_fields[] = {
        ROW("localhostProfile", STRING, 0, pod_profile, localhost_profile),
        ROW_ENUM("type", FIELD_ALWAYS, pod_profile, type, profile_types),
};
const struct object_type profile_type = OBJECT_TYPE(pod_profile, profile_type_fields);

static const struct field resources_type_fields[] = {
        ROW_KUBE("claims", KUBE_LIST, FIELD_UNSUPPORTED, pod_resources, claims, kube_resource_claim_type),
        ROW("limits", RESOURCES, 0, pod_resources, limits),
        ROW("requests", RESOURCES, 0, pod_resources, requests),
};
const struct object_type resources_type = OBJECT_TYPE(pod_resources, resources_type_fields);

static const struct field resize_type_fields[] = {
        ROW("resourceName", STRING, FIELD_ALWAYS, pod_resize_policy, resource_name),
        ROW_ENUM("restartPolicy", FIELD_ALWAYS, pod_resize_policy, restart_policy, resize_restarts),
};
static const struct object_type resize_type = OBJECT_TYPE(pod_resize_policy, resize_type_fields);

static const struct field mount_type_fields[] = {
        ROW("mountPath", STRING, FIELD_ALWAYS, pod_volume_mount, mount_path),
        ROW_ENUM("mountPropagation", 0, pod_volume_mount, mount_propagation, propagations),
        ROW("name", STRING, FIELD_ALWAYS, pod_volume_mount, name),
        ROW("readOnly", BOOL, 0, pod_volume_mount, read_only),
        ROW_ENUM("recursiveReadOnly", 0, pod_volume_mount, recursive_read_only, recursive_read_only),
        ROW("subPath", STRING, 0, pod_volume_mount, sub_path),
        ROW("subPathExpr", STRING, 0, pod_volume_mount, sub_path_expr),
};
static const struct object_type mount_type = OBJECT_TYPE(pod_volume_mount, mount_type_fields);

static const struct field container_security_type_fields[] = {
        ROW("allowPrivilegeEscalation", TRI, 0, pod_container_security, allow_privilege_escalation),
        ROW_OF("appArmorProfile", OBJECT, 0, pod_container_security, apparmor, profile_type),
        ROW_KUBE("capabilities", KUBE, 0, pod_container_security, capabilities, kube_capabilities_type),
        ROW("privileged", TRI, 0, pod_container_security, privileged),
        ROW_ENUM("procMount", 0, pod_container_security, proc_mount, proc_mounts),
        ROW("readOnlyRootFilesystem", TRI, 0, pod_container_security, read_only_root_filesystem),
        ROW("runAsGroup", OPT_INT64, 0, pod_container_security, run_as_group),
        ROW("runAsNonRoot", TRI, 0, pod_container_security, run_as_non_root),
        ROW("runAsUser", OPT_INT64, 0, pod_container_security, run_as_user),
        ROW_KUBE("seLinuxOptions", KUBE, 0, pod_container_security, selinux, kube_se_linux_options_type),
        ROW_OF("seccompProfile", OBJECT, 0, pod_container_security, seccomp, profile_type),
        ROW_KUBE("windowsOptions", KUBE, FIELD_UNSUPPORTED, pod_container_security, windows_options,
                 kube_windows_security_context_options_type),
};
static const struct object_type container_security_type =
        OBJECT_TYPE(pod_container_security, container_security_type_fields);

static const struct field exit_codes_type_fields[] = {
        ROW_ENUM("operator", FIELD_ALWAYS, pod_exit_codes, operator, exit_code_operators),
        ROW("values", INTS, 0, pod_exit_codes, values),
};
static const struct object_type exit_codes_type = OBJECT_TYPE(pod_exit_codes, exit_codes_type_fields);

static const struct field restart_rule_type_fields[] = {
        ROW("action", STRING, FIELD_ALWAYS, pod_restart_rule, action),
        ROW_OF("exitCodes", OBJECT, 0, pod_restart_rule, exit_codes, exit_codes_type),
};
static const struct object_type restart_rule_type = OBJECT_TYPE(pod_restart_rule, restart_rule_type_fields);

static const struct field container_type_fields[] = {
        ROW("args", STRINGS, 0, pod_container, args),
        ROW("command", STRINGS, 0, pod_container, command),
        ROW_KUBE("env", KUBE_LIST, 0, pod_container, env, kube_env_var_type),
        ROW_KUBE("envFrom", KUBE_LIST, 0, pod_container, env_from, kube_env_from_source_type),
        ROW("image", STRING, 0, pod_container, image),
        ROW("imagePullPolicy", STRING, 0, pod_container, image_pull_policy),
        ROW_KUBE("lifecycle", KUBE, 0, pod_container, lifecycle, kube_lifecycle_type),
        ROW_KUBE("livenessProbe", KUBE, 0, pod_container, liveness_probe, kube_probe_type),
        ROW("name", STRING, FIELD_ALWAYS, pod_container, name),
        ROW_KUBE("ports", KUBE_LIST, 0, pod_container, ports, kube_container_port_type),
        ROW_KUBE("readinessProbe", KUBE, 0, pod_container, readiness_probe, kube_probe_type),
        ROW_OF("resizePolicy", LIST, FIELD_UNSUPPORTED, pod_container, resize_policy, resize_type),
        ROW_OF("resources", EMBED, 0, pod_container, resources, resources_type),
        ROW_ENUM("restartPolicy", 0, pod_container, restart_policy, restart_policies),
        ROW_OF("restartPolicyRules", LIST, 0, pod_container, restart_policy_rules, restart_rule_type),
        ROW_OF("securityContext", OBJECT, 0, pod_container, security, container_security_type),
        ROW_KUBE("startupProbe", KUBE, 0, pod_container, startup_probe, kube_probe_type),
        ROW("stdin", BOOL, 0, pod_container, stdin_open),
        ROW("stdinOnce", BOOL, 0, pod_container, stdin_once),
        ROW("terminationMessagePath", STRING, 0, pod_container, termination_message_path),
        ROW_ENUM("terminationMessagePolicy", 0, pod_container, termination_message_policy, message_policies),
        ROW("tty", BOOL, 0, pod_container, tty),
        ROW_KUBE("volumeDevices", KUBE_LIST, FIELD_UNSUPPORTED, pod_container, volume_devices, kube_volume_device_type),
        ROW_OF("volumeMounts", LIST, 0, pod_container, volume_mounts, mount_type),
        ROW("workingDir", STRING, 0, pod_container, working_dir),
};
const struct object_type container_type = OBJECT_TYPE(pod_container, container_type_fields);

static const struct field ephemeral_container_type_fields[] = {
        ROW("args", STRINGS, 0, pod_container, args),
        ROW("command", STRINGS, 0, pod_container, command),
        ROW_KUBE("env", KUBE_LIST, 0, pod_container, env, kube_env_var_type),
        ROW_KUBE("envFrom", KUBE_LIST, 0, pod_container, env_from, kube_env_from_source_type),
        ROW("image", STRING, 0, pod_container, image),
        ROW("imagePullPolicy", STRING, 0, pod_container, image_pull_policy),
        ROW_KUBE("lifecycle", KUBE, 0, pod_container, lifecycle, kube_lifecycle_type),
        ROW_KUBE("livenessProbe", KUBE, 0, pod_container, liveness_probe, kube_probe_type),
        ROW("name", STRING, FIELD_ALWAYS, pod_container, name),
        ROW_KUBE("ports", KUBE_LIST, 0, pod_container, ports, kube_container_port_type),
        ROW_KUBE("readinessProbe", KUBE, 0, pod_container, readiness_probe, kube_probe_type),
        ROW_OF("resizePolicy", LIST, FIELD_UNSUPPORTED, pod_container, resize_policy, resize_type),
        ROW_OF("resources", EMBED, 0, pod_container, resources, resources_type),
        ROW_ENUM("restartPolicy", 0, pod_container, restart_policy, restart_policies),
        ROW_OF("restartPolicyRules", LIST, 0, pod_container, restart_policy_rules, restart_rule_type),
        ROW_OF("securityContext", OBJECT, 0, pod_container, security, container_security_type),
        ROW_KUBE("startupProbe", KUBE, 0, pod_container, startup_probe, kube_probe_type),
        ROW("stdin", BOOL, 0, pod_container, stdin_open),
        ROW("stdinOnce", BOOL, 0, pod_container, stdin_once),
        ROW("targetContainerName", STRING, 0, pod_container, target_container_name),
        ROW("terminationMessagePath", STRING, 0, pod_container, termination_message_path),
        ROW_ENUM("terminationMessagePolicy", 0, pod_container, termination_message_policy, message_policies),
        ROW("tty", BOOL, 0, pod_container, tty),
        ROW_KUBE("volumeDevices", KUBE_LIST, FIELD_UNSUPPORTED, pod_container, volume_devices, kube_volume_device_type),
        ROW_OF("volumeMounts", LIST, 0, pod_container, volume_mounts, mount_type),
        ROW("workingDir", STRING, 0, pod_container, working_dir),
};
const struct object_type ephemeral_container_type = OBJECT_TYPE(pod_container, ephemeral_container_type_fields);

/* The container of a pod's spec, field by field: core/v1 Container. See kube/pod.h for who owns it. */
#pragma once

#include "kube/core_v1.h"
#include "kube/types.h"

struct json_writer;

enum pod_restart_policy { RESTART_UNSET, RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };
enum pod_propagation { PROPAGATION_UNSET, PROPAGATION_NONE, PROPAGATION_HOST_TO_CONTAINER, PROPAGATION_BIDIRECTIONAL };
enum pod_recursive_read_only { RRO_UNSET, RRO_DISABLED, RRO_IF_POSSIBLE, RRO_ENABLED };
enum pod_message_policy { MESSAGE_UNSET, MESSAGE_FILE, MESSAGE_FALLBACK_TO_LOGS };
enum pod_proc_mount { PROC_MOUNT_UNSET, PROC_MOUNT_DEFAULT, PROC_MOUNT_UNMASKED };
enum pod_profile_type { PROFILE_UNSET, PROFILE_UNCONFINED, PROFILE_RUNTIME_DEFAULT, PROFILE_LOCALHOST };
enum pod_resize_restart { RESIZE_UNSET, RESIZE_NOT_REQUIRED, RESIZE_RESTART_CONTAINER };

struct pod_resources {
        resource_list limits, requests;
        LIST_OF(struct kube_resource_claim) claims;
};

struct pod_resize_policy {
        const char *resource_name;
        enum pod_resize_restart restart_policy;
};

struct pod_volume_mount {
        const char *name, *mount_path, *sub_path, *sub_path_expr;
        bool read_only;
        enum pod_recursive_read_only recursive_read_only;
        enum pod_propagation mount_propagation;
};

struct pod_profile { /* seccomp or AppArmor */
        enum pod_profile_type type;
        const char *localhost_profile;
};

struct pod_container_security {
        struct kube_capabilities *capabilities;
        enum tri privileged, run_as_non_root, read_only_root_filesystem, allow_privilege_escalation;
        struct kube_se_linux_options *selinux;
        struct opt_int run_as_user, run_as_group;
        enum pod_proc_mount proc_mount;
        struct kube_windows_security_context_options *windows_options;
        struct pod_profile *seccomp, *apparmor;
};

enum pod_exit_code_operator { EXIT_CODES_UNSET, EXIT_CODES_IN, EXIT_CODES_NOT_IN };

struct pod_exit_codes {
        enum pod_exit_code_operator operator;
        int_list values;
};

struct pod_restart_rule {
        const char *action; /* "Restart", "RestartAllContainers" */
        struct pod_exit_codes *exit_codes;
};

struct pod_container {
        const char *name, *image;
        string_list command, args;
        const char *working_dir;
        LIST_OF(struct kube_container_port) ports;
        LIST_OF(struct kube_env_from_source) env_from;
        LIST_OF(struct kube_env_var) env;
        struct pod_resources resources;
        LIST_OF(struct pod_resize_policy) resize_policy;
        enum pod_restart_policy restart_policy; /* ALWAYS in an init container: a sidecar */
        LIST_OF(struct pod_restart_rule) restart_policy_rules;
        LIST_OF(struct pod_volume_mount) volume_mounts;
        LIST_OF(struct kube_volume_device) volume_devices;
        struct kube_probe *liveness_probe, *readiness_probe, *startup_probe;
        struct kube_lifecycle *lifecycle;
        const char *termination_message_path;
        enum pod_message_policy termination_message_policy;
        const char *image_pull_policy;
        struct pod_container_security *security;
        bool stdin_open, stdin_once, tty;
        const char *target_container_name; /* ephemeral containers only */
};
typedef LIST_OF(struct pod_container) pod_container_list;

/* An init container with restartPolicy Always: started in its turn, kept running beside the containers. */
static inline bool pod_container_is_sidecar(const struct pod_container *init_container) {
        return init_container->restart_policy == RESTART_ALWAYS;
}

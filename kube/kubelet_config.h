/* The agent's configuration: kubelet.config.k8s.io/v1beta1 KubeletConfiguration, the fields that an agent can use.
 *
 * Every field has kubelet's default unless said otherwise; a field that nacelle does not use, or that does not exist,
 * is named in a warning with its line, never dropped in silence.
 */
#pragma once

#include "kube/types.h"

struct arena;
struct err;
struct problems;

/* One of evictionHard, evictionSoft: "memory.available" below "100Mi" or "10%". */
struct eviction_threshold {
        const char *signal;
        struct quantity amount; /* counts when @percent is 0 */
        double percent;
};
typedef LIST_OF(struct eviction_threshold) eviction_list;

/* Durations are milliseconds. Strings live in the arena the configuration was read into; NULL: not given. */
struct kubelet_config {
        const char *static_pod_path, *pod_logs_dir, *container_runtime_endpoint, *image_service_endpoint;
        int64_t file_check_frequency, sync_frequency;

        const char *address, *healthz_bind_address;
        int32_t port, read_only_port, healthz_port;

        const char *container_log_max_size_text;
        int64_t container_log_max_size; /* bytes */
        int32_t container_log_max_files;

        const char *cgroup_root, *cgroup_driver;
        enum tri cgroups_per_qos, cpu_cfs_quota, fail_cgroup_v1, fail_swap_on, single_process_oom_kill;
        int64_t cpu_cfs_quota_period;
        const char *cpu_manager_policy, *memory_manager_policy, *topology_manager_policy;
        string_list enforce_node_allocatable;
        resource_list system_reserved, kube_reserved;
        const char *reserved_system_cpus;
        int64_t pod_pids_limit; /* -1: none */
        int32_t max_pods, pods_per_core;
        int64_t max_open_files;
        int32_t oom_score_adj;

        const char *pod_cidr, *cluster_domain, *resolv_conf, *hairpin_mode;
        string_list cluster_dns;
        enum tri make_iptables_util_chains;

        eviction_list eviction_hard, eviction_soft, eviction_minimum_reclaim;
        string_map eviction_soft_grace_period;
        int64_t eviction_pressure_transition_period;
        int32_t eviction_max_pod_grace_period;

        int64_t image_minimum_gc_age, image_maximum_gc_age;
        int32_t image_gc_high_threshold, image_gc_low_threshold; /* percent */
        int32_t registry_pull_qps, registry_burst;
        enum tri serialize_image_pulls;
        int32_t max_parallel_image_pulls; /* 0: no limit */
        int64_t max_container_restart_period; /* crashLoopBackOff.maxContainerRestartPeriod */

        int64_t shutdown_grace_period, shutdown_grace_period_critical_pods;
        int64_t runtime_request_timeout, streaming_connection_idle_timeout, node_status_update_frequency;
        string_list allowed_unsafe_sysctls;
        enum tri seccomp_default, enable_debugging_handlers, enable_server, register_node, local_storage_isolation;
        string_map feature_gates, node_labels, static_pod_url_header;
        int32_t logging_verbosity;
        const char *logging_format;
        const char *provider_id, *user_namespaces_ids_per_pod;
};

/* kubelet's defaults. */
void kubelet_config_default(struct kubelet_config *config);

/* Reads @text into @ret_config, defaults filled in. Warnings and errors go to @problems; -EINVAL when there is an
 * error, with all of them in *err. @file names the text in them. */
int kubelet_config_read(struct arena *arena, const char *file, const char *text, size_t length,
                        struct problems *problems, struct kubelet_config *ret_config, struct err **err);

/* Pods as Kubernetes defines them: core/v1 Pod, from manifest to a typed, defaulted and checked object.
 *
 * A struct pod is immutable once read, lives in one arena with everything it points to, and is counted: whoever keeps
 * it takes a reference. Field names are the API's in C's spelling; comments only say what the API's reference does
 * not. Decoding walks tables (kube/field.h, kube/pod_fields.c), so a new field is a row.
 */
#pragma once

#include <stdatomic.h>

#include "kube/container.h"
#include "kube/meta.h"

struct arena;
struct err;
struct json_writer;
struct problems;
struct value;

#define POD_UID_MAX 128
#define POD_VOLUME_MODE_DEFAULT 0644 /* defaultMode of configMap, secret, downwardAPI and projected volumes */
#define POD_MANIFEST_BYTES_MAX ((size_t)1 << 20) /* as large as etcd takes an object, about */

enum pod_dns_policy {
        DNS_UNSET,
        DNS_CLUSTER_FIRST,
        DNS_CLUSTER_FIRST_WITH_HOST_NET,
        DNS_DEFAULT,
        DNS_NONE,
};
enum pod_fs_group_policy { FS_GROUP_UNSET, FS_GROUP_ALWAYS, FS_GROUP_ON_ROOT_MISMATCH };
enum pod_groups_policy { GROUPS_UNSET, GROUPS_MERGE, GROUPS_STRICT };

struct pod_security {
        struct kube_se_linux_options *selinux;
        struct kube_windows_security_context_options *windows_options;
        const char *selinux_change_policy;
        struct opt_int run_as_user, run_as_group, fs_group;
        enum tri run_as_non_root;
        int_list supplemental_groups;
        enum pod_groups_policy supplemental_groups_policy;
        LIST_OF(struct kube_sysctl) sysctls;
        enum pod_fs_group_policy fs_group_change_policy;
        struct pod_profile *seccomp, *apparmor;
};

struct pod_spec {
        kube_volume_items volumes;
        pod_container_list init_containers, containers, ephemeral_containers;
        enum pod_restart_policy restart_policy;
        struct opt_int termination_grace_period, active_deadline; /* seconds */
        enum pod_dns_policy dns_policy;
        struct kube_pod_dns_config *dns_config;
        string_map node_selector;
        const char *service_account_name, *service_account, *node_name;
        enum tri automount_service_account_token;
        bool host_network, host_pid, host_ipc;
        enum tri host_users, share_process_namespace, set_hostname_as_fqdn, enable_service_links;
        struct pod_security *security; /* never NULL after defaulting */
        LIST_OF(struct kube_local_object_reference) image_pull_secrets;
        LIST_OF(struct kube_pod_scheduling_gate) scheduling_gates;
        const char *hostname, *subdomain, *hostname_override;
        LIST_OF(struct kube_host_alias) host_aliases;
        const char *scheduler_name, *priority_class_name, *preemption_policy, *runtime_class_name;
        struct opt_int priority;
        LIST_OF(struct kube_toleration) tolerations;
        LIST_OF(struct kube_pod_readiness_gate) readiness_gates;
        resource_list overhead;
        struct pod_resources *resources; /* of the pod as a whole; NULL: not given */
        LIST_OF(struct kube_pod_resource_claim) resource_claims;
        struct kube_pod_os *os;
        struct kube_affinity *affinity;
        LIST_OF(struct kube_topology_spread_constraint) topology_spread_constraints;
        struct kube_pod_scheduling_group *scheduling_group;
};

struct pod {
        struct object_meta metadata;
        struct pod_spec spec;
        const char *file; /* where a static pod was read from; NULL otherwise */

        struct arena *arena; /* owns all of the above and the pod itself */
        atomic_uint references;
};

struct pod_static_options {
        const char *file;      /* path of the manifest: part of the pod's identity, and named in errors */
        const char *node_name; /* the pod's name ends in it, in lower case */
        const char *seen;      /* RFC 3339 time for the annotation kubernetes.io/config.seen; NULL: now */
};

/* Reads a static pod from the manifest @text (YAML or JSON) as kubelet's file source does: decoded strictly,
 * defaulted as by the API server, given UID (the hash of manifest, node and file), name, namespace, annotations and
 * toleration of a static pod, and validated, also against references to API objects.
 *
 * Unknown fields and those that nacelle does not support become warnings in @problems, with their lines. Returns 0,
 * or -EINVAL with every error in @problems and their text, one after the other, in *err; *ret_pod has one reference.
 */
int pod_read_static(const char *text, size_t length, const struct pod_static_options *options,
                    struct problems *problems, struct pod **ret_pod, struct err **err);

/* The steps of which pod_read_static() is made. pod_decode() makes a pod of @value in an arena of its own (nothing of
 * the source is kept); -EINVAL when @problems got an error. pod_default() fills in what the API server would: -ENOMEM
 * or 0. pod_validate() adds each violation to @problems. All before the pod is shared. */
int pod_decode(const struct value *value, struct problems *problems, struct pod **ret_pod);
int pod_default(struct pod *pod);
void pod_validate(const struct pod *pod, struct problems *problems);

struct pod *pod_ref(struct pod *pod);

/* Drops a reference; the last one frees the pod. NULL is fine. Returns NULL. */
struct pod *pod_unref(struct pod *pod);

void pod_unrefp(struct pod **pod);
#define _cleanup_pod_ __attribute__((cleanup(pod_unrefp)))

/* Writes the pod as the API's JSON, apiVersion and kind first, without status. */
void pod_write(const struct pod *pod, struct json_writer *w);
void pod_write_given(const struct pod *pod, struct json_writer *w); /* without defaults that are empty values */

/* The container of that name among all three lists; NULL when there is none. */
const struct pod_container *pod_find_container(const struct pod *pod, const char *name);
const struct kube_volume *pod_find_volume(const struct pod *pod, const char *name);

/* The row of the source that @volume has, the first of several, and the source itself; NULL when it has none. */
const struct kube_field *pod_volume_source(const struct kube_volume *volume, const void **ret_source);

/* The port @port stands for in @container, by number or by one of its ports' names; 0 when there is no such name. */
uint16_t pod_resolve_port(const struct pod_container *container, const struct int_or_string *port);

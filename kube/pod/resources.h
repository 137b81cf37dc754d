/* What a pod's requests and limits come to: QoS class, totals by the init container and sidecar rules, and the numbers
 * that CRI and the kernel take.
 *
 * Rules: kubelet's cm/helpers_linux.go and qos/policy.go; component-helpers/resource (PodRequests, PodLimits); KEP-753
 * for sidecars.
 */
#pragma once

#include "kube/pod/pod.h"

enum pod_qos { QOS_BEST_EFFORT, QOS_BURSTABLE, QOS_GUARANTEED };

#define POD_CPU_SHARES_MIN 2
#define POD_CPU_SHARES_MAX 262144
#define POD_CPU_PERIOD_DEFAULT 100000 /* microseconds */
#define POD_CPU_QUOTA_MIN 1000
#define POD_OOM_SCORE_GUARANTEED (-997)
#define POD_OOM_SCORE_BEST_EFFORT 1000
#define POD_PRIORITY_CRITICAL 2000000000

enum pod_qos pod_qos(const struct pod *pod);

/* "Guaranteed", "Burstable", "BestEffort". */
const char *pod_qos_name(enum pod_qos qos);

/* What the pod asks for of resource @name: the larger of the containers' sum and of what each init container needs
 * beside the sidecars started before it, pod-level resources before both, overhead added. Zero when nothing is. */
struct quantity pod_request(const struct pod *pod, const char *name);

/* The same of limits. False when some container has no limit of @name: then the pod has none. */
bool pod_limit(const struct pod *pod, const char *name, struct quantity *ret_limit);

/* Whether a pod may have an amount of resource @name for itself, beside its containers' (KEP-2837). */
bool pod_level_takes(const char *name);

/* Whether the containers' amounts are few enough for their totals to be made: those take time by their square. */
#define POD_AMOUNTS_MAX 1024
bool pod_can_total(const struct kube_pod_spec *spec);

/* The containers' totals of every resource, by the same rules, without pod-level resources and overhead; added to
 * *list, in @arena. False without memory. */
bool pod_container_requests(struct arena *arena, const struct pod *pod, resource_list *list);
bool pod_container_limits(struct arena *arena, const struct pod *pod, resource_list *list);

/* The same with pod-level resources in the place of the containers' where those say something. */
bool pod_requests(struct arena *arena, const struct pod *pod, resource_list *list);
bool pod_limits(struct arena *arena, const struct pod *pod, resource_list *list);

/* Adds the pod's overhead to such requests or limits: what the pod takes of the node. False without memory. */
bool pod_add_overhead(struct arena *arena, const struct pod *pod, bool limits, resource_list *list);

/* A container's own; false when it has none. */
bool pod_container_request(const struct kube_container *container, const char *name, struct quantity *ret_request);
bool pod_container_limit(const struct kube_container *container, const char *name, struct quantity *ret_limit);

/* The limit that holds for the container: its own, else the pod's as a whole. */
bool pod_container_bound(const struct pod *pod, const struct kube_container *container, const char *name,
                         struct quantity *ret_limit);

/* CPU shares (cgroup v1 scale) for @milli; 0 gives the minimum. */
uint64_t pod_cpu_shares(int64_t milli);

/* CFS quota in microseconds of each @period for @milli; 0 (no quota) for 0, at least POD_CPU_QUOTA_MIN. */
int64_t pod_cpu_quota(int64_t milli, int64_t period);

/* oom_score_adj of a container on a node with @node_memory bytes. */
int pod_oom_score_adj(const struct pod *pod, const struct kube_container *container, int64_t node_memory);

/* The few kinds that a node asks for: the registry would bring the types of all others along. */
#include "agent/cluster/internal.h"
#include "kube/coordination_v1.h"

const struct kube_kind cluster_nodes = {
        .group = "", .version = "v1", .kind = "Node", .type = &kube_node_type, .resource = "nodes"
};

const struct kube_kind cluster_pods = {
        .group = "", .version = "v1", .kind = "Pod", .type = &kube_pod_type, .resource = "pods", .namespaced = true
};

const struct kube_kind cluster_leases = { .group = "coordination.k8s.io",
                                          .version = "v1",
                                          .kind = "Lease",
                                          .type = &kube_coordination_v1_lease_type,
                                          .resource = "leases",
                                          .namespaced = true };

const struct kube_kind cluster_event_kind = { .group = "",
                                              .version = "v1",
                                              .kind = "Event",
                                              .type = &kube_event_type,
                                              .resource = "events",
                                              .namespaced = true };

/* The few kinds that are asked for: the registry would bring the types of all others along. */
#include "kube/core_v1.h"
#include "kube/discovery_v1.h"
#include "services/internal.h"

const struct kube_kind services_nodes = {
        .group = "", .version = "v1", .kind = "Node", .type = &kube_node_type, .resource = "nodes"
};

const struct kube_kind services_services = { .group = "",
                                             .version = "v1",
                                             .kind = "Service",
                                             .type = &kube_service_type,
                                             .resource = "services",
                                             .namespaced = true };

const struct kube_kind services_slices = { .group = "discovery.k8s.io",
                                           .version = "v1",
                                           .kind = "EndpointSlice",
                                           .type = &kube_discovery_v1_endpoint_slice_type,
                                           .resource = "endpointslices",
                                           .namespaced = true };

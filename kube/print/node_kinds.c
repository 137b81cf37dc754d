#include "kube/print/cells.h"
#include "lib/cleanup.h"

static const struct print_column node_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Status", "string", 0, print_node_status,
                   "status.conditions.type status.conditions.status spec.unschedulable", NULL,
                   "The status of the node"),
        PRINT_MADE("Roles", "string", 0, print_node_roles, "metadata.labels", NULL, "The roles of the node"),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("Version", "string", 0, PRINT_TEXT, "status.nodeInfo.kubeletVersion", NULL,
                    "Kubelet Version reported by the node."),
        PRINT_MADE("Internal-IP", "string", 1, print_node_address, "status.addresses", "InternalIP",
                   "List of addresses reachable to the node. Queried from cloud provider, if available. More info: "
                   "https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as "
                   "mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it "
                   "is merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an "
                   "example. Consumers should assume that addresses can change during the lifetime of a Node. However, "
                   "there are some exceptions where this may not be possible, such as Pods that inherit a Node's "
                   "address in its own status or consumers of the downward API (status.hostIP)."),
        PRINT_MADE("External-IP", "string", 1, print_node_address, "status.addresses", "ExternalIP",
                   "List of addresses reachable to the node. Queried from cloud provider, if available. More info: "
                   "https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as "
                   "mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it "
                   "is merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an "
                   "example. Consumers should assume that addresses can change during the lifetime of a Node. However, "
                   "there are some exceptions where this may not be possible, such as Pods that inherit a Node's "
                   "address in its own status or consumers of the downward API (status.hostIP)."),
        PRINT_FIELD("OS-Image", "string", 1, PRINT_TEXT_SET, "status.nodeInfo.osImage", "<unknown>",
                    "OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy))."),
        PRINT_MADE("Kernel-Version", "string", 1, print_node_kernel,
                   "status.nodeInfo.kernelVersion status.nodeInfo.architecture", NULL,
                   "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64)."),
        PRINT_FIELD(
                "Container-Runtime", "string", 1, PRINT_TEXT_SET, "status.nodeInfo.containerRuntimeVersion",
                "<unknown>",
                "ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2)."),
};

static const struct print_column runtime_class_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Handler", "string", 0, PRINT_TEXT, "handler", NULL, ""),
        PRINT_AGE_COLUMN,
};

/* As metrics-server has them. */
#define SUM_COLUMN(name)                                                                                               \
        { name, "string", "quantity", "", 0, PRINT_CELL, "containers.usage." name, name, print_sum, NULL }
#define WINDOW_COLUMN                                                                                                  \
        { "Window", "string", "duration", "", 0, PRINT_TEXT, "window", NULL, NULL, NULL }

static const struct print_column node_metrics_columns[] = {
        { "Name", "string", "name", "Name of the resource", 0, PRINT_TEXT, "metadata.name", NULL, NULL, NULL },
        { "cpu", "string", "quantity", "", 0, PRINT_TEXT, "usage.cpu", "0", NULL, NULL },
        { "memory", "string", "quantity", "", 0, PRINT_TEXT, "usage.memory", "0", NULL, NULL },
        WINDOW_COLUMN,
};

static const struct print_column pod_metrics_columns[] = {
        { "Name", "string", "name", "Name of the resource", 0, PRINT_TEXT, "metadata.name", NULL, NULL, NULL },
        SUM_COLUMN("cpu"),
        SUM_COLUMN("memory"),
        WINDOW_COLUMN,
};

const struct print_kind print_node_kinds[] = {
        PRINT_KIND("", "Node", node_columns),
        PRINT_KIND("node.k8s.io", "RuntimeClass", runtime_class_columns),
        PRINT_KIND("metrics.k8s.io", "NodeMetrics", node_metrics_columns),
        PRINT_KIND("metrics.k8s.io", "PodMetrics", pod_metrics_columns),
        { .kind = NULL },
};

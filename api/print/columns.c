#include "api/print/columns.h"

#include <string.h>

#include "api/print/cells.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"

#define NAME                                                                                                           \
        { "Name", "string", "name", 0, print_text, "metadata.name" }
#define AGE                                                                                                            \
        { "Age", "string", "", 0, print_since, "metadata.creationTimestamp" }
#define TEXT(title, path)                                                                                              \
        { title, "string", "", 0, print_text, path }
#define OR_NONE(title, path)                                                                                           \
        { title, "string", "", 0, print_text_or_none, path }
#define OR_UNSET(title, path)                                                                                          \
        { title, "string", "", 0, print_text_or_unset, path }
#define NUMBER(title, path)                                                                                            \
        { title, "integer", "", 0, print_number, path }
#define COUNT(title, path)                                                                                             \
        { title, "integer", "", 0, print_count, path }
#define TRUTH(title, path)                                                                                             \
        { title, "boolean", "", 0, print_truth, path }
#define OWN(title, cell)                                                                                               \
        { title, "string", "", 0, print_##cell, "" }
#define WIDE(title, cell, path)                                                                                        \
        { title, "string", "", 1, print_##cell, path }
#define CONTAINERS(path) WIDE("Containers", container_names, path), WIDE("Images", container_images, path)

static const struct print_column usual[] = {
        NAME, { "Created At", "date", "", 0, print_time, "metadata.creationTimestamp" }
};

#define CELL(title, cell, path)                                                                                        \
        { title, "string", "", 0, print_##cell, path }
#define TEMPLATE "spec.template.spec"

static const struct print_column configmaps[] = { NAME, OWN("Data", data), AGE };
static const struct print_column secrets[] = { NAME, TEXT("Type", "type"), CELL("Data", count, "data"), AGE };
static const struct print_column namespaces[] = { NAME, TEXT("Status", "status.phase"), AGE };
static const struct print_column name_age[] = { NAME, AGE };
static const struct print_column pods[] = {
        NAME,
        OWN("Ready", pod_ready),
        OWN("Status", pod_status),
        OWN("Restarts", pod_restarts),
        AGE,
        WIDE("IP", text_or_none, "status.podIP"),
        WIDE("Node", text_or_none, "spec.nodeName"),
        WIDE("Nominated Node", text_or_none, "status.nominatedNodeName"),
        WIDE("Readiness Gates", text_or_none, "spec.readinessGates[0].conditionType"),
};
static const struct print_column nodes[] = {
        NAME,
        OWN("Status", node_status),
        OWN("Roles", node_roles),
        AGE,
        TEXT("Version", "status.nodeInfo.kubeletVersion"),
        WIDE("Internal-IP", node_address, "InternalIP"),
        WIDE("External-IP", node_address, "ExternalIP"),
        WIDE("OS-Image", text, "status.nodeInfo.osImage"),
        WIDE("Kernel-Version", text, "status.nodeInfo.kernelVersion"),
        WIDE("Container-Runtime", text, "status.nodeInfo.containerRuntimeVersion"),
};
static const struct print_column services[] = {
        NAME,
        TEXT("Type", "spec.type"),
        OR_NONE("Cluster-IP", "spec.clusterIP"),
        OWN("External-IP", service_external),
        OWN("Port(s)", service_ports),
        AGE,
        WIDE("Selector", selector, "spec.selector"),
};
static const struct print_column endpoints[] = { NAME, OWN("Endpoints", endpoints), AGE };
static const struct print_column claims[] = {
        NAME,
        TEXT("Status", "status.phase"),
        TEXT("Volume", "spec.volumeName"),
        TEXT("Capacity", "status.capacity.storage"),
        CELL("Access Modes", access_modes, "status.accessModes"),
        TEXT("StorageClass", "spec.storageClassName"),
        OR_UNSET("VolumeAttributesClass", "spec.volumeAttributesClassName"),
        AGE,
        WIDE("VolumeMode", text_or_unset, "spec.volumeMode"),
};
static const struct print_column volumes[] = {
        NAME,
        TEXT("Capacity", "spec.capacity.storage"),
        CELL("Access Modes", access_modes, "spec.accessModes"),
        TEXT("Reclaim Policy", "spec.persistentVolumeReclaimPolicy"),
        TEXT("Status", "status.phase"),
        OWN("Claim", claim_of_volume),
        TEXT("StorageClass", "spec.storageClassName"),
        OR_UNSET("VolumeAttributesClass", "spec.volumeAttributesClassName"),
        TEXT("Reason", "status.reason"),
        AGE,
        WIDE("VolumeMode", text_or_unset, "spec.volumeMode"),
};
static const struct print_column events[] = {
        OWN("Last Seen", event_last),
        TEXT("Type", "type"),
        TEXT("Reason", "reason"),
        OWN("Object", event_object),
        WIDE("Subobject", text, "involvedObject.fieldPath"),
        WIDE("Source", event_source, ""),
        OWN("Message", event_message),
        WIDE("First Seen", event_first, ""),
        WIDE("Count", number, "count"),
        { "Name", "string", "name", 1, print_text, "metadata.name" },
};
static const struct print_column pod_templates[] = {
        NAME,
        CELL("Containers", container_names, "template.spec"),
        CELL("Images", container_images, "template.spec"),
        CELL("Pod Labels", labels, "template.metadata.labels"),
};
static const struct print_column replica_sets[] = {
        NAME,
        NUMBER("Desired", "spec.replicas"),
        NUMBER("Current", "status.replicas"),
        NUMBER("Ready", "status.readyReplicas"),
        AGE,
        CONTAINERS(TEMPLATE),
        WIDE("Selector", selector, "spec.selector"),
};
static const struct print_column deployments[] = {
        NAME,
        OWN("Ready", ready_replicas),
        CELL("Up-to-date", number, "status.updatedReplicas"),
        CELL("Available", number, "status.availableReplicas"),
        AGE,
        CONTAINERS(TEMPLATE),
        WIDE("Selector", selector, "spec.selector"),
};
static const struct print_column stateful_sets[] = { NAME, OWN("Ready", ready_replicas), AGE, CONTAINERS(TEMPLATE) };
static const struct print_column daemon_sets[] = {
        NAME,
        NUMBER("Desired", "status.desiredNumberScheduled"),
        NUMBER("Current", "status.currentNumberScheduled"),
        NUMBER("Ready", "status.numberReady"),
        NUMBER("Up-to-date", "status.updatedNumberScheduled"),
        NUMBER("Available", "status.numberAvailable"),
        CELL("Node Selector", labels, TEMPLATE ".nodeSelector"),
        AGE,
        CONTAINERS(TEMPLATE),
        WIDE("Selector", selector, "spec.selector"),
};
static const struct print_column jobs[] = {
        NAME, OWN("Status", job_status), OWN("Completions", job_completions),         OWN("Duration", job_duration),
        AGE,  CONTAINERS(TEMPLATE),      WIDE("Selector", selector, "spec.selector"),
};
static const struct print_column cron_jobs[] = {
        NAME,
        TEXT("Schedule", "spec.schedule"),
        OR_NONE("Timezone", "spec.timeZone"),
        { "Suspend", "boolean", "", 0, print_truth_text, "spec.suspend" },
        COUNT("Active", "status.active"),
        CELL("Last Schedule", since_or_none, "status.lastScheduleTime"),
        AGE,
        CONTAINERS("spec.jobTemplate.spec.template.spec"),
        WIDE("Selector", selector, "spec.jobTemplate.spec.selector"),
};
static const struct print_column ingresses[] = {
        NAME,
        OR_NONE("Class", "spec.ingressClassName"),
        OWN("Hosts", ingress_hosts),
        OWN("Address", ingress_address),
        OWN("Ports", ingress_ports),
        AGE,
};
static const struct print_column network_policies[] = { NAME, CELL("Pod-Selector", selector, "spec.podSelector"), AGE };
static const struct print_column service_ranges[] = { NAME, CELL("CIDRs", keys, "spec.cidrs"), AGE };
static const struct print_column budgets[] = {
        NAME,
        CELL("Min Available", text_or_na, "spec.minAvailable"),
        CELL("Max Unavailable", text_or_na, "spec.maxUnavailable"),
        NUMBER("Allowed Disruptions", "status.disruptionsAllowed"),
        AGE,
};
static const struct print_column bindings[] = {
        NAME,
        OWN("Role", role_ref),
        AGE,
        WIDE("Users", subjects, "User"),
        WIDE("Groups", subjects, "Group"),
        WIDE("ServiceAccounts", subjects, "ServiceAccount"),
};
static const struct print_column storage_classes[] = {
        NAME,
        TEXT("Provisioner", "provisioner"),
        TEXT("ReclaimPolicy", "reclaimPolicy"),
        TEXT("VolumeBindingMode", "volumeBindingMode"),
        CELL("AllowVolumeExpansion", truth, "allowVolumeExpansion"),
        AGE,
};
static const struct print_column attachments[] = {
        NAME,
        { "Attacher", "string", "name", 0, print_text, "spec.attacher" },
        TEXT("PV", "spec.source.persistentVolumeName"),
        TEXT("Node", "spec.nodeName"),
        TRUTH("Attached", "status.attached"),
        AGE,
};
static const struct print_column storage_nodes[] = { NAME, COUNT("Drivers", "spec.drivers"), AGE };
static const struct print_column volume_classes[] = { NAME, TEXT("DriverName", "driverName"), AGE };
static const struct print_column webhooks[] = { NAME, COUNT("Webhooks", "webhooks"), AGE };
static const struct print_column priorities[] = {
        NAME,
        NUMBER("Value", "value"),
        TRUTH("Global-Default", "globalDefault"),
        AGE,
        TEXT("PreemptionPolicy", "preemptionPolicy"),
};
static const struct print_column leases[] = { NAME, TEXT("Holder", "spec.holderIdentity"), AGE };
static const struct print_column runtime_classes[] = { NAME, TEXT("Handler", "handler"), AGE };
static const struct print_column slices[] = {
        NAME, TEXT("AddressType", "addressType"), OWN("Ports", slice_ports), OWN("Endpoints", slice_endpoints), AGE,
};
static const struct print_column resource_slices[] = {
        NAME, TEXT("Node", "spec.nodeName"), TEXT("Driver", "spec.driver"), TEXT("Pool", "spec.pool.name"), AGE,
};
static const struct print_column scalers[] = {
        NAME,
        OWN("Reference", scale_reference),
        CELL("Targets", text_or_none, "status.currentMetrics[0].resource.current.averageUtilization"),
        CELL("MinPods", text_or_na, "spec.minReplicas"),
        CELL("MaxPods", number, "spec.maxReplicas"),
        CELL("Replicas", number, "status.currentReplicas"),
        AGE,
};
static const struct print_column ingress_classes[] = {
        NAME,
        TEXT("Controller", "spec.controller"),
        OR_NONE("Parameters", "spec.parameters.name"),
        AGE,
};

static const struct {
        const char *group, *resource;
        const struct print_column *columns;
        uint32_t n;
} tables[] = {
#define TABLE(group, resource, columns)                                                                                \
        { group, resource, columns, ELEMENTS(columns) }
        TABLE("", "configmaps", configmaps),
        TABLE("", "endpoints", endpoints),
        TABLE("", "events", events),
        TABLE("events.k8s.io", "events", events),
        TABLE("", "namespaces", namespaces),
        TABLE("", "nodes", nodes),
        TABLE("", "persistentvolumeclaims", claims),
        TABLE("", "persistentvolumes", volumes),
        TABLE("", "pods", pods),
        TABLE("", "podtemplates", pod_templates),
        TABLE("", "replicationcontrollers", replica_sets),
        TABLE("", "secrets", secrets),
        TABLE("", "serviceaccounts", name_age),
        TABLE("", "services", services),
        TABLE("admissionregistration.k8s.io", "mutatingwebhookconfigurations", webhooks),
        TABLE("admissionregistration.k8s.io", "validatingwebhookconfigurations", webhooks),
        TABLE("apps", "daemonsets", daemon_sets),
        TABLE("apps", "deployments", deployments),
        TABLE("apps", "replicasets", replica_sets),
        TABLE("apps", "statefulsets", stateful_sets),
        TABLE("autoscaling", "horizontalpodautoscalers", scalers),
        TABLE("batch", "cronjobs", cron_jobs),
        TABLE("batch", "jobs", jobs),
        TABLE("coordination.k8s.io", "leases", leases),
        TABLE("discovery.k8s.io", "endpointslices", slices),
        TABLE("networking.k8s.io", "ingressclasses", ingress_classes),
        TABLE("networking.k8s.io", "ingresses", ingresses),
        TABLE("networking.k8s.io", "networkpolicies", network_policies),
        TABLE("networking.k8s.io", "servicecidrs", service_ranges),
        TABLE("node.k8s.io", "runtimeclasses", runtime_classes),
        TABLE("policy", "poddisruptionbudgets", budgets),
        TABLE("rbac.authorization.k8s.io", "clusterrolebindings", bindings),
        TABLE("rbac.authorization.k8s.io", "rolebindings", bindings),
        TABLE("resource.k8s.io", "deviceclasses", name_age),
        TABLE("resource.k8s.io", "resourceclaimtemplates", name_age),
        TABLE("resource.k8s.io", "resourceslices", resource_slices),
        TABLE("scheduling.k8s.io", "priorityclasses", priorities),
        TABLE("storage.k8s.io", "csinodes", storage_nodes),
        TABLE("storage.k8s.io", "storageclasses", storage_classes),
        TABLE("storage.k8s.io", "volumeattachments", attachments),
        TABLE("storage.k8s.io", "volumeattributesclasses", volume_classes),
};

const struct print_column *print_columns_of(const struct kube_kind *kind, uint32_t *ret_n) {
        for (size_t i = 0; i < ELEMENTS(tables); i++)
                if (strcmp(tables[i].resource, kind->resource) == 0 && strcmp(tables[i].group, kind->group) == 0) {
                        *ret_n = tables[i].n;
                        return tables[i].columns;
                }
        *ret_n = ELEMENTS(usual);
        return usual;
}

/* Which fields objects of each kind are selected by. */
#include <string.h>

#include "kube/selector/field.h"
#include "lib/cleanup.h"

#define FIELD(path) SELECTOR_FIELD(path, path, NULL, NULL, NULL)
#define FIELD_OR(label, path, fallback) SELECTOR_FIELD(label, path, NULL, fallback, NULL)
#define RENAMED(path, means) SELECTOR_FIELD(path, path, NULL, NULL, means)
#define SELECTOR_FIELD(label, path, also, fallback, means)                                                             \
        { label, path, also, fallback, means }
#define NAME FIELD("metadata.name")
#define NAMESPACE FIELD("metadata.namespace")

static const struct selector_field default_fields[] = { NAME, NAMESPACE };

static const struct selector_field pod_fields[] = {
        NAME,
        NAMESPACE,
        FIELD("spec.nodeName"),
        FIELD("spec.restartPolicy"),
        FIELD("spec.schedulerName"),
        FIELD("spec.serviceAccountName"),
        FIELD_OR("spec.hostNetwork", "spec.hostNetwork", "false"),
        FIELD("status.phase"),
        FIELD("status.podIP"),
        SELECTOR_FIELD("status.podIPs", NULL, NULL, NULL, NULL), /* may be asked for, and is always empty */
        FIELD("status.nominatedNodeName"),
        SELECTOR_FIELD("spec.host", "spec.nodeName", NULL, NULL, "spec.nodeName"),
};

static const struct selector_field node_fields[] = { NAME,
                                                     FIELD_OR("spec.unschedulable", "spec.unschedulable", "false") };

static const struct selector_field controller_fields[] = {
        NAME,
        NAMESPACE,
        FIELD_OR("status.replicas", "status.replicas", "0"),
};

static const struct selector_field event_fields[] = {
        NAME,
        NAMESPACE,
        FIELD("involvedObject.kind"),
        FIELD("involvedObject.namespace"),
        FIELD("involvedObject.name"),
        FIELD("involvedObject.uid"),
        FIELD("involvedObject.apiVersion"),
        FIELD("involvedObject.resourceVersion"),
        FIELD("involvedObject.fieldPath"),
        FIELD("reason"),
        FIELD("reportingComponent"),
        SELECTOR_FIELD("source", "source.component", "reportingComponent", NULL, NULL),
        FIELD("type"),
};

/* What events.k8s.io calls them. */
static const struct selector_field new_event_fields[] = {
        NAME,
        NAMESPACE,
        RENAMED("regarding.kind", "involvedObject.kind"),
        RENAMED("regarding.namespace", "involvedObject.namespace"),
        RENAMED("regarding.name", "involvedObject.name"),
        RENAMED("regarding.uid", "involvedObject.uid"),
        RENAMED("regarding.apiVersion", "involvedObject.apiVersion"),
        RENAMED("regarding.resourceVersion", "involvedObject.resourceVersion"),
        RENAMED("regarding.fieldPath", "involvedObject.fieldPath"),
        FIELD("reason"),
        RENAMED("reportingController", "reportingComponent"),
        FIELD("type"),
};

static const struct selector_field namespace_fields[] = { NAME, FIELD("status.phase") };
static const struct selector_field secret_fields[] = { NAME, NAMESPACE, FIELD("type") };
static const struct selector_field service_fields[] = { NAME, NAMESPACE, FIELD("spec.clusterIP"), FIELD("spec.type") };
static const struct selector_field job_fields[] = {
        NAME,
        NAMESPACE,
        FIELD_OR("status.successful", "status.succeeded", "0"),
};
static const struct selector_field signer_fields[] = { NAME, FIELD("spec.signerName") };
static const struct selector_field pod_certificate_fields[] = {
        NAME,
        FIELD("spec.signerName"),
        FIELD("spec.podName"),
        FIELD("spec.nodeName"),
};
static const struct selector_field slice_fields[] = { NAME, FIELD("spec.nodeName"), FIELD("spec.driver") };

#define KIND(group, kind, unknown, fields)                                                                             \
        { group, NULL, kind, unknown, fields, ELEMENTS(fields) }

static const struct selector_field_kind kinds[] = {
        KIND("", "Pod", SELECTOR_UNKNOWN_FIELD, pod_fields),
        KIND("", "Node", SELECTOR_UNKNOWN_FIELD, node_fields),
        KIND("", "ReplicationController", SELECTOR_UNKNOWN_FIELD, controller_fields),
        KIND("", "Event", SELECTOR_UNKNOWN_FIELD, event_fields),
        KIND("events.k8s.io", "Event", SELECTOR_UNKNOWN_FIELD, new_event_fields),
        KIND("", "Namespace", SELECTOR_UNKNOWN_FIELD, namespace_fields),
        KIND("", "Secret", SELECTOR_UNKNOWN_FIELD, secret_fields),
        KIND("", "Service", SELECTOR_UNKNOWN_FIELD, service_fields),
        KIND("batch", "Job", SELECTOR_UNKNOWN_FOR_KIND, job_fields),
        KIND("certificates.k8s.io", "CertificateSigningRequest", SELECTOR_UNKNOWN_FIELD, signer_fields),
        KIND("certificates.k8s.io", "ClusterTrustBundle", SELECTOR_UNKNOWN_FIELD, signer_fields),
        KIND("certificates.k8s.io", "PodCertificateRequest", SELECTOR_UNKNOWN_FIELD, pod_certificate_fields),
        KIND("resource.k8s.io", "ResourceSlice", SELECTOR_UNKNOWN_FOR_GROUP, slice_fields),
        { NULL, NULL, NULL, SELECTOR_UNKNOWN_ONLY, default_fields, ELEMENTS(default_fields) },
};

const struct selector_field_kind *selector_field_kind_of(const char *group, const char *version, const char *kind) {
        const struct selector_field_kind *at = kinds;

        while (at->kind && (strcmp(at->kind, kind) != 0 || strcmp(at->group, group) != 0 ||
                            (at->version && strcmp(at->version, version) != 0)))
                at++;
        return at;
}

#include "api/state/fields.h"

#include <stddef.h>
#include <string.h>

#include "api/state/resource.h"
#include "lib/cleanup.h"

static const struct api_field pods[] = {
        { "spec.nodeName", NULL, NULL },       { "spec.restartPolicy", NULL, NULL },
        { "spec.schedulerName", NULL, NULL },  { "spec.serviceAccountName", NULL, NULL },
        { "spec.hostNetwork", NULL, "false" }, { "status.phase", NULL, NULL },
        { "status.podIP", NULL, NULL },        { "status.nominatedNodeName", NULL, NULL },
};
static const struct api_field core_events[] = {
        { "involvedObject.kind", NULL, NULL },
        { "involvedObject.namespace", NULL, NULL },
        { "involvedObject.name", NULL, NULL },
        { "involvedObject.uid", NULL, NULL },
        { "involvedObject.apiVersion", NULL, NULL },
        { "involvedObject.resourceVersion", NULL, NULL },
        { "involvedObject.fieldPath", NULL, NULL },
        { "reason", NULL, NULL },
        { "reportingComponent", NULL, NULL },
        { "source", "source.component", NULL },
        { "type", NULL, NULL },
};
static const struct api_field nodes[] = { { "spec.unschedulable", NULL, "false" } };
static const struct api_field namespaces[] = { { "status.phase", NULL, NULL } };
static const struct api_field secrets[] = { { "type", NULL, NULL } };
static const struct api_field services[] = {
        { "spec.clusterIP", NULL, NULL },
        { "spec.type", NULL, NULL },
};
static const struct api_field replicas[] = { { "status.replicas", NULL, "0" } };
static const struct api_field jobs[] = { { "status.successful", "status.succeeded", "0" } };
static const struct api_field signing[] = { { "spec.signerName", NULL, NULL } };
static const struct api_field pod_certificates[] = {
        { "spec.signerName", NULL, NULL },
        { "spec.podName", NULL, NULL },
        { "spec.nodeName", NULL, NULL },
};
static const struct api_field slices[] = {
        { "spec.nodeName", NULL, NULL },
        { "spec.driver", NULL, NULL },
};

static const struct {
        const char *group, *resource;
        const struct api_field *fields;
        uint16_t n;
} table[] = {
        { "", "events", core_events, ELEMENTS(core_events) },
        { "", "namespaces", namespaces, ELEMENTS(namespaces) },
        { "", "nodes", nodes, ELEMENTS(nodes) },
        { "", "pods", pods, ELEMENTS(pods) },
        { "", "replicationcontrollers", replicas, ELEMENTS(replicas) },
        { "", "secrets", secrets, ELEMENTS(secrets) },
        { "", "services", services, ELEMENTS(services) },
        { "apps", "replicasets", replicas, ELEMENTS(replicas) },
        { "batch", "jobs", jobs, ELEMENTS(jobs) },
        { "certificates.k8s.io", "certificatesigningrequests", signing, ELEMENTS(signing) },
        { "certificates.k8s.io", "clustertrustbundles", signing, ELEMENTS(signing) },
        { "certificates.k8s.io", "podcertificaterequests", pod_certificates, ELEMENTS(pod_certificates) },
        { "resource.k8s.io", "resourceslices", slices, ELEMENTS(slices) },
};

const struct api_field *api_fields_of(const char *group, const char *resource, uint16_t *ret_n) {
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (strcmp(table[i].group, group) == 0 && strcmp(table[i].resource, resource) == 0) {
                        *ret_n = table[i].n;
                        return table[i].fields;
                }
        *ret_n = 0;
        return NULL;
}

/* Services and what they lead to (k8s.io/kubernetes/pkg/api/service, the strategies of endpoints, slices, ingresses and
 * network policies). */
#include <string.h>

#include "kube/discovery_v1.h"
#include "kube/networking_v1.h"
#include "kube/validate/warnings.h"

#define HINTS "service.kubernetes.io/topology-aware-hints"
#define INGRESS_CLASS "kubernetes.io/ingress.class"

static bool is_given(const char *text) {
        return text && *text;
}

static void warn_ips(struct validation *v, const struct place *at, const string_list *ips) {
        for (uint32_t i = 0; i < ips->count; i++)
                validate_warn_ip(v, ITEM(at, i), ips->items[i]);
}

static void warn_cidrs(struct validation *v, const struct place *at, const string_list *cidrs) {
        for (uint32_t i = 0; i < cidrs->count; i++)
                validate_warn_cidr(v, ITEM(at, i), cidrs->items[i]);
}

static void warn_headless(struct validation *v, const struct kube_service_spec *spec) {
        if (is_given(spec->load_balancer_ip))
                validate_warn(v, NULL, "spec.loadBalancerIP is ignored for headless services");
        if (spec->external_ips.count > 0)
                validate_warn(v, NULL, "spec.externalIPs is ignored for headless services");
        if (!kube_is(spec->session_affinity, "None"))
                validate_warn(v, NULL, "spec.SessionAffinity is ignored for headless services");
}

static void warn_balancer(struct validation *v, const struct place *at, const struct kube_service_spec *spec) {
        if (is_given(spec->load_balancer_ip))
                validate_warn_ip(v, FIELD(at, "loadBalancerIP"), spec->load_balancer_ip);
        warn_cidrs(v, FIELD(at, "loadBalancerSourceRanges"), &spec->load_balancer_source_ranges);
}

void validate_warn_service(struct validation *v, const void *object, const void *old) {
        const struct kube_service *service = object;
        const struct kube_service_spec *spec = &service->spec;
        const struct place *at = FIELD(NULL, "spec");
        bool none = kube_is(spec->cluster_ip, "None"), headless = kube_is(spec->type, "ClusterIP") && none,
             named = kube_is(spec->type, "ExternalName");

        (void)old;
        if (string_map_get(&service->metadata.annotations, HINTS))
                validate_warn(v, NULL,
                              "annotation " HINTS
                              " is deprecated, please use service.kubernetes.io/topology-mode instead");
        if (is_given(spec->cluster_ip) && !none)
                warn_ips(v, FIELD(at, "clusterIPs"), &spec->cluster_ips);
        if (headless)
                warn_headless(v, spec);
        warn_ips(v, FIELD(at, "externalIPs"), &spec->external_ips);
        if (spec->external_ips.count > 0 && !headless && !named)
                validate_warn(v, NULL,
                              "spec.externalIPs is deprecated and may no longer be implemented in some clusters");
        warn_balancer(v, at, spec);
        if (named && spec->external_ips.count > 0)
                validate_warn(v, NULL, "spec.externalIPs is ignored when spec.type is \"ExternalName\"");
        if (!named && is_given(spec->external_name))
                validate_warn(v, NULL, "spec.externalName is ignored when spec.type is not \"ExternalName\"");
        if (kube_is(spec->traffic_distribution, "PreferClose"))
                validate_warn(v, FIELD(at, "trafficDistribution"),
                              "\"PreferClose\" is deprecated; use \"PreferSameZone\"");
}

static void warn_ingress_ip(struct validation *v, uint32_t i, const char *ip) {
        if (is_given(ip))
                validate_warn_ip(v, ITEM(FIELD(FIELD(FIELD(NULL, "status"), "loadBalancer"), "ingress"), i), ip);
}

void validate_warn_service_status(struct validation *v, const void *object, const void *old) {
        const struct kube_load_balancer_status *status = &((const struct kube_service *)object)->status.load_balancer;

        (void)old;
        for (uint32_t i = 0; i < status->ingress.count; i++)
                warn_ingress_ip(v, i, status->ingress.items[i].ip);
}

void validate_warn_ingress_status(struct validation *v, const void *object, const void *old) {
        const struct kube_networking_v1_ingress *ingress = object;

        (void)old;
        for (uint32_t i = 0; i < ingress->status.load_balancer.ingress.count; i++)
                warn_ingress_ip(v, i, ingress->status.load_balancer.ingress.items[i].ip);
}

void validate_warn_ingress(struct validation *v, const void *object, const void *old) {
        const struct kube_networking_v1_ingress *ingress = object;

        (void)old;
        if (string_map_get(&ingress->metadata.annotations, INGRESS_CLASS) && !ingress->spec.ingress_class_name)
                validate_warn(v, NULL,
                              "annotation \"" INGRESS_CLASS
                              "\" is deprecated, please use 'spec.ingressClassName' instead");
}

/* --- endpoints: those of a controller are as they should be --- */

static void warn_subset(struct validation *v, const struct place *at, const kube_endpoint_address_items *addresses) {
        for (uint32_t i = 0; i < addresses->count; i++)
                validate_warn_ip(v, FIELD(ITEM(at, i), "ip"), addresses->items[i].ip);
}

void validate_warn_endpoints(struct validation *v, const void *object, const void *old) {
        const struct kube_endpoints *endpoints = object;
        const char *manager = string_map_get(&endpoints->metadata.labels, "endpoints.kubernetes.io/managed-by");

        (void)old;
        if (kube_is(manager, "endpoint-controller"))
                return;
        for (uint32_t i = 0; i < endpoints->subsets.count; i++) {
                const struct place *at = ITEM(FIELD(NULL, "subsets"), i);

                warn_subset(v, FIELD(at, "addresses"), &endpoints->subsets.items[i].addresses);
                warn_subset(v, FIELD(at, "notReadyAddresses"), &endpoints->subsets.items[i].not_ready_addresses);
        }
}

void validate_warn_slice(struct validation *v, const void *object, const void *old) {
        const struct kube_discovery_v1_endpoint_slice *slice = object;
        const char *manager = string_map_get(&slice->metadata.labels, "endpointslice.kubernetes.io/managed-by");

        if (!old && kube_is(slice->address_type, "FQDN"))
                validate_warn(v, NULL, "spec.addressType: FQDN endpoints are deprecated");
        if (kube_is(manager, "endpointslice-controller.k8s.io") ||
            kube_is(manager, "endpointslicemirroring-controller.k8s.io"))
                return;
        for (uint32_t i = 0; i < slice->endpoints.count; i++)
                warn_ips(v, FIELD(ITEM(FIELD(NULL, "endpoints"), i), "addresses"),
                         &slice->endpoints.items[i].addresses);
}

/* --- network policies --- */

static void warn_peers(struct validation *v, const struct place *at,
                       const kube_networking_v1_network_policy_peer_items *peers) {
        for (uint32_t i = 0; i < peers->count; i++) {
                const struct kube_networking_v1_ip_block *block = peers->items[i].ip_block;
                const struct place *place = FIELD(ITEM(at, i), "ipBlock");

                if (!block)
                        continue;
                validate_warn_cidr(v, FIELD(place, "cidr"), block->cidr);
                warn_cidrs(v, FIELD(place, "except"), &block->except);
        }
}

void validate_warn_network_policy(struct validation *v, const void *object, const void *old) {
        const struct kube_networking_v1_network_policy *policy = object;
        const struct place *spec = FIELD(NULL, "spec");

        (void)old;
        for (uint32_t i = 0; i < policy->spec.ingress.count; i++)
                warn_peers(v, FIELD(ITEM(FIELD(spec, "ingress"), i), "from"), &policy->spec.ingress.items[i].from);
        for (uint32_t i = 0; i < policy->spec.egress.count; i++)
                warn_peers(v, FIELD(ITEM(FIELD(spec, "egress"), i), "to"), &policy->spec.egress.items[i].to);
}

/* What a Service says and nobody heeds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/server/request.h"
#include "api/services/services.h"
#include "api/services/work.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/arena.h"

#define HINTS "service.kubernetes.io/topology-aware-hints"

static void warn(struct api_request *r, const char *text) {
        if (text)
                api_warn(r, text);
}

/* IPv6 has many forms, of which one is Kubernetes'. */
static void warn_of_form(struct api_request *r, const char *path, const char *text) {
        struct cluster_ip address;
        char canonical[CLUSTER_IP_TEXT_MAX];

        if (!cluster_ip_parse(text, &address) || !address.six)
                return;
        cluster_ip_format(&address, canonical);
        if (strcmp(canonical, text) != 0)
                warn(r,
                     arena_printf(r->arena, "%s: IPv6 address \"%s\" should be in RFC 5952 canonical format (\"%s\")",
                                  path, text, canonical));
}

static void warn_of_forms(struct api_request *r, const char *path, const string_list *list) {
        for (uint32_t i = 0; i < list->count; i++) {
                char at[64];

                snprintf(at, sizeof(at), "%s[%u]", path, i);
                warn_of_form(r, at, list->items[i]);
        }
}

static void warn_of_headless(struct api_request *r, const struct kube_service_spec *spec) {
        if (spec->load_balancer_ip && *spec->load_balancer_ip)
                warn(r, "spec.loadBalancerIP is ignored for headless services");
        if (spec->external_ips.count > 0)
                warn(r, "spec.externalIPs is ignored for headless services");
        if (!kube_is(spec->session_affinity, "None"))
                warn(r, "spec.SessionAffinity is ignored for headless services");
}

static void warn_of_spec(struct api_request *r, const struct kube_service_spec *spec) {
        bool headless = kube_is(spec->type, "ClusterIP") && kube_is(spec->cluster_ip, "None"),
             named = kube_is(spec->type, "ExternalName");

        warn_of_forms(r, "spec.clusterIPs", &spec->cluster_ips);
        if (headless)
                warn_of_headless(r, spec);
        warn_of_forms(r, "spec.externalIPs", &spec->external_ips);
        if (spec->external_ips.count > 0 && !headless && !named)
                warn(r, "spec.externalIPs is deprecated and may no longer be implemented in some clusters");
        if (spec->load_balancer_ip)
                warn_of_form(r, "spec.loadBalancerIP", spec->load_balancer_ip);
        if (named && spec->external_ips.count > 0)
                warn(r, "spec.externalIPs is ignored when spec.type is \"ExternalName\"");
        if (!named && spec->external_name && *spec->external_name)
                warn(r, "spec.externalName is ignored when spec.type is not \"ExternalName\"");
        if (kube_is(spec->traffic_distribution, "PreferClose"))
                warn(r, "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"");
}

enum api_step api_services_warn(struct api_request *r) {
        struct kube_service *service;
        struct problems problems;

        if (r->sub || strcmp(r->kind->resource, "services") != 0 || *r->kind->group)
                return API_NEXT;
        service = arena_new_of(r->arena, struct kube_service);
        problems_init(&problems, r->arena, NULL, NULL);
        if (!service || kube_value_read(r->arena, &kube_service_type, r->next, "", &problems, service) < 0)
                return API_NEXT;
        if (string_map_get(&service->metadata.annotations, HINTS))
                warn(r, "annotation " HINTS " is deprecated, please use service.kubernetes.io/topology-mode instead");
        warn_of_spec(r, &service->spec);
        return API_NEXT;
}

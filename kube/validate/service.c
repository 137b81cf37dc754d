/* Services: ports, types and what goes with which. */
#include "kube/validate/service.h"

#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"

#define CLIENT_IP_SECONDS_MAX 86400
#define TOPOLOGY_MODE "service.kubernetes.io/topology-mode"
#define TOPOLOGY_HINTS "service.kubernetes.io/topology-aware-hints"

/* --- ports --- */

static void check_port(struct validation *v, const struct place *at, const struct kube_service_port *port, bool named,
                       struct validate_set *names) {
        if (named && (!port->name || !*port->name))
                validate_required(v, FIELD(at, "name"), "");
        if (port->name && *port->name) {
                validate_name(v, FIELD(at, "name"), NAME_LABEL, port->name);
                if (!validate_set_add(v, names, port->name))
                        validate_duplicate(v, FIELD(at, "name"), port->name);
        }
        validate_port(v, FIELD(at, "port"), port->port);
        if (!port->protocol || !*port->protocol)
                validate_required(v, FIELD(at, "protocol"), "");
        else
                validate_choice(v, FIELD(at, "protocol"), port->protocol, POD_TEXTS("SCTP", "TCP", "UDP"));
        validate_port_or_name(v, FIELD(at, "targetPort"), &port->target_port);
        if (port->app_protocol)
                validate_name(v, FIELD(at, "appProtocol"), NAME_QUALIFIED, port->app_protocol);
}

static void check_ports(struct validation *v, const struct kube_service *s) {
        _cleanup_validate_set_ struct validate_set names = { 0 };

        for (uint32_t i = 0; i < s->spec.ports.count; i++)
                check_port(v, ITEM(SPEC("ports"), i), &s->spec.ports.items[i], s->spec.ports.count > 1, &names);
}

static const char *number_key(struct validation *v, const char *protocol, int32_t number) {
        return validate_key(v, "%s/%d", protocol ?: "", number);
}

static void check_node_ports(struct validation *v, const struct kube_service *s) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < s->spec.ports.count && service_is_type(s, "ClusterIP"); i++)
                if (s->spec.ports.items[i].node_port != 0)
                        validate_forbidden(v, FIELD(ITEM(SPEC("ports"), i), "nodePort"),
                                           "may not be used when `type` is 'ClusterIP'");
        for (uint32_t i = 0; i < s->spec.ports.count; i++) {
                const struct kube_service_port *port = &s->spec.ports.items[i];

                if (port->node_port != 0 && !validate_set_add(v, &seen, number_key(v, port->protocol, port->node_port)))
                        validate_duplicate_json(v, FIELD(ITEM(SPEC("ports"), i), "nodePort"),
                                                validate_text(v, "%d", port->node_port));
        }
}

static void check_port_pairs(struct validation *v, const struct kube_service *s) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < s->spec.ports.count; i++) {
                const struct kube_service_port *port = &s->spec.ports.items[i];

                if (!validate_set_add(v, &seen, number_key(v, port->protocol, port->port)))
                        validate_duplicate_json(
                                v, ITEM(SPEC("ports"), i),
                                validate_text(v,
                                              "{\"Name\":\"\",\"Protocol\":%s,\"AppProtocol\":null,\"Port\":%d,"
                                              "\"TargetPort\":0,\"NodePort\":0}",
                                              validate_quoted(v, port->protocol), port->port));
        }
}

/* --- session affinity --- */

static void check_client_ip(struct validation *v, const struct kube_session_affinity_config *config) {
        const struct place *at = SPEC("sessionAffinityConfig"), *client = FIELD(at, "clientIP"),
                           *timeout = FIELD(client, "timeoutSeconds");
        static const char text[] = "when session affinity type is ClientIP";

        if (!config)
                validate_required(v, at, text);
        else if (!config->client_ip)
                validate_required(v, client, text);
        else if (!config->client_ip->timeout_seconds.set)
                validate_required(v, timeout, text);
        else if (config->client_ip->timeout_seconds.value <= 0 ||
                 config->client_ip->timeout_seconds.value > CLIENT_IP_SECONDS_MAX)
                validate_invalid_int(v, timeout, config->client_ip->timeout_seconds.value,
                                     "must be greater than 0 and less than 86400");
}

static void check_affinity(struct validation *v, const struct kube_service *s) {
        const char *affinity = s->spec.session_affinity;

        if (!affinity || !*affinity)
                validate_required(v, SPEC("sessionAffinity"), "");
        else
                validate_choice(v, SPEC("sessionAffinity"), affinity, POD_TEXTS("ClientIP", "None"));
        if (kube_is(affinity, "ClientIP"))
                check_client_ip(v, s->spec.session_affinity_config);
        else if (kube_is(affinity, "None") && s->spec.session_affinity_config)
                validate_forbidden(v, SPEC("sessionAffinityConfig"), "must not be set when session affinity is None");
}

/* --- types --- */

static void check_external_name(struct validation *v, const struct kube_service *s) {
        static const char text[] = "may not be set for ExternalName services";
        const char *name = s->spec.external_name ?: "";
        size_t n = strlen(name);

        if (s->spec.cluster_ips.count > 0)
                validate_forbidden(v, SPEC("clusterIPs"), text);
        if (s->spec.ip_families.count > 0)
                validate_forbidden(v, SPEC("ipFamilies"), text);
        if (s->spec.ip_family_policy)
                validate_forbidden(v, SPEC("ipFamilyPolicy"), text);
        if (n > 0 && name[n - 1] == '.')
                name = validate_copy(v, name, n - 1);
        validate_name_required(v, SPEC("externalName"), NAME_SUBDOMAIN, name);
}

static void check_headless(struct validation *v, const struct kube_service *s) {
        if (service_is_headless(s) && (service_is_type(s, "LoadBalancer") || service_is_type(s, "NodePort")))
                validate_invalid(v, ITEM(SPEC("clusterIPs"), 0), "None",
                                 validate_text(v, "may not be set to 'None' for %s services", s->spec.type));
        if (service_is_type(s, "ExternalName"))
                check_external_name(v, s);
}

static void check_type(struct validation *v, const struct kube_service *s) {
        if (!s->spec.type || !*s->spec.type)
                validate_required(v, SPEC("type"), "");
        else
                validate_choice(v, SPEC("type"), s->spec.type,
                                POD_TEXTS("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"));
}

/* --- load balancers --- */

static void check_class(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const struct place *at = SPEC("loadBalancerClass");
        const char *class = s->spec.load_balancer_class, *before = old ? old->spec.load_balancer_class : NULL;

        if (old && service_is_type(old, "LoadBalancer") && service_is_type(s, "LoadBalancer") &&
            (!class != !before || !service_same_text(class, before)))
                validate_service_pointer(v, at, class, "may not change once set");
        if (class && service_is_type(s, "LoadBalancer"))
                validate_name(v, at, NAME_QUALIFIED, class);
        else if (class)
                validate_forbidden(v, at, "may only be used when `type` is 'LoadBalancer'");
}

static void check_allocation(struct validation *v, const struct kube_service *s) {
        if (s->spec.allocate_load_balancer_node_ports != TRI_UNSET && !service_is_type(s, "LoadBalancer"))
                validate_forbidden(v, SPEC("allocateLoadBalancerNodePorts"),
                                   "may only be used when `type` is 'LoadBalancer'");
        if (s->spec.allocate_load_balancer_node_ports == TRI_UNSET && service_is_type(s, "LoadBalancer"))
                validate_required(v, FIELD(NULL, "allocateLoadBalancerNodePorts"), "");
}

/* --- traffic --- */

static bool is_reachable(const struct kube_service *s) {
        return service_is_type(s, "LoadBalancer") || service_is_type(s, "NodePort") ||
               (service_is_type(s, "ClusterIP") && s->spec.external_ips.count > 0);
}

static bool needs_health_check(const struct kube_service *s) {
        return service_is_type(s, "LoadBalancer") && kube_is(s->spec.external_traffic_policy, "Local");
}

static void check_external_traffic(struct validation *v, const struct kube_service *s) {
        const struct place *at = SPEC("externalTrafficPolicy"), *port = SPEC("healthCheckNodePort");
        const char *policy = s->spec.external_traffic_policy ?: "";

        if (*policy && !is_reachable(s))
                validate_invalid_word(v, at, policy, "may only be set for externally-accessible services");
        else if (!*policy && is_reachable(s))
                validate_required(v, at, "");
        else if (*policy)
                validate_choice(v, at, policy, POD_TEXTS("Cluster", "Local"));
        if (!needs_health_check(s) && s->spec.health_check_node_port != 0)
                validate_invalid_int(
                        v, port, s->spec.health_check_node_port,
                        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
        else if (needs_health_check(s) && s->spec.health_check_node_port == 0)
                validate_required(v, port, "");
        else if (needs_health_check(s))
                validate_port(v, port, s->spec.health_check_node_port);
}

static void check_traffic(struct validation *v, const struct kube_service *s) {
        static const char *const distributions[] = { "PreferClose", "PreferSameZone", "PreferSameNode", NULL };
        const char *policy = s->spec.internal_traffic_policy, *distribution = s->spec.traffic_distribution;

        check_external_traffic(v, s);
        if (policy)
                validate_choice(v, SPEC("internalTrafficPolicy"), policy, POD_TEXTS("Cluster", "Local"));
        else if (service_is_type(s, "NodePort") || service_is_type(s, "LoadBalancer") ||
                 service_is_type(s, "ClusterIP"))
                validate_required(v, SPEC("internalTrafficPolicy"), "");
        if (distribution && !validate_is_one(distribution, distributions))
                validate_unsupported_json(v, SPEC("trafficDistribution"), validate_quoted(v, distribution),
                                          distributions);
}

/* --- all of it --- */

static void check_topology(struct validation *v, const struct kube_service *s) {
        const char *mode = string_map_get(&s->metadata.annotations, TOPOLOGY_MODE),
                   *hints = string_map_get(&s->metadata.annotations, TOPOLOGY_HINTS);

        if (mode && hints && strcmp(mode, hints) != 0)
                validate_invalid(v, ENTRY(FIELD(FIELD(NULL, "metadata"), "annotations"), TOPOLOGY_MODE), mode,
                                 "must match annotations[" TOPOLOGY_HINTS "] when both are specified");
}

static void check_service(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        check_topology(v, s);
        if (s->spec.ports.count == 0 && !service_is_headless(s) && !service_is_type(s, "ExternalName"))
                validate_required(v, SPEC("ports"), "");
        check_headless(v, s);
        check_ports(v, s);
        validate_labels(v, SPEC("selector"), &s->spec.selector);
        check_affinity(v, s);
        validate_service_addresses(v, s, old);
        validate_service_external_ips(v, s, old);
        check_type(v, s);
        check_node_ports(v, s);
        check_port_pairs(v, s);
        validate_service_sources(v, s, old);
        check_allocation(v, s);
        check_class(v, s, NULL);
        check_traffic(v, s);
}

/* --- changes --- */

void validate_service(struct validation *v, const void *object, const void *old_object) {
        const struct kube_service *s = object, *old = old_object;

        if (!old) {
                validate_meta(v, &s->metadata, NAME_LABEL);
                check_service(v, s, NULL);
                return;
        }
        validate_meta_update(v, &s->metadata, &old->metadata);
        validate_service_address_changes(v, s, old);
        check_class(v, s, old);
        if (needs_health_check(s) && needs_health_check(old) &&
            s->spec.health_check_node_port != old->spec.health_check_node_port)
                validate_forbidden(v, SPEC("healthCheckNodePort"), VALIDATE_IMMUTABLE);
        check_service(v, s, old);
}

/* --- status --- */

static void check_ingress(struct validation *v, const struct place *at, const struct kube_load_balancer_ingress *i,
                          const string_list *old) {
        bool ip = i->ip && *i->ip;

        if (ip)
                validate_ip(v, FIELD(at, "ip"), i->ip, old);
        if (!i->ip_mode && ip)
                validate_required(v, FIELD(at, "ipMode"), "must be specified when `ip` is set");
        else if (i->ip_mode && !ip)
                validate_forbidden(v, FIELD(at, "ipMode"), "may not be specified when `ip` is not set");
        else if (i->ip_mode)
                validate_choice(v, FIELD(at, "ipMode"), i->ip_mode, POD_TEXTS("Proxy", "VIP"));
        if (!i->hostname || !*i->hostname)
                return;
        validate_name(v, FIELD(at, "hostname"), NAME_SUBDOMAIN, i->hostname);
        if (validate_is_ip(i->hostname))
                validate_invalid(v, FIELD(at, "hostname"), i->hostname, "must be a DNS name, not an IP address");
}

void validate_service_status(struct validation *v, const void *object, const void *old_object) {
        const struct kube_service *s = object, *old = old_object;
        const struct place *at = FIELD(FIELD(FIELD(NULL, "status"), "loadBalancer"), "ingress");
        const kube_load_balancer_ingress_items *list = &s->status.load_balancer.ingress,
                                               *before = &old->status.load_balancer.ingress;
        string_list known = { .items = validate_alloc(v, before->count + 1, sizeof(char *)) };

        validate_meta_update(v, &s->metadata, &old->metadata);
        if (!service_is_type(s, "LoadBalancer") && list->count > 0) {
                validate_forbidden(v, at, "may only be used when `spec.type` is 'LoadBalancer'");
                return;
        }
        for (uint32_t i = 0; known.items && i < before->count; i++)
                if (before->items[i].ip && *before->items[i].ip)
                        known.items[known.count++] = before->items[i].ip;
        for (uint32_t i = 0; i < list->count; i++)
                check_ingress(v, ITEM(at, i), &list->items[i], &known);
}

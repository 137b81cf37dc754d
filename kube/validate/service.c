/* Services: addresses, ports, types and what goes with which. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"

#define CLIENT_IP_SECONDS_MAX 86400
#define SOURCE_RANGES "service.beta.kubernetes.io/load-balancer-source-ranges"
#define TOPOLOGY_MODE "service.kubernetes.io/topology-mode"
#define TOPOLOGY_HINTS "service.kubernetes.io/topology-aware-hints"

static const struct place spec_place = { .name = "spec" };

#define SPEC(field) FIELD(&spec_place, field)

static bool is_type(const struct kube_service *s, const char *type) {
        return kube_is(s->spec.type, type);
}

static bool is_headless(const struct kube_service *s) {
        return s->spec.cluster_ips.count == 1 && kube_is(s->spec.cluster_ips.items[0], "None");
}

static bool same_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

/* A pointer in Go, which is told as JSON. */
static void invalid_pointer(struct validation *v, const struct place *at, const char *text, const char *detail) {
        if (text)
                validate_invalid_word(v, at, text, detail);
        else
                validate_invalid_json(v, at, "null", detail);
}

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

        for (uint32_t i = 0; i < s->spec.ports.count && is_type(s, "ClusterIP"); i++)
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

/* --- cluster addresses --- */

static void invalid_ips(struct validation *v, const struct place *at, const struct kube_service *s,
                        const char *detail) {
        validate_invalid_json(v, at, validate_json_strings(v, &s->spec.cluster_ips), detail);
}

static void check_families(struct validation *v, const struct kube_service *s) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < s->spec.ip_families.count; i++) {
                const char *family = s->spec.ip_families.items[i];
                const struct place *at = ITEM(SPEC("ipFamilies"), i);

                validate_choice(v, at, family, POD_TEXTS("IPv4", "IPv6"));
                if (!validate_set_add(v, &seen, family))
                        validate_duplicate(v, at, family);
        }
        if (s->spec.ip_family_policy)
                validate_choice(v, SPEC("ipFamilyPolicy"), s->spec.ip_family_policy,
                                POD_TEXTS("PreferDualStack", "RequireDualStack", "SingleStack"));
}

/* False when one is no address: they are compared no further. */
static bool check_cluster_ips(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const string_list *ips = &s->spec.cluster_ips;
        unsigned before = validate_errors(v);
        bool good;

        for (uint32_t i = 0; i < ips->count; i++) {
                if (i > 0 || !kube_is(ips->items[i], "None"))
                        validate_ip(v, ITEM(SPEC("clusterIPs"), i), ips->items[i], old ? &old->spec.cluster_ips : NULL);
                else if (ips->count > 1)
                        invalid_ips(v, SPEC("clusterIPs"), s, "'None' must be the first and only value");
        }
        good = validate_errors(v) == before;
        if (ips->count > 2)
                invalid_ips(v, SPEC("clusterIPs"), s, "may only hold up to 2 values");
        return good;
}

static bool is_dual(struct validation *v, const string_list *ips) {
        bool four = false, six = false;

        for (uint32_t i = 0; i < ips->count; i++) {
                if (!validate_is_ip(ips->items[i])) {
                        validate_internal(v, SPEC("clusterIPs"),
                                          validate_text(v,
                                                        "failed to check for dual stack with error:invalid IP[%u]: %s",
                                                        i, ips->items[i] ?: ""));
                        return false;
                }
                six |= validate_is_ipv6(ips->items[i]);
                four |= !validate_is_ipv6(ips->items[i]);
        }
        return four && six;
}

static void check_ip_families(struct validation *v, const struct kube_service *s) {
        const string_list *ips = &s->spec.cluster_ips, *families = &s->spec.ip_families;

        if (ips->count > 1 && !is_dual(v, ips))
                invalid_ips(v, SPEC("clusterIPs"), s, "may specify no more than one IP for each IP family");
        for (uint32_t i = 0; i < ips->count && i < families->count && !is_headless(s); i++) {
                bool six = validate_is_ipv6(ips->items[i]);

                if (kube_is(families->items[i], six ? "IPv4" : "IPv6"))
                        validate_invalid(v, ITEM(SPEC("clusterIPs"), i), ips->items[i],
                                         validate_text(v, "expected an IPv%c value as indicated by `ipFamilies[%u]`",
                                                       six ? '4' : '6', i));
        }
}

static void check_addresses(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const char *ip = s->spec.cluster_ip ?: "";

        if (is_type(s, "ExternalName"))
                return;
        if (*ip && s->spec.cluster_ips.count == 0)
                validate_required(v, SPEC("clusterIPs"), "");
        else if (*ip && !same_text(s->spec.cluster_ips.items[0], ip))
                invalid_ips(v, SPEC("clusterIPs"), s, "first value must match `clusterIP`");
        else if (!*ip && s->spec.cluster_ips.count > 0)
                invalid_ips(v, SPEC("clusterIPs"), s, "must be empty when `clusterIP` is not specified");
        check_families(v, s);
        if (check_cluster_ips(v, s, old))
                check_ip_families(v, s);
}

/* --- other addresses --- */

static void check_external_ips(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        for (uint32_t i = 0; i < s->spec.external_ips.count; i++) {
                const struct place *at = ITEM(SPEC("externalIPs"), i);
                unsigned before = validate_errors(v);

                validate_ip(v, at, s->spec.external_ips.items[i], old ? &old->spec.external_ips : NULL);
                if (validate_errors(v) == before)
                        validate_endpoint_ip(v, at, s->spec.external_ips.items[i]);
        }
}

static const char *trimmed(struct validation *v, const char *text, size_t n) {
        while (n > 0 && isspace((unsigned char)*text)) {
                text++;
                n--;
        }
        while (n > 0 && isspace((unsigned char)text[n - 1]))
                n--;
        return validate_copy(v, text, n);
}

static void check_source_list(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const struct place *at = SPEC("LoadBalancerSourceRanges");
        string_list before = { 0 };

        if (!is_type(s, "LoadBalancer"))
                validate_forbidden(v, at, "may only be used when `type` is 'LoadBalancer'");
        if (old && old->spec.load_balancer_source_ranges.count > 0)
                before.items = validate_alloc(v, old->spec.load_balancer_source_ranges.count, sizeof(char *));
        for (uint32_t i = 0; before.items && i < old->spec.load_balancer_source_ranges.count; i++) {
                const char *text = old->spec.load_balancer_source_ranges.items[i] ?: "";

                before.items[before.count++] = trimmed(v, text, strlen(text));
        }
        for (uint32_t i = 0; i < s->spec.load_balancer_source_ranges.count; i++) {
                const char *text = s->spec.load_balancer_source_ranges.items[i] ?: "";

                validate_cidr(v, ITEM(at, i), trimmed(v, text, strlen(text)), &before);
        }
}

static void check_source_annotation(struct validation *v, const struct kube_service *s, const struct kube_service *old,
                                    const char *value) {
        const struct place *at = ENTRY(FIELD(FIELD(NULL, "metadata"), "annotations"), SOURCE_RANGES);
        const char *before = old ? string_map_get(&old->metadata.annotations, SOURCE_RANGES) : NULL;

        if (!is_type(s, "LoadBalancer"))
                validate_forbidden(v, at, "may only be used when `type` is 'LoadBalancer'");
        if (old && same_text(before, value))
                return;
        if (!*trimmed(v, value, strlen(value)))
                return;
        for (const char *p = value;; p++) {
                size_t n = strcspn(p, ",");

                validate_cidr(v, at, trimmed(v, p, n), NULL);
                p += n;
                if (*p == '\0')
                        break;
        }
}

static void check_sources(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const char *annotation = string_map_get(&s->metadata.annotations, SOURCE_RANGES);

        if (s->spec.load_balancer_source_ranges.count > 0)
                check_source_list(v, s, old);
        else if (annotation)
                check_source_annotation(v, s, old, annotation);
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
        if (is_headless(s) && (is_type(s, "LoadBalancer") || is_type(s, "NodePort")))
                validate_invalid(v, ITEM(SPEC("clusterIPs"), 0), "None",
                                 validate_text(v, "may not be set to 'None' for %s services", s->spec.type));
        if (is_type(s, "ExternalName"))
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

        if (old && is_type(old, "LoadBalancer") && is_type(s, "LoadBalancer") &&
            (!class != !before || !same_text(class, before)))
                invalid_pointer(v, at, class, "may not change once set");
        if (class && is_type(s, "LoadBalancer"))
                validate_name(v, at, NAME_QUALIFIED, class);
        else if (class)
                validate_forbidden(v, at, "may only be used when `type` is 'LoadBalancer'");
}

static void check_allocation(struct validation *v, const struct kube_service *s) {
        if (s->spec.allocate_load_balancer_node_ports != TRI_UNSET && !is_type(s, "LoadBalancer"))
                validate_forbidden(v, SPEC("allocateLoadBalancerNodePorts"),
                                   "may only be used when `type` is 'LoadBalancer'");
        if (s->spec.allocate_load_balancer_node_ports == TRI_UNSET && is_type(s, "LoadBalancer"))
                validate_required(v, FIELD(NULL, "allocateLoadBalancerNodePorts"), "");
}

/* --- traffic --- */

static bool is_reachable(const struct kube_service *s) {
        return is_type(s, "LoadBalancer") || is_type(s, "NodePort") ||
               (is_type(s, "ClusterIP") && s->spec.external_ips.count > 0);
}

static bool needs_health_check(const struct kube_service *s) {
        return is_type(s, "LoadBalancer") && kube_is(s->spec.external_traffic_policy, "Local");
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
        else if (is_type(s, "NodePort") || is_type(s, "LoadBalancer") || is_type(s, "ClusterIP"))
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
        if (s->spec.ports.count == 0 && !is_headless(s) && !is_type(s, "ExternalName"))
                validate_required(v, SPEC("ports"), "");
        check_headless(v, s);
        check_ports(v, s);
        validate_labels(v, SPEC("selector"), &s->spec.selector);
        check_affinity(v, s);
        check_addresses(v, s, old);
        check_external_ips(v, s, old);
        check_type(v, s);
        check_node_ports(v, s);
        check_port_pairs(v, s);
        check_sources(v, s, old);
        check_allocation(v, s);
        check_class(v, s, NULL);
        check_traffic(v, s);
}

/* --- changes --- */

#define ONCE "may not change once set"

static bool is_named(const struct kube_service *s, const struct kube_service *old) {
        return is_type(s, "ExternalName") || is_type(old, "ExternalName");
}

static void check_single(struct validation *v, const struct kube_service *s, const char *what) {
        const char *policy = s->spec.ip_family_policy;

        if (!kube_is(policy, "SingleStack"))
                invalid_pointer(v, SPEC("ipFamilyPolicy"), policy,
                                validate_text(v, "must be set to 'SingleStack' when releasing the secondary %s", what));
}

static void check_ip_changes(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const string_list *new_ips = &s->spec.cluster_ips, *old_ips = &old->spec.cluster_ips;
        const struct place *at = SPEC("clusterIPs");

        if (is_named(s, old) || (is_headless(s) && is_headless(old)))
                return;
        if (old_ips->count == new_ips->count) {
                for (uint32_t i = 0; i < old_ips->count; i++)
                        if (!same_text(old_ips->items[i], new_ips->items[i]))
                                invalid_ips(v, ITEM(at, i), s, ONCE);
                return;
        }
        if (new_ips->count == 0)
                invalid_ips(v, ITEM(at, 0), s, "primary clusterIP can not be unset");
        if (old_ips->count > 0 && new_ips->count > 0 && !same_text(new_ips->items[0], old_ips->items[0]))
                invalid_ips(v, ITEM(at, 0), s, ONCE);
        if (old_ips->count > 1 && new_ips->count == 1)
                check_single(v, s, "clusterIP");
}

static void check_family_changes(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const string_list *new_families = &s->spec.ip_families, *old_families = &old->spec.ip_families;
        const struct place *first = ITEM(SPEC("ipFamilies"), 0);
        const char *json = validate_json_strings(v, new_families);

        if (is_named(s, old) || is_headless(s) || is_headless(old))
                return;
        if (old_families->count == new_families->count) {
                for (uint32_t i = 0; i < old_families->count; i++)
                        if (!same_text(old_families->items[i], new_families->items[i]))
                                validate_invalid_json(v, first, json, ONCE);
                return;
        }
        if (old_families->count > new_families->count && s->spec.cluster_ips.count == 0)
                validate_invalid_json(v, first, json, "primary ipFamily can not be unset");
        /* The addresses are what kube-apiserver shows. */
        if (old_families->count > 0 && new_families->count > 0 &&
            !same_text(new_families->items[0], old_families->items[0]))
                invalid_ips(v, first, s, ONCE);
        if (old_families->count > 1 && new_families->count == 1)
                check_single(v, s, "ipFamily");
}

void validate_service(struct validation *v, const void *object, const void *old_object) {
        const struct kube_service *s = object, *old = old_object;

        if (!old) {
                validate_meta(v, &s->metadata, NAME_LABEL);
                check_service(v, s, NULL);
                return;
        }
        validate_meta_update(v, &s->metadata, &old->metadata);
        check_ip_changes(v, s, old);
        check_family_changes(v, s, old);
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
        if (!is_type(s, "LoadBalancer") && list->count > 0) {
                validate_forbidden(v, at, "may only be used when `spec.type` is 'LoadBalancer'");
                return;
        }
        for (uint32_t i = 0; known.items && i < before->count; i++)
                if (before->items[i].ip && *before->items[i].ip)
                        known.items[known.count++] = before->items[i].ip;
        for (uint32_t i = 0; i < list->count; i++)
                check_ingress(v, ITEM(at, i), &list->items[i], &known);
}

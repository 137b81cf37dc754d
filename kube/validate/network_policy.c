/* NetworkPolicies, and the addresses of Services (k8s.io/kubernetes/pkg/apis/networking/validation,
 * pkg/registry/networking). */

#include "kube/networking_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"
#include "lib/ip.h"

/* --- NetworkPolicy --- */

/* What an update still takes because the object had it before. */
struct leniency {
        struct validate_selector_options selector;
        string_list blocks;
};

static void check_port(struct validation *v, const struct place *at,
                       const struct kube_networking_v1_network_policy_port *port) {
        static const char *const protocols[] = { "TCP", "UDP", "SCTP", NULL };
        const struct place *place = FIELD(at, "port"), *end = FIELD(at, "endPort");

        if (port->protocol)
                validate_choice(v, FIELD(at, "protocol"), port->protocol, protocols);
        if (port->port.set && !port->port.text) {
                validate_port(v, place, port->port.number);
                if (port->end_port.set && port->end_port.value < port->port.number)
                        validate_invalid_int(v, end, port->port.number, "must be greater than or equal to `port`");
                if (port->end_port.set)
                        validate_port(v, end, port->end_port.value);
                return;
        }
        if (port->end_port.set)
                validate_invalid_int(v, end, port->end_port.value,
                                     port->port.set ? "may not be specified when `port` is non-numeric" :
                                                      "may not be specified when `port` is not specified");
        if (port->port.set)
                validate_name(v, place, NAME_PORT, port->port.text);
}

static void check_except(struct validation *v, const struct place *at, const struct ip_cidr *block, const char *except,
                         const struct leniency *lenient) {
        struct ip_cidr part;

        validate_cidr(v, at, except, &lenient->blocks);
        if (ip_cidr_parse(except ?: "", &part, NULL) < 0)
                return;
        part.ip = ip_cidr_base(&part);
        if (!ip_cidr_contains(block, &part.ip) || block->prefix >= part.prefix)
                validate_invalid(v, at, except, "must be a strict subset of `cidr`");
}

static void check_block(struct validation *v, const struct place *at, const struct kube_networking_v1_ip_block *block,
                        const struct leniency *lenient) {
        const struct place *place = FIELD(at, "cidr"), *except = FIELD(at, "except");
        struct ip_cidr cidr;

        if (!block->cidr || !*block->cidr) {
                validate_required(v, place, "");
                return;
        }
        validate_cidr(v, place, block->cidr, &lenient->blocks);
        if (ip_cidr_parse(block->cidr, &cidr, NULL) < 0)
                return;
        for (uint32_t i = 0; i < block->except.count; i++)
                check_except(v, ITEM(except, i), &cidr, block->except.items[i], lenient);
}

static void check_peer(struct validation *v, const struct place *at,
                       const struct kube_networking_v1_network_policy_peer *peer, const struct leniency *lenient) {
        validate_selector(v, FIELD(at, "podSelector"), peer->pod_selector, &lenient->selector);
        validate_selector(v, FIELD(at, "namespaceSelector"), peer->namespace_selector, &lenient->selector);
        if (peer->ip_block)
                check_block(v, FIELD(at, "ipBlock"), peer->ip_block, lenient);
        if (!peer->pod_selector && !peer->namespace_selector && !peer->ip_block)
                validate_required(v, at, "must specify a peer");
        else if (peer->ip_block && (peer->pod_selector || peer->namespace_selector))
                validate_forbidden(v, at, "may not specify both ipBlock and another peer");
}

static void check_ports(struct validation *v, const struct place *at,
                        const kube_networking_v1_network_policy_port_items *ports) {
        for (uint32_t i = 0; i < ports->count; i++)
                check_port(v, ITEM(FIELD(at, "ports"), i), &ports->items[i]);
}

static void check_peers(struct validation *v, const struct place *at,
                        const kube_networking_v1_network_policy_peer_items *peers, const struct leniency *lenient) {
        for (uint32_t i = 0; i < peers->count; i++)
                check_peer(v, ITEM(at, i), &peers->items[i], lenient);
}

static void check_types(struct validation *v, const struct place *at,
                        const struct kube_networking_v1_network_policy_spec *spec) {
        static const char *const types[] = { "Ingress", "Egress", NULL };

        if (spec->policy_types.count > 2) {
                validate_invalid_json(v, at, validate_json_strings(v, &spec->policy_types),
                                      "may not specify more than two policyTypes");
                return;
        }
        for (uint32_t i = 0; i < spec->policy_types.count; i++)
                validate_choice(v, ITEM(at, i), spec->policy_types.items[i], types);
}

static void check_spec(struct validation *v, const struct kube_networking_v1_network_policy_spec *spec,
                       const struct leniency *lenient) {
        const struct place *at = FIELD(NULL, "spec");

        validate_selector(v, FIELD(at, "podSelector"), &spec->pod_selector, &lenient->selector);
        for (uint32_t i = 0; i < spec->ingress.count; i++) {
                const struct place *rule = ITEM(FIELD(at, "ingress"), i);

                check_ports(v, rule, &spec->ingress.items[i].ports);
                check_peers(v, FIELD(rule, "from"), &spec->ingress.items[i].from, lenient);
        }
        for (uint32_t i = 0; i < spec->egress.count; i++) {
                const struct place *rule = ITEM(FIELD(at, "egress"), i);

                check_ports(v, rule, &spec->egress.items[i].ports);
                check_peers(v, FIELD(rule, "to"), &spec->egress.items[i].to, lenient);
        }
        check_types(v, FIELD(at, "policyTypes"), spec);
}

/* The blocks of @peers, added to @list; those that there are if it has no items. */
static void take_blocks(const kube_networking_v1_network_policy_peer_items *peers, const char **items,
                        uint32_t *count) {
        list_for_each (peer, peers) {
                if (!peer->ip_block)
                        continue;
                if (items)
                        items[*count] = peer->ip_block->cidr ?: "";
                (*count)++;
                for (uint32_t i = 0; i < peer->ip_block->except.count; i++, (*count)++)
                        if (items)
                                items[*count] = peer->ip_block->except.items[i] ?: "";
        }
}

static uint32_t take_all_blocks(const struct kube_networking_v1_network_policy_spec *spec, const char **items) {
        uint32_t count = 0;

        list_for_each (rule, &spec->ingress)
                take_blocks(&rule->from, items, &count);
        list_for_each (rule, &spec->egress)
                take_blocks(&rule->to, items, &count);
        return count;
}

static void check_policy(struct validation *v, const void *object, const void *before) {
        const struct kube_networking_v1_network_policy *new = object, *old = before;
        struct leniency lenient = { 0 };
        uint32_t n;

        if (!old) {
                validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
                check_spec(v, &new->spec, &lenient);
                return;
        }
        n = take_all_blocks(&old->spec, NULL);
        lenient.blocks.items = arena_alloc_array(v->arena, (size_t)n + 1, sizeof(*lenient.blocks.items));
        if (lenient.blocks.items)
                lenient.blocks.count = take_all_blocks(&old->spec, lenient.blocks.items);
        lenient.selector.any_value = !validate_selector_is_sound(&old->spec.pod_selector);
        validate_meta_update(v, &new->metadata, &old->metadata);
        check_spec(v, &new->spec, &lenient);
}

/* --- IPAddress --- */

static void check_parent(struct validation *v, const struct place *at,
                         const struct kube_networking_v1_parent_reference *parent) {
        if (!parent) {
                validate_required(v, at, "");
                return;
        }
        if (parent->group && *parent->group)
                validate_name(v, FIELD(at, "group"), NAME_SUBDOMAIN, parent->group);
        validate_name_required(v, FIELD(at, "resource"), NAME_SEGMENT, parent->resource);
        validate_name_required(v, FIELD(at, "name"), NAME_SEGMENT, parent->name);
        if (parent->namespace && *parent->namespace)
                validate_name(v, FIELD(at, "namespace"), NAME_SEGMENT, parent->namespace);
}

static void check_address(struct validation *v, const void *object, const void *before) {
        const struct kube_networking_v1_ip_address *new = object, *old = before;
        const struct place *metadata = FIELD(NULL, "metadata"), *parent = FIELD(FIELD(NULL, "spec"), "parentRef");

        if (new->metadata.generate_name &&*new->metadata.generate_name)
                validate_canonical_ip(v, FIELD(metadata, "generateName"), new->metadata.generate_name);
        if (new->metadata.name &&*new->metadata.name)
                validate_canonical_ip(v, FIELD(metadata, "name"), new->metadata.name);
        validate_meta(v, &new->metadata, NAME_ANY);
        check_parent(v, parent, new->spec.parent_ref);
        if (!old)
                return;
        validate_meta_update(v, &new->metadata, &old->metadata);
        if (!validate_equal(&kube_networking_v1_parent_reference_type, new->spec.parent_ref, old->spec.parent_ref))
                validate_invalid_json(
                        v, parent, validate_go_json(v, &kube_networking_v1_parent_reference_type, new->spec.parent_ref),
                        VALIDATE_IMMUTABLE);
}

/* --- ServiceCIDR --- */

static void check_cidrs(struct validation *v, const struct place *at,
                        const struct kube_networking_v1_service_cidr_spec *spec) {
        const string_list *cidrs = &spec->cidrs;

        if (cidrs->count == 0) {
                validate_required(v, at, "at least one CIDR required");
                return;
        }
        if (cidrs->count > 2) {
                validate_invalid_json(v, at, validate_go_json(v, &kube_networking_v1_service_cidr_spec_type, spec),
                                      "may only hold up to 2 values");
                return;
        }
        for (uint32_t i = 0; i < cidrs->count; i++)
                validate_canonical_cidr(v, ITEM(at, i), cidrs->items[i]);
        if (cidrs->count == 2 && validate_is_cidr(cidrs->items[0]) && validate_is_cidr(cidrs->items[1]) &&
            validate_is_ipv6_cidr(cidrs->items[0]) == validate_is_ipv6_cidr(cidrs->items[1]))
                validate_invalid_json(v, at, validate_json_strings(v, cidrs),
                                      "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
                                      "2001:db8::/64");
}

static void create_service_cidr(struct validation *v, const void *object, const void *old) {
        const struct kube_networking_v1_service_cidr *new = object;

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_cidrs(v, FIELD(FIELD(NULL, "spec"), "cidrs"), &new->spec);
}

/* One may be added to one, of the other family. */
static void update_service_cidr(struct validation *v, const void *object, const void *before) {
        const struct kube_networking_v1_service_cidr *new = object, *old = before;
        const struct place *at = FIELD(FIELD(NULL, "spec"), "cidrs");
        const string_list *cidrs = &new->spec.cidrs, *past = &old->spec.cidrs;
        bool added = past->count == 1 && cidrs->count == 2;

        validate_meta_update(v, &new->metadata, &old->metadata);
        if (cidrs->count != past->count && !added) {
                validate_invalid_json(v, at, validate_json_strings(v, cidrs), VALIDATE_IMMUTABLE);
                return;
        }
        for (uint32_t i = 0; i < past->count; i++)
                validate_immutable_text(v, ITEM(at, i), cidrs->items[i], past->items[i]);
        if (added)
                check_cidrs(v, at, &new->spec);
}

const struct validate_rules validate_network_policy_rules[] = {
        { "networking.k8s.io", "NetworkPolicy", NAME_SUBDOMAIN, check_policy, check_policy, NULL },
        { "networking.k8s.io", "IPAddress", NAME_ANY, check_address, check_address, NULL },
        { "networking.k8s.io", "ServiceCIDR", NAME_SUBDOMAIN, create_service_cidr, update_service_cidr, NULL },
        { 0 },
};

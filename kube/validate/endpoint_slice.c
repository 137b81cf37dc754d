/* EndpointSlices (k8s.io/kubernetes/pkg/apis/discovery/validation, pkg/registry/discovery). */
#include <string.h>

#include "kube/discovery_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"
#include "lib/ip.h"

#define TOPOLOGY_MAX 16
#define ADDRESSES_MAX 100
#define PORTS_MAX 20000
#define ENDPOINTS_MAX 1000
#define HINTS_MAX 8
#define PART_BYTES_MAX 63

/* --- addresses --- */

static bool starts_with(const struct ip *ip, size_t bits, uint8_t first, uint8_t second) {
        return ip->bytes[0] == first && (ip->bytes[1] & (uint8_t)(0xff << (16 - bits))) == second;
}

static bool is_zero(const struct ip *ip, size_t bytes) {
        for (size_t i = 0; i < bytes; i++)
                if (ip->bytes[i])
                        return false;
        return true;
}

/* What Go's net.IP says of an address. */
static void check_range(struct validation *v, const struct place *at, const char *address) {
        struct ip ip;
        bool four, unspecified, loopback;

        if (ip_parse(address, &ip, NULL) < 0)
                return;
        four = ip.family == AF_INET;
        unspecified = is_zero(&ip, ip_size(ip.family));
        loopback = four ? ip.bytes[0] == 127 : is_zero(&ip, 15) && ip.bytes[15] == 1;
        if (unspecified)
                validate_invalid(v, at, address, validate_text(v, "may not be unspecified (%s)", address));
        if (loopback)
                validate_invalid(v, at, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
        if (four ? starts_with(&ip, 16, 169, 254) : starts_with(&ip, 10, 0xfe, 0x80))
                validate_invalid(v, at, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
        if (four ? starts_with(&ip, 16, 224, 0) && ip.bytes[2] == 0 :
                   ip.bytes[0] == 0xff && (ip.bytes[1] & 0x0f) == 0x02)
                validate_invalid(v, at, address,
                                 "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

/* The first part of a domain that is too long. */
static void check_parts(struct validation *v, const struct place *at, const char *name) {
        for (const char *part = name; *part; part += part[0] == '.') {
                size_t n = strcspn(part, ".");

                if (n > PART_BYTES_MAX) {
                        validate_invalid(v, at, arena_strndup(v->arena, part, n), "must be no more than 63 characters");
                        return;
                }
                part += n;
        }
}

static void check_domain(struct validation *v, const struct place *at, const char *name) {
        size_t n = strlen(name);
        const char *texts[NAME_PROBLEMS_MAX], *detail = "";
        unsigned wrong;

        if (n == 0) {
                validate_required(v, at, "");
                return;
        }
        if (name[n - 1] == '.')
                name = arena_strndup(v->arena, name, n - 1) ?: "";
        wrong = name_problems(NAME_SUBDOMAIN, name, texts);
        for (unsigned i = 0; i < wrong; i++)
                detail = validate_text(v, "%s%s%s", detail, i > 0 ? "," : "", texts[i]);
        if (wrong > 0)
                validate_invalid(v, at, name, detail);
        else if (!strchr(name, '.'))
                validate_invalid(v, at, name, "should be a domain with at least two segments separated by dots");
        else
                check_parts(v, at, name);
}

typedef const struct kube_discovery_v1_endpoint *endpoint_ref;

static void check_address(struct validation *v, const struct place *at, uint32_t i, const char *address,
                          const char *type) {
        const struct place *item = ITEM(at, i);
        unsigned before = validate_errors(v);
        bool four = kube_is(type, "IPv4");

        if (kube_is(type, "FQDN")) {
                check_domain(v, item, address);
                return;
        }
        if (!four && !kube_is(type, "IPv6"))
                return;
        if (four)
                validate_ip(v, item, address, NULL);
        else
                validate_canonical_ip(v, item, address);
        if (validate_errors(v) > before)
                return;
        if (validate_is_ipv6(address) == four)
                validate_invalid(v, at, address, four ? "must be an IPv4 address" : "must be an IPv6 address");
        check_range(v, item, address);
}

/* --- hints --- */

static const char **names_of(struct validation *v, const struct list *list) {
        const char **names = arena_alloc_array(v->arena, (size_t)list->count + 1, sizeof(*names));

        for (uint32_t i = 0; names && i < list->count; i++)
                names[i] = ((const char *const *)list->items)[i];
        return names;
}

_Static_assert(sizeof(struct kube_discovery_v1_for_zone) == sizeof(const char *), "a name alone");
_Static_assert(sizeof(struct kube_discovery_v1_for_node) == sizeof(const char *), "a name alone");

/* Names alone, each once. False: there are too many. */
static bool check_hint(struct validation *v, const struct place *at, const struct list *list, enum name_rule rule) {
        const char **names = names_of(v, list);
        const bool *repeated;

        if (list->count > HINTS_MAX) {
                validate_too_many(v, at, (int)list->count, HINTS_MAX);
                return false;
        }
        repeated = names ? validate_repeated(v, names, list->count) : NULL;
        for (uint32_t i = 0; names && i < list->count; i++) {
                if (repeated && repeated[i])
                        validate_duplicate(v, FIELD(ITEM(at, i), "name"), names[i]);
                validate_name(v, FIELD(ITEM(at, i), "name"), rule, names[i]);
        }
        return true;
}

static void check_hints(struct validation *v, const struct place *at,
                        const struct kube_discovery_v1_endpoint_hints *hints) {
        if (check_hint(v, FIELD(at, "forZones"), (const struct list *)&hints->for_zones, NAME_LABEL_VALUE))
                check_hint(v, FIELD(at, "forNodes"), (const struct list *)&hints->for_nodes, NAME_SUBDOMAIN);
}

/* --- the slice --- */

static void check_endpoint(struct validation *v, const struct place *at, endpoint_ref endpoint, const char *type) {
        const struct place *addresses = FIELD(at, "addresses"), *topology = FIELD(at, "deprecatedTopology");

        if (endpoint->addresses.count == 0)
                validate_required(v, addresses, "must contain at least 1 address");
        else if (endpoint->addresses.count > ADDRESSES_MAX)
                validate_too_many(v, addresses, (int)endpoint->addresses.count, ADDRESSES_MAX);
        for (uint32_t i = 0; i < endpoint->addresses.count; i++)
                check_address(v, addresses, i, endpoint->addresses.items[i] ?: "", type);
        if (endpoint->node_name)
                validate_name(v, FIELD(at, "nodeName"), NAME_SUBDOMAIN, endpoint->node_name);
        if (endpoint->deprecated_topology.count > TOPOLOGY_MAX)
                validate_too_many(v, topology, (int)endpoint->deprecated_topology.count, TOPOLOGY_MAX);
        validate_labels(v, topology, &endpoint->deprecated_topology);
        if (string_map_get(&endpoint->deprecated_topology, "topology.kubernetes.io/zone"))
                validate_internal(v, ENTRY(topology, "topology.kubernetes.io/zone"),
                                  "reserved key was not removed in conversion");
        if (endpoint->hostname)
                validate_name(v, FIELD(at, "hostname"), NAME_LABEL, endpoint->hostname);
        if (endpoint->hints)
                check_hints(v, FIELD(at, "hints"), endpoint->hints);
}

static void check_endpoints(struct validation *v, const struct kube_discovery_v1_endpoint_slice *slice) {
        const struct place *at = FIELD(NULL, "endpoints");

        if (slice->endpoints.count > ENDPOINTS_MAX) {
                validate_too_many(v, at, (int)slice->endpoints.count, ENDPOINTS_MAX);
                return;
        }
        for (uint32_t i = 0; i < slice->endpoints.count; i++)
                check_endpoint(v, ITEM(at, i), &slice->endpoints.items[i], slice->address_type);
}

static void check_port(struct validation *v, const struct place *at, const struct kube_discovery_v1_endpoint_port *port,
                       bool repeated) {
        static const char *const protocols[] = { "SCTP", "TCP", "UDP", NULL };
        const char *name = port->name ?: "";

        if (*name)
                validate_name(v, FIELD(at, "name"), NAME_LABEL, name);
        if (repeated)
                validate_duplicate_json(v, FIELD(at, "name"), validate_quoted(v, name));
        if (!port->protocol)
                validate_required(v, FIELD(at, "protocol"), "");
        else
                validate_choice(v, FIELD(at, "protocol"), port->protocol, protocols);
        if (port->app_protocol)
                validate_name(v, FIELD(at, "appProtocol"), NAME_QUALIFIED, port->app_protocol);
}

static void check_ports(struct validation *v, const kube_discovery_v1_endpoint_port_items *ports) {
        const struct place *at = FIELD(NULL, "ports");
        const char **names;
        const bool *repeated;

        if (ports->count > PORTS_MAX) {
                validate_too_many(v, at, (int)ports->count, PORTS_MAX);
                return;
        }
        names = arena_alloc_array(v->arena, (size_t)ports->count + 1, sizeof(*names));
        for (uint32_t i = 0; names && i < ports->count; i++)
                names[i] = ports->items[i].name;
        repeated = names ? validate_repeated(v, names, ports->count) : NULL;
        for (uint32_t i = 0; i < ports->count; i++)
                check_port(v, ITEM(at, i), &ports->items[i], repeated && repeated[i]);
}

/* Endpoints that are wrong may stay as they are: older versions took them. */
static bool keeps_endpoints(const struct kube_discovery_v1_endpoint_slice *new,
                            const struct kube_discovery_v1_endpoint_slice *old) {
        return old && validate_equal_field(&kube_discovery_v1_endpoint_slice_type, "endpoints", new, old);
}

static void check_slice(struct validation *v, const void *object, const void *before) {
        static const char *const types[] = { "FQDN", "IPv4", "IPv6", NULL };
        const struct kube_discovery_v1_endpoint_slice *new = object, *old = before;
        const struct place *type = FIELD(NULL, "addressType");

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        if (!new->address_type || !*new->address_type)
                validate_required(v, type, "");
        else
                validate_choice(v, type, new->address_type, types);
        check_ports(v, &new->ports);
        if (!keeps_endpoints(new, old))
                check_endpoints(v, new);
        if (old && strcmp(new->address_type ?: "", old->address_type ?: "") != 0)
                validate_invalid_word(v, type, new->address_type, VALIDATE_IMMUTABLE);
}

const struct validate_rules validate_endpoint_slice_rules[] = {
        { "discovery.k8s.io", "EndpointSlice", NAME_SUBDOMAIN, check_slice, check_slice, NULL },
        { 0 },
};

/* Objects of the API as what is kept of them: addresses are numbers here, and what cannot be used is left out. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "kube/core_v1.h"
#include "kube/discovery_v1.h"
#include "lib/cleanup.h"
#include "services/internal.h"

#define KEEP_DEFAULT_S 10800 /* sessionAffinityConfig.clientIP.timeoutSeconds */
#define KEEP_MAX_S 86400

/* Of what is kept of one Service or slice. */
#define ARENA_FIRST 512

static bool is(const char *text, const char *wanted) {
        return text && strcmp(text, wanted) == 0;
}

/* An address that no pod and no Service may have: of whoever asks, of a link, or of many. The API refuses these, too.
 */
static bool is_of_nobody_else(const struct ip *ip) {
        static const uint8_t zero[10], all[4] = { 0xff, 0xff, 0xff, 0xff };
        const uint8_t *b = ip->bytes;

        if (ip->family == AF_INET) /* 0/8, 127/8, 169.254/16, 224/4, broadcast */
                return b[0] == 0 || b[0] == 127 || (b[0] == 169 && b[1] == 254) || b[0] >> 4 == 0xe ||
                       memcmp(b, all, sizeof(all)) == 0;
        /* ff00::/8, fe80::/10, ::/96 with loopback in it, IPv4's */
        return b[0] == 0xff || (b[0] == 0xfe && b[1] >> 6 == 2) ||
               (memcmp(b, zero, sizeof(zero)) == 0 && (b[10] == 0 || b[10] == 0xff) && b[11] == b[10]);
}

/* Services and slices that kube-proxy asks for none of: of another proxy, and of headless Services. */
static bool is_anothers(const struct kube_object_meta *metadata) {
        return string_map_get(&metadata->labels, "service.kubernetes.io/service-proxy-name") ||
               string_map_get(&metadata->labels, "service.kubernetes.io/headless");
}

static bool take_ip(const char *text, struct ip *ret_ip) {
        return text && ip_parse(text, ret_ip, NULL) == 0 && !is_of_nobody_else(ret_ip);
}

/* -- nodes ------------------------------------------------------------------------------------------------- */

static void add_cidr(struct node *node, const char *text) {
        struct ip_cidr cidr;

        if (node->n_cidrs == SERVICES_CIDRS_MAX || ip_cidr_parse(text, &cidr, NULL) < 0 ||
            (node->n_cidrs == 1 && node->cidrs[0].ip.family == cidr.ip.family))
                return;
        node->cidrs[node->n_cidrs++] = (struct ip_cidr){ .ip = ip_cidr_base(&cidr), .prefix = cidr.prefix };
}

static void add_address(struct node *node, const char *text) {
        struct ip ip;

        if (node->n_addresses == ELEMENTS(node->addresses) || ip_parse(text, &ip, NULL) < 0 ||
            (node->n_addresses == 1 && node->addresses[0].family == ip.family))
                return;
        node->addresses[node->n_addresses++] = ip;
}

int read_node(const struct client_object *object, struct node *ret_node) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct kube_node read = { 0 };
        int r = arena ? client_object_read(arena, object, &kube_node_type, &read) : -ENOMEM;

        if (r < 0)
                return r;
        ret_node->n_cidrs = ret_node->n_addresses = 0;
        memset(ret_node->cidrs, 0, sizeof(ret_node->cidrs));
        memset(ret_node->addresses, 0, sizeof(ret_node->addresses));
        list_for_each (cidr, &read.spec.pod_cidrs)
                add_cidr(ret_node, *cidr);
        if (ret_node->n_cidrs == 0 && read.spec.pod_cidr)
                add_cidr(ret_node, read.spec.pod_cidr);
        list_for_each (address, &read.status.addresses)
                if (is(address->type, "InternalIP") && address->address)
                        add_address(ret_node, address->address);
        return 0;
}

/* -- Services ---------------------------------------------------------------------------------------------- */

static uint8_t protocol_of(const char *name) {
        return !name || is(name, "TCP") ? IPPROTO_TCP :
               is(name, "UDP")          ? IPPROTO_UDP :
               is(name, "SCTP")         ? IPPROTO_SCTP :
                                          0;
}

/* The ports that can be told of; -ENOMEM. */
static int add_port(struct arena *arena, struct model_port *ports, size_t *n, const char *name, const char *protocol,
                    int64_t number) {
        struct model_port *port = &ports[*n];

        port->protocol = protocol_of(protocol);
        port->port = (uint16_t)number;
        if (!port->protocol || number < 1 || number > 65535)
                return 0;
        if (!(port->name = arena_strdup(arena, name ?: "")))
                return -ENOMEM;
        ++*n;
        return 0;
}

static int add_ips(struct arena *arena, const struct kube_service_spec *spec, struct model_service *service) {
        size_t most = (size_t)spec->cluster_ips.count + 1;
        struct ip *ips = arena_alloc_array(arena, most, sizeof(*ips));

        if (!ips)
                return -ENOMEM;
        list_for_each (text, &spec->cluster_ips)
                if (service->n_ips < SERVICES_CIDRS_MAX)
                        service->n_ips += take_ip(*text, &ips[service->n_ips]);
        if (spec->cluster_ips.count == 0)
                service->n_ips += take_ip(spec->cluster_ip, &ips[0]);
        service->ips = ips;
        return 0;
}

/* What nobody has said is Kubernetes' default, and what nobody may say is brought to what may be. */
static uint32_t keep_of(const struct kube_service_spec *spec) {
        const struct kube_client_ip_config *by =
                spec->session_affinity_config ? spec->session_affinity_config->client_ip : NULL;
        int64_t seconds = by && by->timeout_seconds.set ? by->timeout_seconds.value : KEEP_DEFAULT_S;

        if (!is(spec->session_affinity, "ClientIP"))
                return 0;
        return seconds < 1 ? 1 : seconds > KEEP_MAX_S ? KEEP_MAX_S : (uint32_t)seconds;
}

static int fill_service(struct arena *arena, const struct kube_service *read, struct model_service *service) {
        struct model_port *ports = arena_alloc_array(arena, (size_t)read->spec.ports.count + 1, sizeof(*ports));
        int r;

        if (!ports)
                return -ENOMEM;
        service->ports = ports;
        service->keep = keep_of(&read->spec);
        service->local_only = is(read->spec.internal_traffic_policy, "Local");
        if (is_anothers(&read->metadata) || is(read->spec.type, "ExternalName"))
                return 0;
        if ((r = add_ips(arena, &read->spec, service)) < 0)
                return r;
        list_for_each (port, &read->spec.ports)
                if ((r = add_port(arena, ports, &service->n_ports, port->name, port->protocol, port->port)) < 0)
                        return r;
        return 0;
}

int read_service(const struct client_object *object, struct model_service *ret_service) {
        _cleanup_arena_ struct arena *arena = arena_new(), *kept = arena_new_small(ARENA_FIRST);
        struct model_service made = { 0 };
        struct kube_service read = { 0 };
        int r = arena && kept ? client_object_read(arena, object, &kube_service_type, &read) : -ENOMEM;

        if (r < 0 || (r = fill_service(kept, &read, &made)) < 0)
                return r;
        arena_free(ret_service->arena);
        ret_service->arena = TAKE_PTR(kept);
        ret_service->ips = made.ips;
        ret_service->n_ips = made.n_ips;
        ret_service->ports = made.ports;
        ret_service->n_ports = made.n_ports;
        ret_service->keep = made.keep;
        ret_service->local_only = made.local_only;
        return 0;
}

/* -- EndpointSlices ---------------------------------------------------------------------------------------- */

/* Nothing said is ready, and who is ready serves (KEP-1672). */
static struct slice_end end_of(const struct kube_discovery_v1_endpoint *from, const char *node) {
        bool ready = from->conditions.ready != TRI_FALSE, terminating = from->conditions.terminating == TRI_TRUE;
        bool serving = from->conditions.serving == TRI_UNSET ? ready : from->conditions.serving == TRI_TRUE;

        return (struct slice_end){ .ready = ready, .ends = serving && terminating, .local = is(from->node_name, node) };
}

static int compare_ports(const void *a, const void *b) {
        return model_compare_ports(a, b);
}

/* Of an end's addresses only the first counts (discovery/v1). */
static int fill_slice(struct slice *slice, const struct kube_discovery_v1_endpoint_slice *read, const char *node) {
        uint8_t family = is(read->address_type, "IPv6") ? AF_INET6 : is(read->address_type, "IPv4") ? AF_INET : 0;
        struct model_port *ports = arena_alloc_array(slice->arena, (size_t)read->ports.count + 1, sizeof(*ports));
        struct slice_end *ends = arena_alloc_array(slice->arena, (size_t)read->endpoints.count + 1, sizeof(*ends));
        int r = 0;

        if (!ports || !ends)
                return -ENOMEM;
        list_for_each (port, &read->ports)
                r = r < 0 || !port->port.set ? r :
                                               add_port(slice->arena, ports, &slice->n_ports, port->name,
                                                        port->protocol, port->port.value);
        list_for_each (from, &read->endpoints) {
                struct slice_end end = end_of(from, node);

                if (from->addresses.count > 0 && take_ip(from->addresses.items[0], &end.ip) &&
                    end.ip.family == family && (end.ready || end.ends))
                        ends[slice->n_ends++] = end;
        }
        qsort(ports, slice->n_ports, sizeof(*ports), compare_ports);
        slice->ports = ports;
        slice->ends = ends;
        return r;
}

int read_slice(const struct client_object *object, const char *node, struct slice **ret_slice, const char **ret_owner) {
        _cleanup_arena_ struct arena *arena = arena_new(), *kept = arena_new_small(ARENA_FIRST);
        struct kube_discovery_v1_endpoint_slice read = { 0 };
        struct slice *slice = kept ? arena_alloc(kept, sizeof(*slice)) : NULL;
        const char *owner;
        int r = arena && slice ? client_object_read(arena, object, &kube_discovery_v1_endpoint_slice_type, &read) :
                                 -ENOMEM;

        if (r < 0)
                return r;
        owner = is_anothers(&read.metadata) ? NULL :
                                              string_map_get(&read.metadata.labels, "kubernetes.io/service-name");
        slice->arena = kept;
        slice->key = arena_printf(kept, "%s/%s", object->namespace, object->name);
        if (!slice->key || (owner && !(owner = arena_printf(kept, "%s/%s", object->namespace, owner))))
                return -ENOMEM;
        r = fill_slice(slice, &read, node);
        if (r < 0)
                return r;
        TAKE_PTR(kept);
        *ret_owner = owner;
        *ret_slice = slice;
        return 0;
}

/* A sandbox's configuration as the folders below want it. */
#include <netinet/in.h>
#include <string.h>

#include "cri/sandbox/sandbox.h"
#include "cri/state/message.h"

int sandbox_fill_mappings(const Cri__PodSandboxConfig *config, struct arena *arena, struct id_mappings *ret_mappings,
                          struct err **err) {
        const Cri__UserNamespace *users = cri_sandbox_namespaces(config)->userns_options;

        *ret_mappings = (struct id_mappings){ 0 };
        if (!users || users->mode == CRI__NAMESPACE_MODE__NODE) {
                if (users && (users->n_uids > 0 || users->n_gids > 0))
                        return err_set(err, EINVAL, "user namespace mode NODE goes without id mappings");
                return 0;
        }
        if (users->mode != CRI__NAMESPACE_MODE__POD)
                return err_set(err, EINVAL, "user namespace mode %d is none of POD and NODE", users->mode);
        if (users->n_uids != 1 || users->n_gids != 1)
                return err_set(err, EINVAL, "a user namespace takes exactly one uid and one gid mapping");
        if (users->uids[0]->length == 0 || users->gids[0]->length == 0)
                return err_set(err, EINVAL, "an id mapping of length 0 maps nothing");
        if (users->uids[0]->container_id != 0 || users->gids[0]->container_id != 0)
                return err_set(err, EINVAL, "an id mapping of a pod begins at container id 0");
        ret_mappings->uids = message_id_mappings(arena, users->uids, users->n_uids);
        ret_mappings->gids = message_id_mappings(arena, users->gids, users->n_gids);
        if (!ret_mappings->uids || !ret_mappings->gids)
                return err_set(err, ENOMEM, "out of memory");
        ret_mappings->n_uids = users->n_uids;
        ret_mappings->n_gids = users->n_gids;
        return 0;
}

/* Those of the configuration, behind what makes low ports and ping work for any user, as the field's runtimes set it.
 */
static int fill_sysctls(const Cri__PodSandboxConfig *config, struct arena *arena, bool host_network, bool users,
                        struct sandbox_spec *spec) {
        size_t n = config->linux ? config->linux->n_sysctls : 0;
        struct key_value *sysctls = arena_alloc_array(arena, n + 2, sizeof(*sysctls));
        size_t count = 0;

        if (!sysctls)
                return -ENOMEM;
        if (!host_network && !message_map_find(n ? (void *const *)config->linux->sysctls : NULL, n,
                                               "net.ipv4.ip_unprivileged_port_start"))
                sysctls[count++] = (struct key_value){ "net.ipv4.ip_unprivileged_port_start", "0" };
        if (!host_network && !users &&
            !message_map_find(n ? (void *const *)config->linux->sysctls : NULL, n, "net.ipv4.ping_group_range"))
                sysctls[count++] = (struct key_value){ "net.ipv4.ping_group_range", "0 2147483647" };
        for (size_t i = 0; i < n; i++)
                sysctls[count++] =
                        (struct key_value){ config->linux->sysctls[i]->key, config->linux->sysctls[i]->value };
        spec->sysctls = sysctls;
        spec->n_sysctls = count;
        return 0;
}

int sandbox_fill_spec(const struct cri_sandbox *sandbox, struct arena *arena, struct sandbox_spec *ret_spec,
                      struct err **err) {
        const Cri__PodSandboxConfig *config = sandbox->config;
        const Cri__NamespaceOption *namespaces = cri_sandbox_namespaces(config);
        struct sandbox_spec spec;
        int r;

        sandbox_spec_init(&spec);
        spec.host_network = namespaces->network == CRI__NAMESPACE_MODE__NODE;
        spec.host_ipc = namespaces->ipc == CRI__NAMESPACE_MODE__NODE;
        spec.shared_pid = namespaces->pid == CRI__NAMESPACE_MODE__POD;
        r = sandbox_fill_mappings(config, arena, &spec.mappings, err);
        if (r < 0)
                return r;
        if (!spec.host_network) {
                spec.hostname = config->hostname;
                if (text_empty(spec.hostname)) {
                        char name[256] = "";

                        gethostname(name, sizeof(name) - 1);
                        if (!(spec.hostname = arena_strdup(arena, name)))
                                return err_set(err, ENOMEM, "out of memory");
                }
        }
        if (fill_sysctls(config, arena, spec.host_network, spec.mappings.n_uids > 0, &spec) < 0)
                return err_set(err, ENOMEM, "out of memory");
        *ret_spec = spec;
        return 0;
}

/* "10M", "1Gi", "500k": bits a second as the bandwidth annotations have them; 0 for none. */
static int parse_bandwidth(const char *key, const char *text, uint64_t *ret_bits, struct err **err) {
        static const struct {
                char suffix[3];
                uint64_t factor;
        } suffixes[] = { { "", 1 },
                         { "k", 1000 },
                         { "K", 1000 },
                         { "M", 1000000 },
                         { "G", 1000000000 },
                         { "T", 1000000000000 },
                         { "Ki", 1ull << 10 },
                         { "Mi", 1ull << 20 },
                         { "Gi", 1ull << 30 },
                         { "Ti", 1ull << 40 } };
        uint64_t number = 0;
        const char *p = text;

        if (!text) {
                *ret_bits = 0;
                return 0;
        }
        for (; *p >= '0' && *p <= '9' && number < UINT32_MAX; p++)
                number = number * 10 + (uint64_t)(*p - '0');
        for (size_t i = 0; p > text && i < ELEMENTS(suffixes); i++)
                if (strcmp(p, suffixes[i].suffix) == 0) {
                        *ret_bits = number * suffixes[i].factor;
                        return 0;
                }
        return err_set(err, EINVAL, "annotation %s: \"%s\" is not an amount such as 10M", key, text);
}

static int fill_ports(const Cri__PodSandboxConfig *config, struct arena *arena, struct network_request *request,
                      struct err **err) {
        static const uint8_t protocols[] = {
                [CRI__PROTOCOL__TCP] = IPPROTO_TCP,
                [CRI__PROTOCOL__UDP] = IPPROTO_UDP,
                [CRI__PROTOCOL__SCTP] = IPPROTO_SCTP,
        };
        struct network_port *ports = arena_alloc_array(arena, config->n_port_mappings + 1, sizeof(*ports));
        size_t n = 0;

        if (!ports)
                return err_set(err, ENOMEM, "out of memory");
        if (config->n_port_mappings > NETWORK_PORTS_MAX)
                return err_set(err, EINVAL, "%zu port mappings are more than %d", config->n_port_mappings,
                               NETWORK_PORTS_MAX);
        for (size_t i = 0; i < config->n_port_mappings; i++) {
                const Cri__PortMapping *mapping = config->port_mappings[i];

                if (mapping->host_port <= 0)
                        continue;
                if ((unsigned)mapping->protocol >= ELEMENTS(protocols) || mapping->host_port > 65535 ||
                    mapping->container_port <= 0 || mapping->container_port > 65535)
                        return err_set(err, EINVAL, "port mapping %d to %d: no such port or protocol",
                                       mapping->host_port, mapping->container_port);
                ports[n] = (struct network_port){ .protocol = protocols[mapping->protocol],
                                                  .host_port = (uint16_t)mapping->host_port,
                                                  .container_port = (uint16_t)mapping->container_port };
                if (!text_empty(mapping->host_ip) && ip_parse(mapping->host_ip, &ports[n].host_ip, err) < 0)
                        return -EINVAL;
                n++;
        }
        request->ports = ports;
        request->n_ports = n;
        return 0;
}

/* Addresses that the pod asks its CNI plugins for: annotations cni.nacelle/ips (with commas) and cni.nacelle/mac. */
static int fill_wishes(const Cri__PodSandboxConfig *config, struct arena *arena, struct network_request *request,
                       struct err **err) {
        const char *ips = MESSAGE_MAP_FIND(config, annotations, "cni.nacelle/ips"), **list;
        char *text = ips ? arena_strdup(arena, ips) : NULL, *save = NULL;
        struct ip_cidr cidr;
        size_t n = 0;

        request->mac = MESSAGE_MAP_FIND(config, annotations, "cni.nacelle/mac");
        if (!ips)
                return 0;
        list = arena_alloc_array(arena, NETWORK_ADDRESSES_MAX + 1, sizeof(*list));
        if (!text || !list)
                return err_set(err, ENOMEM, "out of memory");
        for (char *one = strtok_r(text, ", ", &save); one; one = strtok_r(NULL, ", ", &save)) {
                if (n == NETWORK_ADDRESSES_MAX)
                        return err_set(err, EINVAL, "annotation cni.nacelle/ips: more than %d", NETWORK_ADDRESSES_MAX);
                if (ip_cidr_parse(one, &cidr, NULL) < 0)
                        return err_set(err, EINVAL,
                                       "annotation cni.nacelle/ips: \"%s\" is not an address like 10.1.2.3/24", one);
                list[n++] = one;
        }
        request->ips = list;
        return 0;
}

int sandbox_fill_network(const struct cri_sandbox *sandbox, struct arena *arena, struct network_request *ret_request,
                         struct err **err) {
        static const char ingress[] = "kubernetes.io/ingress-bandwidth", egress[] = "kubernetes.io/egress-bandwidth";
        const Cri__PodSandboxConfig *config = sandbox->config;
        const Cri__DNSConfig *dns = config->dns_config;
        struct network_request request = { .id = sandbox->id };
        char path[SANDBOX_PATH_MAX];
        int r;

        request.netns = arena_strdup(arena, sandbox_netns_path(sandbox->cri->runtime, sandbox->id, path));
        if (!request.netns)
                return err_set(err, ENOMEM, "out of memory");
        request.pod_namespace = config->metadata->namespace_;
        request.pod_name = config->metadata->name;
        request.pod_uid = config->metadata->uid;
        if (dns) {
                request.dns_servers = arena_list(arena, dns->servers, dns->n_servers);
                request.dns_searches = arena_list(arena, dns->searches, dns->n_searches);
                request.dns_options = arena_list(arena, dns->options, dns->n_options);
                if (!request.dns_servers || !request.dns_searches || !request.dns_options)
                        return err_set(err, ENOMEM, "out of memory");
        }
        if ((r = fill_wishes(config, arena, &request, err)) < 0 || (r = fill_ports(config, arena, &request, err)) < 0 ||
            (r = parse_bandwidth(ingress, MESSAGE_MAP_FIND(config, annotations, ingress), &request.ingress_bits, err)) <
                    0 ||
            (r = parse_bandwidth(egress, MESSAGE_MAP_FIND(config, annotations, egress), &request.egress_bits, err)) < 0)
                return r;
        *ret_request = request;
        return 0;
}

const char **sandbox_ips(struct arena *arena, const struct network_result *result) {
        const char **ips = arena_alloc_array(arena, result->n_addresses + 1, sizeof(*ips));
        char text[IP_TEXT_MAX];

        for (size_t i = 0; ips && i < result->n_addresses; i++) {
                ips[i] = arena_strdup(arena, ip_format(&result->addresses[i].address.ip, text));
                if (!ips[i])
                        return NULL;
        }
        return ips;
}

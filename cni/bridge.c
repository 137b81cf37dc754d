#include "cni/bridge.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/bridge_names.h"
#include "cni/bridge_setup.h"
#include "cni/firewall.h"
#include "cni/foreign.h"
#include "cni/leases.h"
#include "cni/link.h"
#include "cni/netns.h"
#include "cni/peers.h"
#include "cni/reaper.h"
#include "cni/shape.h"
#include "cni/sysctl.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

#define POD_INTERFACE "eth0"
#define LOOPBACK_INDEX 1
/* For the kernel to take note of a link that is up, which takes it well under a millisecond. */
#define UP_TIMEOUT_MS 2000

struct bridge {
        char name[IFNAMSIZ];
        uint32_t mtu;
        pthread_mutex_t lock; /* one setup at a time */
        bool warned;          /* of another firewall */
        atomic_bool ready;    /* the last setup succeeded */
        struct ip_cidr cidrs[LEASES_CIDRS_MAX];
        size_t n_cidrs;
        struct leases *leases;
        struct firewall *firewall;
        struct reaper *reaper;
};

int cni_bridge_new(const struct network_options *options, struct bridge **ret_bridge, struct err **err) {
        const char *name = options->bridge ? options->bridge : NETWORK_BRIDGE_DEFAULT;
        struct firewall_options firewall = { .bridge = name,
                                             .pod_cidrs = options->pod_cidrs,
                                             .n_pod_cidrs = options->n_pod_cidrs,
                                             .no_masquerade = options->no_masquerade,
                                             .n_no_masquerade = options->n_no_masquerade,
                                             .masquerade = options->masquerade };
        struct bridge *bridge;
        int r;

        if (name[0] == '\0' || strlen(name) >= IFNAMSIZ || strpbrk(name, "/ :%\t\n") || strcmp(name, ".") == 0 ||
            strcmp(name, "..") == 0)
                return err_set(err, EINVAL, "\"%.32s\" is not a name for a bridge: 1 to %d characters", name,
                               IFNAMSIZ - 1);
        bridge = calloc(1, sizeof(*bridge));
        if (!bridge)
                return err_errno(err, ENOMEM, "bridge %s", name);
        pthread_mutex_init(&bridge->lock, NULL);
        snprintf(bridge->name, sizeof(bridge->name), "%s", name);
        for (; bridge->n_cidrs < options->n_pod_cidrs && bridge->n_cidrs < LEASES_CIDRS_MAX; bridge->n_cidrs++)
                bridge->cidrs[bridge->n_cidrs] = options->pod_cidrs[bridge->n_cidrs];
        bridge->mtu = options->mtu ? options->mtu : cni_bridge_uplink_mtu();
        if ((r = cni_leases_new(options->pod_cidrs, options->n_pod_cidrs, NETWORK_POOL_MAX, &bridge->leases, err)) <
                    0 ||
            (r = cni_firewall_new(&firewall, &bridge->firewall, err)) < 0 ||
            (r = cni_reaper_new(cni_bridge_group(name), &bridge->reaper, err)) < 0) {
                cni_bridge_free(bridge);
                return r;
        }
        *ret_bridge = bridge;
        return 0;
}

void cni_bridge_free(struct bridge *bridge) {
        if (!bridge)
                return;
        cni_reaper_free(bridge->reaper);
        cni_firewall_free(bridge->firewall);
        cni_leases_free(bridge->leases);
        pthread_mutex_destroy(&bridge->lock);
        free(bridge);
}

const char *cni_bridge_name(const struct bridge *bridge) {
        return bridge->name;
}

bool cni_bridge_present(const struct bridge *bridge) {
        return if_nametoindex(bridge->name) > 0;
}

struct search {
        const char *bridge;
        int master;
        bool found;
};

static int find_port(const struct link *link, void *data) {
        struct search *search = data;

        search->found |= link->master == search->master && cni_bridge_owns_device(search->bridge, link->name);
        return 0;
}

bool cni_bridge_used(const char *name) {
        _cleanup_netlink_ struct netlink host = NETLINK_NONE;
        struct search search = { .bridge = name };

        if (cni_netlink_open(NETLINK_ROUTE, &host, NULL) < 0)
                return false;
        search.master = cni_link_index(&host, name);
        if (search.master > 0)
                cni_link_for_each(&host, find_port, &search, NULL);
        return search.found;
}

/* Said once: what the user sees otherwise is pods that reach each other and nothing else. */
static void warn_of_others(struct bridge *bridge) {
        char chain[256];

        if (bridge->warned || !cni_foreign_forward_drop(chain, sizeof(chain)))
                return;
        bridge->warned = true;
        log_warning("network: another firewall drops forwarded packets (%s has policy drop): unless a rule there "
                    "accepts those from and "
                    "to %s, pods and host ports reach nothing beyond this node",
                    chain, bridge->name);
}

static int set_up(struct bridge *bridge, struct err **err) {
        struct lease gateways;
        int r;

        cni_leases_gateways(bridge->leases, &gateways);
        r = cni_bridge_setup(bridge->name, bridge->mtu, &gateways, err);
        return r < 0 ? r : cni_firewall_install(bridge->firewall, err);
}

int cni_bridge_ensure(struct bridge *bridge, struct err **err) {
        int r;

        pthread_mutex_lock(&bridge->lock);
        r = set_up(bridge, err);
        bridge->ready = r >= 0;
        if (bridge->ready)
                warn_of_others(bridge);
        pthread_mutex_unlock(&bridge->lock);
        return r < 0 ? err_wrap(err, r, "bridge %s", bridge->name) : r;
}

int cni_bridge_status(struct bridge *bridge, struct err **err) {
        _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
        int r = cni_netlink_open(NETLINK_ROUTE, &netlink, err);

        if (r < 0)
                return r;
        if (bridge->ready && cni_link_index(&netlink, bridge->name) >= 0 &&
            cni_firewall_check(bridge->firewall, NULL) == 0)
                return 0;
        if (bridge->ready)
                log_warning("network: bridge %s or its rules are missing; set up again", bridge->name);
        return cni_bridge_ensure(bridge, err);
}

bool cni_bridge_has_cidrs(const struct bridge *bridge, const struct ip_cidr *cidrs, size_t n) {
        for (size_t i = 0; i < n && n == bridge->n_cidrs; i++)
                if (cidrs[i].prefix != bridge->cidrs[i].prefix || !ip_equal(&cidrs[i].ip, &bridge->cidrs[i].ip))
                        return false;
        return n == bridge->n_cidrs;
}

void cni_bridge_inherit(struct bridge *bridge, struct bridge *other) {
        cni_leases_inherit(bridge->leases, other->leases);
}

int cni_bridge_set_peers(struct bridge *bridge, const struct network_cluster *cluster, struct err **err) {
        const struct peers_host host = { bridge->name, bridge->cidrs, bridge->n_cidrs };
        struct peers_inside inside = { 0 };
        int r, result;

        pthread_mutex_lock(&bridge->lock);
        result = cni_peers_set(&host, cluster, &inside, err);
        if (inside.cidrs) {
                r = cni_firewall_set_inside(bridge->firewall, inside.cidrs, inside.n, result < 0 ? NULL : err);
                result = result < 0 ? result : r;
        }
        cni_peers_inside_done(&inside);
        pthread_mutex_unlock(&bridge->lock);
        return result;
}

int cni_bridge_adopt(struct bridge *bridge, const char *id, const struct ip *addresses, size_t n_addresses,
                     struct err **err) {
        return cni_leases_mark(bridge->leases, id, addresses, n_addresses, err);
}

/* The pod's namespace, seen from outside. */
struct pod {
        struct netlink netlink;
        struct netlink watch; /* of IPv6 addresses; only open when there is one to come */
        bool ipv6;
};

static void pod_done(struct pod *pod) {
        cni_netlink_close(&pod->netlink);
        cni_netlink_close(&pod->watch);
}

/* Runs inside the pod's namespace, before it has an interface. Router advertisements would let one pod become the
 * others' gateway; duplicate address detection would take the address for its own echo, as the port is a hairpin. */
static int enter(void *data, struct err **err) {
        struct pod *pod = data;
        int r;

        cni_sysctl_set("net/ipv6/conf/default/accept_ra", "0", NULL);
        cni_sysctl_set("net/ipv6/conf/default/accept_dad", "0", NULL);
        if ((r = cni_netlink_open(NETLINK_ROUTE, &pod->netlink, err)) < 0)
                return r;
        return pod->ipv6 ? cni_link_watch_addresses(&pod->watch, err) : 0;
}

/* lo and eth0 up, addresses, default routes: one batch inside the pod. */
static int configure(struct pod *pod, const struct lease *lease, struct err **err) {
        int index = cni_link_index(&pod->netlink, POD_INTERFACE), r;

        if (index < 0)
                return err_errno(err, -index, "%s in the pod", POD_INTERFACE);
        cni_link_put_up(&pod->netlink, LOOPBACK_INDEX);
        cni_link_put_up(&pod->netlink, index);
        for (size_t i = 0; i < lease->n; i++) {
                cni_link_put_address(&pod->netlink, index, &lease->addresses[i]);
                cni_link_put_default_route(&pod->netlink, index, &lease->gateways[i]);
        }
        if ((r = cni_netlink_run(&pod->netlink, err)) < 0 ||
            (r = cni_link_wait_up(&pod->netlink, POD_INTERFACE, UP_TIMEOUT_MS, err)) < 0)
                return r;
        /* Late is no failure: it only costs a neighbour its first try. */
        if (pod->ipv6 && cni_link_wait_addresses(&pod->watch, index, 1, UP_TIMEOUT_MS, NULL) < 0)
                log_warning("network: an IPv6 address is not up after %d ms", UP_TIMEOUT_MS);
        return r;
}

static int create_pair(struct bridge *bridge, struct netlink *host, struct veth *veth, struct err **err) {
        veth->bridge_index = cni_link_index(host, bridge->name);
        if (veth->bridge_index < 0)
                return err_errno(err, -veth->bridge_index, "bridge %s", bridge->name);
        /* The pair of the same sandbox's earlier attachment may still be on its way out. */
        if (cni_link_index(host, veth->name) >= 0)
                cni_reaper_wait(bridge->reaper);
        cni_link_put_veth(host, veth);
        cni_link_put_port(host, veth->name);
        return cni_netlink_run(host, err);
}

/* What an attach holds until it is complete. */
struct attachment {
        struct bridge *bridge;
        const struct network_request *request;
        struct lease lease;
        char veth[IFNAMSIZ], ifb[IFNAMSIZ];
        uint8_t mac[MAC_SIZE];
};

/* Interfaces and addresses. */
static int connect_pod(struct attachment *attachment, int netns_fd, struct err **err) {
        const struct network_request *request = attachment->request;
        struct veth veth = { .name = attachment->veth,
                             .peer_name = POD_INTERFACE,
                             .netns_fd = netns_fd,
                             .mtu = attachment->bridge->mtu };
        struct cni_shape shape = { .veth = attachment->veth,
                                   .ifb = attachment->ifb,
                                   .mtu = attachment->bridge->mtu,
                                   .ingress_bits = request->ingress_bits,
                                   .egress_bits = request->egress_bits };
        _cleanup_netlink_ struct netlink host = NETLINK_NONE;
        _cleanup_(pod_done) struct pod pod = { .netlink = NETLINK_NONE, .watch = NETLINK_NONE };
        int r;

        for (size_t i = 0; i < attachment->lease.n; i++)
                pod.ipv6 |= attachment->lease.gateways[i].family == AF_INET6;
        memcpy(veth.mac, attachment->mac, sizeof(veth.mac));
        if ((r = cni_netlink_open(NETLINK_ROUTE, &host, err)) < 0 ||
            (r = cni_netns_run(netns_fd, enter, &pod, err)) < 0)
                return r;
        /* The bridge's own carrier comes with its first port. */
        if ((r = create_pair(attachment->bridge, &host, &veth, err)) < 0 ||
            (r = configure(&pod, &attachment->lease, err)) < 0 ||
            (r = cni_link_wait_up(&host, attachment->veth, UP_TIMEOUT_MS, err)) < 0 ||
            (r = cni_link_wait_up(&host, attachment->bridge->name, UP_TIMEOUT_MS, err)) < 0 ||
            ((request->ingress_bits || request->egress_bits) && (r = cni_shape_apply(&host, &shape, err)) < 0)) {
                cni_link_put_delete(&host, attachment->veth);
                cni_link_put_delete(&host, attachment->ifb);
                cni_netlink_run(&host, NULL);
        }
        return r;
}

static int publish_ports(struct attachment *attachment, struct err **err) {
        const struct network_request *request = attachment->request;
        struct ip ips[LEASES_CIDRS_MAX];

        if (request->n_ports > NETWORK_PORTS_MAX)
                return err_set(err, E2BIG, "%zu host ports: at most %d", request->n_ports, NETWORK_PORTS_MAX);
        for (size_t i = 0; i < attachment->lease.n; i++)
                ips[i] = attachment->lease.addresses[i].ip;
        return cni_firewall_add(
                attachment->bridge->firewall,
                &(struct firewall_ports){ request->id, ips, attachment->lease.n, request->ports, request->n_ports },
                err);
}

static void describe(const struct attachment *attachment, struct network_result *ret_result) {
        struct network_result result = { .n_addresses = attachment->lease.n, .mtu = attachment->bridge->mtu };

        for (size_t i = 0; i < attachment->lease.n; i++)
                result.addresses[i] = (struct network_address){ .address = attachment->lease.addresses[i],
                                                                .gateway = attachment->lease.gateways[i] };
        snprintf(result.interface, sizeof(result.interface), "%s", POD_INTERFACE);
        snprintf(result.host_interface, sizeof(result.host_interface), "%s", attachment->veth);
        memcpy(result.mac, attachment->mac, sizeof(result.mac));
        *ret_result = result;
}

int cni_bridge_attach(struct bridge *bridge, const struct network_request *request, struct network_result *ret_result,
                      struct err **err) {
        struct attachment attachment = { .bridge = bridge, .request = request };
        _cleanup_close_ int netns_fd = -EBADF;
        int r;

        if ((r = cni_bridge_status(bridge, err)) < 0 || (r = cni_netns_open(request->netns, &netns_fd, err)) < 0 ||
            (r = cni_leases_take(bridge->leases, request->id, &attachment.lease, err)) < 0)
                return r;
        cni_bridge_device_name(bridge->name, request->id, BRIDGE_VETH, attachment.veth);
        cni_bridge_device_name(bridge->name, request->id, BRIDGE_IFB, attachment.ifb);
        cni_bridge_mac(&attachment.lease.addresses[0].ip, attachment.mac);

        /* Ports first: a taken one is found before anything is made. */
        if ((r = publish_ports(&attachment, err)) < 0 || (r = connect_pod(&attachment, netns_fd, err)) < 0) {
                cni_firewall_remove(bridge->firewall, request->id, NULL);
                cni_leases_give(bridge->leases, request->id);
                return r;
        }
        describe(&attachment, ret_result);
        return 0;
}

int cni_bridge_detach(struct bridge *bridge, const char *id, struct err **err) {
        static const enum bridge_device devices[] = { BRIDGE_VETH, BRIDGE_IFB };
        _cleanup_netlink_ struct netlink host = NETLINK_NONE;
        int r = cni_firewall_remove(bridge->firewall, id, err);
        bool blind;

        if (r < 0)
                return r;
        /* Without a descriptor to look with, they go to the reaper, which has its own, whether they are there or not.
         */
        blind = cni_netlink_open(NETLINK_ROUTE, &host, NULL) < 0;
        for (size_t i = 0; i < ELEMENTS(devices); i++) {
                char name[IFNAMSIZ];

                cni_bridge_device_name(bridge->name, id, devices[i], name);
                if (blind || cni_link_index(&host, name) >= 0)
                        cni_reaper_remove(bridge->reaper, name);
        }
        cni_leases_give(bridge->leases, id);
        return 0;
}

int cni_bridge_check(struct bridge *bridge, const char *id, struct err **err) {
        _cleanup_netlink_ struct netlink host = NETLINK_NONE;
        char name[IFNAMSIZ];
        struct link link;
        int r = cni_netlink_open(NETLINK_ROUTE, &host, err);

        cni_bridge_device_name(bridge->name, id, BRIDGE_VETH, name);
        if (r < 0 || (r = cni_link_get(&host, name, &link, err)) < 0)
                return r;
        if (link.master != cni_link_index(&host, bridge->name))
                return err_set(err, ENOTCONN, "interface %s is no port of bridge %s", name, bridge->name);
        return 0;
}

/* The veths of live sandboxes, in order, to tell others from. */
struct sweep {
        struct bridge *bridge;
        char (*names)[IFNAMSIZ];
        size_t n;
        int master;
};

static int compare_names(const void *a, const void *b) {
        return strcmp(a, b);
}

static int sweep_init(struct sweep *sweep, const char *const *ids, size_t n_ids, struct err **err) {
        sweep->names = calloc(n_ids + 1, sizeof(*sweep->names));
        if (!sweep->names)
                return err_errno(err, ENOMEM, "sweep of bridge %s", sweep->bridge->name);
        for (; sweep->n < n_ids; sweep->n++)
                cni_bridge_device_name(sweep->bridge->name, ids[sweep->n], BRIDGE_VETH, sweep->names[sweep->n]);
        qsort(sweep->names, sweep->n, sizeof(*sweep->names), compare_names);
        return 0;
}

static int sweep_link(const struct link *link, void *data) {
        struct sweep *sweep = data;
        char veth[IFNAMSIZ];

        if (!cni_bridge_owns_device(sweep->bridge->name, link->name) ||
            (strcmp(link->kind, "ifb") != 0 && link->master != sweep->master))
                return 0;
        cni_bridge_veth_of(link->name, veth);
        if (bsearch(veth, sweep->names, sweep->n, sizeof(*sweep->names), compare_names))
                return 0;
        log_info("network: interface %s belongs to no sandbox; removed", link->name);
        cni_reaper_remove(sweep->bridge->reaper, link->name);
        return 0;
}

static int sweep_links(struct sweep *sweep, const char *const *ids, size_t n_ids, struct err **err) {
        _cleanup_netlink_ struct netlink host = NETLINK_NONE;
        int r;

        if ((r = sweep_init(sweep, ids, n_ids, err)) < 0 || (r = cni_netlink_open(NETLINK_ROUTE, &host, err)) < 0)
                return r;
        sweep->master = cni_link_index(&host, sweep->bridge->name);
        return cni_link_for_each(&host, sweep_link, sweep, err);
}

int cni_bridge_retain(struct bridge *bridge, bool (*keep)(const char *id, const void *data), const void *data,
                      const char *const *ids, size_t n_ids, struct err **err) {
        struct sweep sweep = { .bridge = bridge };
        _cleanup_err_ struct err *error = NULL;
        int r, result;

        result = cni_firewall_retain(bridge->firewall, keep, data, &error);
        cni_leases_retain(bridge->leases, keep, data);
        cni_reaper_wait(bridge->reaper);
        r = sweep_links(&sweep, ids, n_ids, &error);
        cni_reaper_wait(bridge->reaper);
        free(sweep.names);
        result = result < 0 ? result : r;
        return result < 0 ? err_move(err, TAKE_PTR(error)) : 0;
}

/* A network as one of a cluster's: its addresses are given by the cluster, and there are others. */
#include <errno.h>
#include <string.h>

#include "cni/balancer.h"
#include "cni/link.h"
#include "cni/network_internal.h"
#include "cni/peers.h"
#include "cni/route.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* The bridge is there only where it is used, now or by pods of before. */
static bool is_by_plugins(struct network *network, const struct bridge *bridge) {
        bool loaded;

        pthread_mutex_lock(&network->lock);
        loaded = network->loaded;
        pthread_mutex_unlock(&network->lock);
        return loaded && !cni_bridge_present(bridge);
}

static bool has_cidrs(struct network *network, const struct ip_cidr *cidrs, size_t n) {
        bool same;

        pthread_rwlock_rdlock(&network->bridge_lock);
        same = network->bridge && cni_bridge_has_cidrs(network->bridge, cidrs, n);
        pthread_rwlock_unlock(&network->bridge_lock);
        return same;
}

/* Tunnels have the node's address in the old network: they are made anew by the next network_set_peers(). */
static void remove_tunnels(const char *bridge) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;

        if (cni_netlink_open(NETLINK_ROUTE, &netlink, NULL) < 0)
                return;
        for (size_t i = 0; i < ELEMENTS(families); i++) {
                char name[IFNAMSIZ];

                cni_peers_device(bridge, families[i], name);
                if (cni_link_index(&netlink, name) >= 0)
                        cni_link_put_delete(&netlink, name);
        }
        cni_netlink_run(&netlink, NULL);
}

int network_set_cidrs(struct network *network, const struct ip_cidr *cidrs, size_t n, struct err **err) {
        struct network_options options = { .bridge = network->bridge_name,
                                           .pod_cidrs = cidrs,
                                           .n_pod_cidrs = n,
                                           .masquerade = network->masquerade,
                                           .mtu = network->mtu };
        struct bridge *bridge = NULL, *before;
        int r;

        if (has_cidrs(network, cidrs, n))
                return 0;
        r = cni_bridge_new(&options, &bridge, err);
        if (r < 0)
                return r;
        pthread_rwlock_wrlock(&network->bridge_lock);
        before = network->bridge;
        if (before) {
                remove_tunnels(network->bridge_name);
                cni_bridge_inherit(bridge, before);
        }
        r = is_by_plugins(network, bridge) ? 0 : cni_bridge_ensure(bridge, err);
        if (r == 0)
                network->bridge = bridge;
        pthread_rwlock_unlock(&network->bridge_lock);
        cni_bridge_free(r < 0 ? bridge : before);
        pthread_mutex_lock(&network->lock);
        cni_network_describe(network);
        pthread_mutex_unlock(&network->lock);
        return r;
}

int network_set_peers(struct network *network, const struct network_cluster *cluster, struct err **err) {
        int r = 0;

        if (cluster->n_peers > NETWORK_PEERS_MAX)
                return err_set(err, E2BIG, "%zu nodes: at most %d", cluster->n_peers, NETWORK_PEERS_MAX);
        pthread_rwlock_rdlock(&network->bridge_lock);
        if (network->bridge)
                r = cni_bridge_set_peers(network->bridge, cluster, err);
        pthread_rwlock_unlock(&network->bridge_lock);
        return r;
}

void network_leave(const char *bridge) {
        const struct peers_host host = { .bridge = bridge };
        const struct network_cluster nobody = { .node = "" };
        struct peers_inside inside = { 0 };

        cni_peers_set(&host, &nobody, &inside, NULL);
        cni_peers_inside_done(&inside);
        cni_balancer_remove(bridge);
}

/* Which routes, tunnels and ends a cluster's nodes need: what cni/peers.c then brings about. */
#pragma once

#include "cni/peers.h"
#include "cni/route.h"

struct peers_route {
        struct route route; /* of a tunnel: without index */
        uint8_t carrier;    /* the family that carries it; 0: it is direct */
        bool there;         /* in the kernel already */
};

struct peers_end {
        struct tunnel_end end; /* without index */
        uint8_t carrier;
};

struct peers_plan {
        struct peers_route *routes; /* by their networks, which do not overlap */
        struct peers_end *ends;
        struct peers_inside inside;
        size_t n_routes, n_ends;
        uint32_t mtu[2]; /* of what is carried by IPv4, by IPv6; 0: nothing is */
};

/* How an address is reached: cni_route_find(), or made up in tests. */
struct peers_finder {
        int (*find)(void *data, const struct ip *to, struct route_way *ret_way);
        uint32_t (*mtu)(void *data, int index);
        void *data;
};

/* Returns 0 or -ENOMEM; nodes that cannot be reached are left out, as is a network that overlaps another's. */
int cni_peers_plan(const struct peers_host *host, const struct network_cluster *cluster,
                   const struct peers_finder *finder, struct peers_plan *ret_plan);
void cni_peers_plan_done(struct peers_plan *plan);
#define _cleanup_peers_plan_ __attribute__((cleanup(cni_peers_plan_done)))

/* The hardware address of a node's end. */
void cni_peers_mac(const char *node, uint8_t ret_mac[MAC_SIZE]);

/* The address that this node has in its pods' network @cidr: the bridge's. */
struct ip cni_peers_own(const struct ip_cidr *cidr);

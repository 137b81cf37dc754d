/* Routes to other nodes' pods, the tunnel's device, and what it knows of its other ends, as rtnetlink(7) messages.
 *
 * Our routes carry ROUTE_PROTOCOL, and a metric that tells agents of one host apart: by these they are found again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cni/link.h"
#include "cni/netlink.h"
#include "lib/ip.h"

/* In no list of /etc/iproute2/rt_protos: 'n'. */
#define ROUTE_PROTOCOL 110

struct route {
        struct ip_cidr to;
        struct ip via; /* reached on the link itself */
        int index;
        struct ip source; /* family 0: the kernel chooses */
        uint32_t metric;
};

/* Adds the route, in place of another one to the same with this metric; or removes it: that there is none is no error.
 */
void cni_route_put(struct netlink *netlink, const struct route *route);
void cni_route_put_delete(struct netlink *netlink, const struct route *route);

/* Calls @each for our routes of this metric, of both families; a negative return ends it. @source is left out. */
int cni_route_for_each(struct netlink *netlink, uint32_t metric, int (*each)(const struct route *route, void *data),
                       void *data, struct err **err);

/* The way that a packet to an address takes from here. */
struct route_way {
        int index;
        bool local;   /* the address is the host's own */
        bool on_link; /* without a gateway between */
};

/* -ENETUNREACH and the like: there is none. */
int cni_route_find(struct netlink *netlink, const struct ip *to, struct route_way *ret_way);

struct vxlan {
        const char *name;
        uint8_t family; /* of what carries it */
        uint32_t id;
        uint16_t port;
        uint8_t mac[MAC_SIZE];
        uint32_t mtu;
};

/* Creates the device, down, that learns nothing and floods nothing; that it exists is no error. */
void cni_link_put_vxlan(struct netlink *netlink, const struct vxlan *vxlan);

/* Sets the MTU of the interface @index. */
void cni_link_put_mtu(struct netlink *netlink, int index, uint32_t mtu);

/* What the device @index knows of another end: its hardware address is @mac, on the link it is @ip, and frames for it
 * go to @carrier. Both are added in place of what was known, or removed. */
struct tunnel_end {
        int index;
        uint8_t mac[MAC_SIZE];
        struct ip ip[2]; /* of each family at most one; family 0: none */
        struct ip carrier;
};
void cni_link_put_end(struct netlink *netlink, const struct tunnel_end *end);
void cni_link_put_delete_end(struct netlink *netlink, const struct tunnel_end *end);

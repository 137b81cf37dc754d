/* Interfaces, addresses and routes as rtnetlink(7) messages, which libnl-route makes.
 *
 * The link_put_*() functions add one message to a batch, for cni_netlink_run(); each names what it is for, so that an
 * error reads "create veth pair: ...".
 */
#pragma once

#include <net/if.h>
#include <stdint.h>

#include "cni/netlink.h"
#include "lib/ip.h"

/* Length of a hardware address. */
#define MAC_SIZE 6

struct veth {
        const char *name; /* the end on the host, a port of @bridge_index */
        int bridge_index;
        const char *peer_name; /* the end in the namespace @netns_fd */
        int netns_fd;
        uint8_t mac[MAC_SIZE]; /* of the end in the namespace */
        uint32_t mtu;
};

/* Creates the pair, both ends down: the kernel cannot bring them up before they know each other (ENOTCONN). */
void cni_link_put_veth(struct netlink *netlink, const struct veth *veth);

/* Sets the bridge port @name and brings it up. Frames may leave by the port by which they came (hairpin mode): a pod
 * that reaches itself through a host port. It gets no IPv6 address: a port needs none, and neighbours, routers and
 * listeners it would look for are one more flood over all ports. */
void cni_link_put_port(struct netlink *netlink, const char *name);

/* Creates the bridge @name; that it exists is no error. Its hardware address stays @mac whatever its ports are. */
void cni_link_put_bridge(struct netlink *netlink, const char *name, const uint8_t mac[MAC_SIZE], uint32_t mtu);

/* Creates an intermediate functional block device, up: a queue for what comes in on another interface. */
void cni_link_put_ifb(struct netlink *netlink, const char *name, uint32_t mtu);

/* Removes the interface @name; that there is none is no error. */
void cni_link_put_delete(struct netlink *netlink, const char *name);

/* Puts the interface @name into an interface group; removes all of a group. That there is none is no error. */
void cni_link_put_group(struct netlink *netlink, const char *name, uint32_t group);
void cni_link_put_delete_group(struct netlink *netlink, uint32_t group);

void cni_link_put_up(struct netlink *netlink, int index);

/* Adds an address that is usable at once (no duplicate address detection); that it is there is no error. */
void cni_link_put_address(struct netlink *netlink, int index, const struct ip_cidr *address);

/* Adds the default route of @gateway's family. */
void cni_link_put_default_route(struct netlink *netlink, int index, const struct ip *gateway);

/* The interface's index in the socket's namespace, or -ENODEV. */
int cni_link_index(const struct netlink *netlink, const char *name);

/* An interface as a dump gives it. */
struct link {
        int index, master;
        uint32_t mtu;
        uint8_t state; /* IF_OPER_UP and so on (RFC 2863) */
        char name[IFNAMSIZ];
        char kind[16]; /* "bridge", "veth", "" for hardware */
        uint8_t mac[MAC_SIZE];
};

/* Calls @each for every interface of the socket's namespace; a negative return ends it. */
int cni_link_for_each(struct netlink *netlink, int (*each)(const struct link *link, void *data), void *data,
                      struct err **err);

/* The interface @name. -ENODEV with a text. */
int cni_link_get(struct netlink *netlink, const char *name, struct link *ret_link, struct err **err);

/* Waits, at most @timeout_ms, until the kernel's link watch has seen that @name is up. Only then does it send, and the
 * bridge forward: what comes before is lost, and a client waits a second for its next try. Returns 0, or -ETIMEDOUT. */
int cni_link_wait_up(struct netlink *netlink, const char *name, int timeout_ms, struct err **err);

/* A socket that hears of the namespace's IPv6 addresses; open it before they are added. */
int cni_link_watch_addresses(struct netlink *ret_netlink, struct err **err);

/* Waits, at most @timeout_ms, until @watched has heard of @n addresses on the interface @index. The kernel tells only
 * when it has joined an address' multicast group, without which neighbours cannot find it. Returns 0 or -ETIMEDOUT. */
int cni_link_wait_addresses(struct netlink *watched, int index, size_t n, int timeout_ms, struct err **err);

/* The interface that the default route of @family leaves by. -ENOENT when there is none. */
int cni_link_uplink(struct netlink *netlink, uint8_t family, int *ret_index, struct err **err);

#include "cni/link.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/addr.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>
#include <string.h>

#include "lib/cleanup.h"

static void link_putp(struct rtnl_link **link) {
        rtnl_link_put(*link);
}

static void address_putp(struct nl_addr **address) {
        nl_addr_put(*address);
}

/* The request @flags for what @link says, NULL without memory. */
static struct nl_msg *link_request(struct rtnl_link *link, int flags) {
        struct nl_msg *message = NULL;

        return link && rtnl_link_build_add_request(link, flags, &message) == 0 ? message : NULL;
}

static struct rtnl_link *named_link(const char *name) {
        struct rtnl_link *link = rtnl_link_alloc();

        if (link)
                rtnl_link_set_name(link, name);
        return link;
}

/* A request to which was added what libnl-route has no setters for; NULL, and all of it given up, if not everything. */
static struct nl_msg *finished(struct nl_msg *message, bool complete) {
        if (message && complete)
                return message;
        nlmsg_free(message);
        return NULL;
}

static bool set_mac(struct rtnl_link *link, const uint8_t mac[MAC_SIZE]) {
        _cleanup_(address_putp) struct nl_addr *address = nl_addr_build(AF_LLC, mac, MAC_SIZE);

        if (address)
                rtnl_link_set_addr(link, address);
        return address;
}

/* One queue each way: more only cost memory, as nothing behind a veth runs in parallel per queue. */
static void set_end(struct rtnl_link *link, const char *name, uint32_t mtu) {
        rtnl_link_set_name(link, name);
        rtnl_link_set_mtu(link, mtu);
        rtnl_link_set_num_tx_queues(link, 1);
        rtnl_link_set_num_rx_queues(link, 1);
}

void cni_link_put_veth(struct netlink *netlink, const struct veth *veth) {
        _cleanup_(link_putp) struct rtnl_link *link = rtnl_link_veth_alloc();
        _cleanup_(link_putp) struct rtnl_link *peer = link ? rtnl_link_veth_get_peer(link) : NULL;
        struct nl_msg *message = NULL;

        if (peer && set_mac(peer, veth->mac)) {
                set_end(link, veth->name, veth->mtu);
                rtnl_link_set_master(link, veth->bridge_index);
                set_end(peer, veth->peer_name, veth->mtu);
                rtnl_link_set_ns_fd(peer, veth->netns_fd);
                message = link_request(link, NLM_F_CREATE | NLM_F_EXCL);
        }
        cni_netlink_put(netlink, message, "create veth pair", 0);
}

static bool put_hairpin(struct nl_msg *message) {
        struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO), *data;

        if (!info || nla_put_string(message, IFLA_INFO_SLAVE_KIND, "bridge") < 0)
                return false;
        data = nla_nest_start(message, IFLA_INFO_SLAVE_DATA);
        if (!data || nla_put_u8(message, IFLA_BRPORT_MODE, BRIDGE_MODE_HAIRPIN) < 0)
                return false;
        nla_nest_end(message, data);
        nla_nest_end(message, info);
        return true;
}

static bool put_no_ipv6_address(struct nl_msg *message) {
        struct nlattr *families = nla_nest_start(message, IFLA_AF_SPEC), *ipv6;

        ipv6 = families ? nla_nest_start(message, AF_INET6) : NULL;
        if (!ipv6 || nla_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE) < 0)
                return false;
        nla_nest_end(message, ipv6);
        nla_nest_end(message, families);
        return true;
}

void cni_link_put_port(struct netlink *netlink, const char *name) {
        _cleanup_(link_putp) struct rtnl_link *link = named_link(name);
        struct nl_msg *message = link_request(link, 0);

        message = finished(message, message && put_hairpin(message) && put_no_ipv6_address(message));
        cni_netlink_put(netlink, message, "set bridge port", 0);
        if (link)
                rtnl_link_set_flags(link, IFF_UP);
        cni_netlink_put(netlink, link_request(link, 0), "bring up bridge port", 0);
}

/* Multicast snooping without a querier only drops the neighbour discovery of IPv6. */
static bool put_bridge_info(struct nl_msg *message) {
        struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO), *data;

        if (!info || nla_put_string(message, IFLA_INFO_KIND, "bridge") < 0)
                return false;
        data = nla_nest_start(message, IFLA_INFO_DATA);
        if (!data || nla_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0) < 0)
                return false;
        nla_nest_end(message, data);
        nla_nest_end(message, info);
        return true;
}

void cni_link_put_bridge(struct netlink *netlink, const char *name, const uint8_t mac[MAC_SIZE], uint32_t mtu) {
        _cleanup_(link_putp) struct rtnl_link *link = named_link(name);
        struct nl_msg *message = NULL;

        if (link && set_mac(link, mac)) {
                rtnl_link_set_mtu(link, mtu);
                rtnl_link_set_flags(link, IFF_UP);
                message = link_request(link, NLM_F_CREATE | NLM_F_EXCL);
                message = finished(message, message && put_bridge_info(message));
        }
        cni_netlink_put(netlink, message, "create bridge", EEXIST);
}

void cni_link_put_ifb(struct netlink *netlink, const char *name, uint32_t mtu) {
        _cleanup_(link_putp) struct rtnl_link *link = named_link(name);

        if (link) {
                rtnl_link_set_type(link, "ifb");
                rtnl_link_set_mtu(link, mtu);
                rtnl_link_set_flags(link, IFF_UP);
        }
        cni_netlink_put(netlink, link_request(link, NLM_F_CREATE | NLM_F_EXCL), "create ifb", 0);
}

void cni_link_put_delete(struct netlink *netlink, const char *name) {
        _cleanup_(link_putp) struct rtnl_link *link = named_link(name);
        struct nl_msg *message = NULL;

        if (link)
                rtnl_link_build_delete_request(link, &message);
        cni_netlink_put(netlink, message, "remove interface", ENODEV);
}

void cni_link_put_group(struct netlink *netlink, const char *name, uint32_t group) {
        _cleanup_(link_putp) struct rtnl_link *link = named_link(name);

        if (link)
                rtnl_link_set_group(link, group);
        cni_netlink_put(netlink, link_request(link, 0), "mark interface", ENODEV);
}

/* libnl-route would have a name or an index. */
void cni_link_put_delete_group(struct netlink *netlink, uint32_t group) {
        struct nl_msg *message = nlmsg_alloc_simple(RTM_DELLINK, 0);
        struct ifinfomsg header = { 0 };

        message = finished(message, message && nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) == 0 &&
                                            nla_put_u32(message, IFLA_GROUP, group) == 0);
        cni_netlink_put(netlink, message, "remove interfaces", ENODEV);
}

void cni_link_put_up(struct netlink *netlink, int index) {
        _cleanup_(link_putp) struct rtnl_link *link = rtnl_link_alloc();

        if (link) {
                rtnl_link_set_ifindex(link, index);
                rtnl_link_set_flags(link, IFF_UP);
        }
        cni_netlink_put(netlink, link_request(link, 0), "bring up interface", 0);
}

static struct nl_addr *to_address(const struct ip *ip) {
        return nl_addr_build(ip->family, ip->bytes, ip_size(ip->family));
}

/* Whether @address, with its prefix, and an IPv4 broadcast address could be set. */
static bool set_local(struct rtnl_addr *request, const struct ip_cidr *address) {
        _cleanup_(address_putp) struct nl_addr *local = to_address(&address->ip), *broadcast = NULL;

        if (!local || rtnl_addr_set_local(request, local) < 0)
                return false;
        rtnl_addr_set_prefixlen(request, address->prefix);
        if (address->ip.family == AF_INET && address->prefix < 31) {
                struct ip base = ip_cidr_base(address);
                struct ip last = ip_add(&base, (uint32_t)((1ull << (32 - address->prefix)) - 1));

                broadcast = to_address(&last);
                return broadcast && rtnl_addr_set_broadcast(request, broadcast) == 0;
        }
        return true;
}

void cni_link_put_address(struct netlink *netlink, int index, const struct ip_cidr *address) {
        struct rtnl_addr *request = rtnl_addr_alloc();
        struct nl_msg *message = NULL;

        if (request && set_local(request, address)) {
                rtnl_addr_set_ifindex(request, index);
                rtnl_addr_set_scope(request, RT_SCOPE_UNIVERSE);
                if (address->ip.family == AF_INET6)
                        rtnl_addr_set_flags(request, IFA_F_NODAD);
                rtnl_addr_build_add_request(request, NLM_F_CREATE | NLM_F_EXCL, &message);
        }
        rtnl_addr_put(request);
        cni_netlink_put(netlink, message, "add address", EEXIST);
}

/* Whether the route goes everywhere by @gateway on the interface @index. */
static bool set_way(struct rtnl_route *route, int index, const struct ip *gateway) {
        _cleanup_(address_putp) struct nl_addr *via = to_address(gateway), *everywhere = NULL;
        struct rtnl_nexthop *hop;

        everywhere = via ? nl_addr_build(gateway->family, NULL, 0) : NULL;
        if (!everywhere || rtnl_route_set_dst(route, everywhere) < 0)
                return false;
        hop = rtnl_route_nh_alloc();
        if (!hop)
                return false;
        rtnl_route_nh_set_gateway(hop, via);
        rtnl_route_nh_set_ifindex(hop, index);
        rtnl_route_add_nexthop(route, hop);
        return true;
}

void cni_link_put_default_route(struct netlink *netlink, int index, const struct ip *gateway) {
        struct rtnl_route *route = rtnl_route_alloc();
        struct nl_msg *message = NULL;

        if (route && set_way(route, index, gateway)) {
                rtnl_route_set_table(route, RT_TABLE_MAIN);
                rtnl_route_set_protocol(route, RTPROT_BOOT);
                rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
                rtnl_route_set_type(route, RTN_UNICAST);
                rtnl_route_build_add_request(route, NLM_F_CREATE | NLM_F_EXCL, &message);
        }
        rtnl_route_put(route);
        cni_netlink_put(netlink, message, "add default route", 0);
}

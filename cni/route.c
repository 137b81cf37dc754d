#include "cni/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>
#include <netlink/route/link/vxlan.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* Only what all went into is sent. */
static void put(struct netlink *netlink, struct nl_msg *message, bool complete, const char *purpose, int tolerate) {
        if (!complete) {
                nlmsg_free(message);
                message = NULL;
        }
        cni_netlink_put(netlink, message, purpose, tolerate);
}

static bool add_ip(struct nl_msg *message, int attribute, const struct ip *ip) {
        return !ip->family || nla_put(message, attribute, (int)ip_size(ip->family), ip->bytes) == 0;
}

/* -- routes ------------------------------------------------------------------------------------------------ */

static bool fill_route(struct nl_msg *message, const struct route *route) {
        struct ip to = ip_cidr_base(&route->to);
        struct rtmsg header = { .rtm_family = to.family,
                                .rtm_dst_len = route->to.prefix,
                                .rtm_table = RT_TABLE_MAIN,
                                .rtm_protocol = ROUTE_PROTOCOL,
                                .rtm_scope = RT_SCOPE_UNIVERSE,
                                .rtm_type = RTN_UNICAST,
                                .rtm_flags = RTNH_F_ONLINK };

        return nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) == 0 && add_ip(message, RTA_DST, &to) &&
               add_ip(message, RTA_GATEWAY, &route->via) && add_ip(message, RTA_PREFSRC, &route->source) &&
               nla_put_u32(message, RTA_OIF, (uint32_t)route->index) == 0 &&
               nla_put_u32(message, RTA_PRIORITY, route->metric) == 0;
}

void cni_route_put(struct netlink *netlink, const struct route *route) {
        struct nl_msg *message = nlmsg_alloc_simple(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);

        put(netlink, message, message && fill_route(message, route), "add route to a node's pods", 0);
}

void cni_route_put_delete(struct netlink *netlink, const struct route *route) {
        struct nl_msg *message = nlmsg_alloc_simple(RTM_DELROUTE, 0);

        put(netlink, message, message && fill_route(message, route), "remove route to a node's pods", ESRCH);
}

struct each_route {
        uint32_t metric;
        int (*call)(const struct route *route, void *data);
        void *data;
};

static bool read_ip(uint8_t family, struct nlattr *attribute, struct ip *ret_ip) {
        struct ip ip = { .family = family };

        if (!attribute || nla_len(attribute) != (int)ip_size(family))
                return false;
        memcpy(ip.bytes, nla_data(attribute), ip_size(family));
        *ret_ip = ip;
        return true;
}

static int take_route(const struct nlmsghdr *message, void *data) {
        static const struct nla_policy policy[RTA_MAX + 1] = {
                [RTA_OIF] = { .type = NLA_U32 }, [RTA_PRIORITY] = { .type = NLA_U32 }
        };
        const struct rtmsg *header = nlmsg_data(message);
        struct nlattr *attributes[RTA_MAX + 1];
        const struct each_route *each = data;
        struct route route = { .metric = each->metric, .to.prefix = header->rtm_dst_len };

        if (message->nlmsg_type != RTM_NEWROUTE ||
            nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, RTA_MAX, policy) < 0 ||
            header->rtm_protocol != ROUTE_PROTOCOL || header->rtm_table != RT_TABLE_MAIN || !attributes[RTA_PRIORITY] ||
            nla_get_u32(attributes[RTA_PRIORITY]) != each->metric || !attributes[RTA_OIF] ||
            !read_ip(header->rtm_family, attributes[RTA_DST], &route.to.ip))
                return 0;
        read_ip(header->rtm_family, attributes[RTA_GATEWAY], &route.via);
        route.index = (int)nla_get_u32(attributes[RTA_OIF]);
        return each->call(&route, each->data);
}

int cni_route_for_each(struct netlink *netlink, uint32_t metric, int (*each)(const struct route *route, void *data),
                       void *data, struct err **err) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        struct each_route state = { .metric = metric, .call = each, .data = data };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(families) && r == 0; i++) {
                struct nl_msg *message = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP);
                struct rtmsg header = { .rtm_family = families[i] };

                put(netlink, message, message && nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) == 0,
                    "list routes", 0);
                r = cni_netlink_dump(netlink, take_route, &state, err);
        }
        return r;
}

static int take_way(const struct nlmsghdr *message, void *data) {
        static const struct nla_policy policy[RTA_MAX + 1] = { [RTA_OIF] = { .type = NLA_U32 } };
        const struct rtmsg *header = nlmsg_data(message);
        struct nlattr *attributes[RTA_MAX + 1];
        struct route_way *way = data;

        if (message->nlmsg_type != RTM_NEWROUTE ||
            nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, RTA_MAX, policy) < 0)
                return 0;
        way->local = header->rtm_type == RTN_LOCAL;
        way->on_link = header->rtm_type == RTN_UNICAST && !attributes[RTA_GATEWAY] && !attributes[RTA_VIA];
        way->index = attributes[RTA_OIF] ? (int)nla_get_u32(attributes[RTA_OIF]) : 0;
        return 0;
}

int cni_route_find(struct netlink *netlink, const struct ip *to, struct route_way *ret_way) {
        struct nl_msg *message = nlmsg_alloc_simple(RTM_GETROUTE, 0);
        struct rtmsg header = { .rtm_family = to->family, .rtm_dst_len = (uint8_t)(ip_size(to->family) * 8) };
        struct route_way way = { 0 };
        int r;

        put(netlink, message,
            message && nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) == 0 &&
                    add_ip(message, RTA_DST, to),
            "look up route", 0);
        r = cni_netlink_dump(netlink, take_way, &way, NULL);
        if (r == 0)
                *ret_way = way;
        return r;
}

/* -- the tunnel -------------------------------------------------------------------------------------------- */

static void link_putp(struct rtnl_link **link) {
        rtnl_link_put(*link);
}

static void address_putp(struct nl_addr **address) {
        nl_addr_put(*address);
}

static bool set_vxlan(struct rtnl_link *link, const struct vxlan *vxlan) {
        static const uint8_t any[16];
        _cleanup_(address_putp) struct nl_addr *mac = nl_addr_build(AF_LLC, vxlan->mac, MAC_SIZE), *group = NULL;

        if (!mac)
                return false;
        rtnl_link_set_name(link, vxlan->name);
        rtnl_link_set_mtu(link, vxlan->mtu);
        rtnl_link_set_addr(link, mac);
        /* Without one of IPv6 it would be carried by IPv4 alone. */
        if (vxlan->family == AF_INET6 &&
            (!(group = nl_addr_build(AF_INET6, any, sizeof(any))) || rtnl_link_vxlan_set_group(link, group) < 0))
                return false;
        return rtnl_link_vxlan_set_id(link, vxlan->id) == 0 && rtnl_link_vxlan_set_port(link, vxlan->port) == 0 &&
               rtnl_link_vxlan_set_learning(link, 0) == 0;
}

void cni_link_put_vxlan(struct netlink *netlink, const struct vxlan *vxlan) {
        _cleanup_(link_putp) struct rtnl_link *link = rtnl_link_vxlan_alloc();
        struct nl_msg *message = NULL;

        if (link && set_vxlan(link, vxlan))
                rtnl_link_build_add_request(link, NLM_F_CREATE | NLM_F_EXCL, &message);
        cni_netlink_put(netlink, message, "create tunnel", EEXIST);
}

void cni_link_put_mtu(struct netlink *netlink, int index, uint32_t mtu) {
        _cleanup_(link_putp) struct rtnl_link *link = rtnl_link_alloc();
        struct nl_msg *message = NULL;

        if (link) {
                rtnl_link_set_ifindex(link, index);
                rtnl_link_set_mtu(link, mtu);
                rtnl_link_build_add_request(link, 0, &message);
        }
        cni_netlink_put(netlink, message, "set MTU", 0);
}

struct neighbour {
        int index;
        uint8_t family; /* AF_BRIDGE: where frames for @mac go */
        const struct ip *ip;
        const uint8_t *mac;
        bool add;
};

static void put_neighbour(struct netlink *netlink, const struct neighbour *n) {
        struct nl_msg *message =
                nlmsg_alloc_simple(n->add ? RTM_NEWNEIGH : RTM_DELNEIGH, n->add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
        struct ndmsg header = { .ndm_family = n->family,
                                .ndm_ifindex = n->index,
                                .ndm_state = n->family == AF_BRIDGE ? NUD_NOARP | NUD_PERMANENT : NUD_PERMANENT,
                                .ndm_flags = n->family == AF_BRIDGE ? NTF_SELF : 0 };

        put(netlink, message,
            message && nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) == 0 &&
                    add_ip(message, NDA_DST, n->ip) && nla_put(message, NDA_LLADDR, MAC_SIZE, n->mac) == 0,
            n->add ? "add neighbour in the tunnel" : "remove neighbour in the tunnel", n->add ? 0 : ENOENT);
}

static void put_end(struct netlink *netlink, const struct tunnel_end *end, bool add) {
        put_neighbour(netlink, &(struct neighbour){ end->index, AF_BRIDGE, &end->carrier, end->mac, add });
        for (size_t i = 0; i < ELEMENTS(end->ip); i++)
                if (end->ip[i].family)
                        put_neighbour(netlink,
                                      &(struct neighbour){ end->index, end->ip[i].family, &end->ip[i], end->mac, add });
}

void cni_link_put_end(struct netlink *netlink, const struct tunnel_end *end) {
        put_end(netlink, end, true);
}

void cni_link_put_delete_end(struct netlink *netlink, const struct tunnel_end *end) {
        put_end(netlink, end, false);
}

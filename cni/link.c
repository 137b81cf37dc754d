#include "cni/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* RFC 2863's ifOperStatus "up"; <linux/if.h>, which has it, cannot be included beside <net/if.h>. */
#define IF_OPER_UP 6

/* Starts RTM_NEWLINK and the like; @up asks for IFF_UP. */
static struct nlmsghdr *begin_link(struct netlink *netlink, uint16_t type, uint16_t flags, int index, bool up,
                                   const char *purpose, int tolerate) {
        struct nlmsghdr *message = cni_netlink_begin(netlink, type, flags, sizeof(struct ifinfomsg), purpose, tolerate);
        struct ifinfomsg *header = cni_netlink_extra(message);

        header->ifi_index = index;
        header->ifi_flags = up ? IFF_UP : 0;
        header->ifi_change = up ? IFF_UP : 0;
        return message;
}

/* One queue each way: more only cost memory, as nothing behind a veth runs in parallel per queue. */
static void put_queues(struct nlmsghdr *message) {
        mnl_attr_put_u32(message, IFLA_NUM_TX_QUEUES, 1);
        mnl_attr_put_u32(message, IFLA_NUM_RX_QUEUES, 1);
}

static void put_peer(struct nlmsghdr *message, const struct veth *veth) {
        struct nlattr *peer = mnl_attr_nest_start(message, VETH_INFO_PEER);

        mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(message, IFLA_IFNAME, veth->peer_name);
        mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)veth->netns_fd);
        mnl_attr_put(message, IFLA_ADDRESS, MAC_SIZE, veth->mac);
        mnl_attr_put_u32(message, IFLA_MTU, veth->mtu);
        put_queues(message);
        mnl_attr_nest_end(message, peer);
}

void cni_link_put_veth(struct netlink *netlink, const struct veth *veth) {
        struct nlmsghdr *message =
                begin_link(netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, false, "create veth pair", 0);
        struct nlattr *info, *data;

        mnl_attr_put_strz(message, IFLA_IFNAME, veth->name);
        mnl_attr_put_u32(message, IFLA_MTU, veth->mtu);
        mnl_attr_put_u32(message, IFLA_MASTER, (uint32_t)veth->bridge_index);
        put_queues(message);
        info = mnl_attr_nest_start(message, IFLA_LINKINFO);
        mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
        data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
        put_peer(message, veth);
        mnl_attr_nest_end(message, data);
        mnl_attr_nest_end(message, info);
        cni_netlink_end(netlink, message);
}

static void put_no_ipv6_address(struct nlmsghdr *message) {
        struct nlattr *families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
        struct nlattr *ipv6 = mnl_attr_nest_start(message, AF_INET6);

        mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
        mnl_attr_nest_end(message, ipv6);
        mnl_attr_nest_end(message, families);
}

void cni_link_put_port(struct netlink *netlink, const char *name) {
        struct nlmsghdr *message = begin_link(netlink, RTM_NEWLINK, 0, 0, false, "set bridge port", 0);
        struct nlattr *info, *data;

        mnl_attr_put_strz(message, IFLA_IFNAME, name);
        info = mnl_attr_nest_start(message, IFLA_LINKINFO);
        mnl_attr_put_strz(message, IFLA_INFO_SLAVE_KIND, "bridge");
        data = mnl_attr_nest_start(message, IFLA_INFO_SLAVE_DATA);
        mnl_attr_put_u8(message, IFLA_BRPORT_MODE, BRIDGE_MODE_HAIRPIN);
        mnl_attr_nest_end(message, data);
        mnl_attr_nest_end(message, info);
        put_no_ipv6_address(message);
        cni_netlink_end(netlink, message);

        message = begin_link(netlink, RTM_NEWLINK, 0, 0, true, "bring up bridge port", 0);
        mnl_attr_put_strz(message, IFLA_IFNAME, name);
        cni_netlink_end(netlink, message);
}

/* Multicast snooping without a querier only drops the neighbour discovery of IPv6. */
static void put_bridge_data(struct nlmsghdr *message) {
        struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);

        mnl_attr_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0);
        mnl_attr_nest_end(message, data);
}

static void put_device(struct netlink *netlink, const char *kind, const char *name, const uint8_t *mac, uint32_t mtu,
                       const char *purpose, int tolerate) {
        struct nlmsghdr *message =
                begin_link(netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, true, purpose, tolerate);
        struct nlattr *info;

        mnl_attr_put_strz(message, IFLA_IFNAME, name);
        mnl_attr_put_u32(message, IFLA_MTU, mtu);
        if (mac)
                mnl_attr_put(message, IFLA_ADDRESS, MAC_SIZE, mac);
        info = mnl_attr_nest_start(message, IFLA_LINKINFO);
        mnl_attr_put_strz(message, IFLA_INFO_KIND, kind);
        if (strcmp(kind, "bridge") == 0)
                put_bridge_data(message);
        mnl_attr_nest_end(message, info);
        cni_netlink_end(netlink, message);
}

void cni_link_put_bridge(struct netlink *netlink, const char *name, const uint8_t mac[MAC_SIZE], uint32_t mtu) {
        put_device(netlink, "bridge", name, mac, mtu, "create bridge", EEXIST);
}

void cni_link_put_ifb(struct netlink *netlink, const char *name, uint32_t mtu) {
        put_device(netlink, "ifb", name, NULL, mtu, "create ifb", 0);
}

void cni_link_put_delete(struct netlink *netlink, const char *name) {
        struct nlmsghdr *message = begin_link(netlink, RTM_DELLINK, 0, 0, false, "remove interface", ENODEV);

        mnl_attr_put_strz(message, IFLA_IFNAME, name);
        cni_netlink_end(netlink, message);
}

void cni_link_put_up(struct netlink *netlink, int index) {
        cni_netlink_end(netlink, begin_link(netlink, RTM_NEWLINK, 0, index, true, "bring up interface", 0));
}

void cni_link_put_address(struct netlink *netlink, int index, const struct ip_cidr *address) {
        struct nlmsghdr *message = cni_netlink_begin(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
                                                     sizeof(struct ifaddrmsg), "add address", EEXIST);
        struct ifaddrmsg *header = cni_netlink_extra(message);
        const struct ip *ip = &address->ip;

        header->ifa_family = ip->family;
        header->ifa_prefixlen = address->prefix;
        header->ifa_scope = RT_SCOPE_UNIVERSE;
        header->ifa_flags = ip->family == AF_INET6 ? IFA_F_NODAD : 0;
        header->ifa_index = (uint32_t)index;
        mnl_attr_put(message, IFA_LOCAL, ip_size(ip->family), ip->bytes);
        mnl_attr_put(message, IFA_ADDRESS, ip_size(ip->family), ip->bytes);
        if (ip->family == AF_INET && address->prefix < 31) {
                struct ip base = ip_cidr_base(address);
                struct ip broadcast = ip_add(&base, (uint32_t)((1ull << (32 - address->prefix)) - 1));

                mnl_attr_put(message, IFA_BROADCAST, 4, broadcast.bytes);
        }
        cni_netlink_end(netlink, message);
}

void cni_link_put_default_route(struct netlink *netlink, int index, const struct ip *gateway) {
        struct nlmsghdr *message = cni_netlink_begin(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
                                                     sizeof(struct rtmsg), "add default route", 0);
        struct rtmsg *header = cni_netlink_extra(message);

        header->rtm_family = gateway->family;
        header->rtm_table = RT_TABLE_MAIN;
        header->rtm_protocol = RTPROT_BOOT;
        header->rtm_scope = RT_SCOPE_UNIVERSE;
        header->rtm_type = RTN_UNICAST;
        mnl_attr_put(message, RTA_GATEWAY, ip_size(gateway->family), gateway->bytes);
        mnl_attr_put_u32(message, RTA_OIF, (uint32_t)index);
        cni_netlink_end(netlink, message);
}

int cni_link_index(const struct netlink *netlink, const char *name) {
        struct ifreq request = { 0 };

        snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
        return ioctl(netlink->fd, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

static void read_kind(const struct nlattr *info, struct link *link) {
        const struct nlattr *attribute;

        mnl_attr_for_each_nested(attribute, info) if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
                snprintf(link->kind, sizeof(link->kind), "%.*s", (int)mnl_attr_get_payload_len(attribute),
                         (const char *)mnl_attr_get_payload(attribute));
}

static void read_link(const struct nlmsghdr *message, struct link *ret_link) {
        const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
        struct link link = { .index = header->ifi_index };
        const struct nlattr *attribute;

        mnl_attr_for_each(attribute, message, sizeof(*header)) {
                switch (mnl_attr_get_type(attribute)) {
                case IFLA_IFNAME:
                        snprintf(link.name, sizeof(link.name), "%s", mnl_attr_get_str(attribute));
                        break;
                case IFLA_MASTER:
                        link.master = (int)mnl_attr_get_u32(attribute);
                        break;
                case IFLA_MTU:
                        link.mtu = mnl_attr_get_u32(attribute);
                        break;
                case IFLA_OPERSTATE:
                        link.state = mnl_attr_get_u8(attribute);
                        break;
                case IFLA_ADDRESS:
                        if (mnl_attr_get_payload_len(attribute) == MAC_SIZE)
                                memcpy(link.mac, mnl_attr_get_payload(attribute), MAC_SIZE);
                        break;
                case IFLA_LINKINFO:
                        read_kind(attribute, &link);
                        break;
                }
        }
        *ret_link = link;
}

struct each_link {
        int (*call)(const struct link *link, void *data);
        void *data;
};

static int take_link(const struct nlmsghdr *message, void *data) {
        struct each_link *each = data;
        struct link link;

        if (message->nlmsg_type != RTM_NEWLINK)
                return 0;
        read_link(message, &link);
        return each->call(&link, each->data);
}

int cni_link_for_each(struct netlink *netlink, int (*each)(const struct link *link, void *data), void *data,
                      struct err **err) {
        struct each_link state = { .call = each, .data = data };

        cni_netlink_end(netlink, begin_link(netlink, RTM_GETLINK, NLM_F_DUMP, 0, false, "list interfaces", 0));
        return cni_netlink_dump(netlink, take_link, &state, err);
}

static int copy_link(const struct nlmsghdr *message, void *data) {
        if (message->nlmsg_type == RTM_NEWLINK)
                read_link(message, data);
        return 0;
}

int cni_link_get(struct netlink *netlink, const char *name, struct link *ret_link, struct err **err) {
        struct nlmsghdr *message = begin_link(netlink, RTM_GETLINK, 0, 0, false, "look up interface", 0);
        struct link link = { 0 };
        int r;

        mnl_attr_put_strz(message, IFLA_IFNAME, name);
        mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        cni_netlink_end(netlink, message);
        r = cni_netlink_dump(netlink, copy_link, &link, err);
        if (r < 0)
                return err_wrap(err, r, "interface %s", name);
        *ret_link = link;
        return 0;
}

static int64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int subscribe(struct netlink *netlink, int group, struct err **err) {
        if (setsockopt(netlink->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
                return err_errno(err, errno, "events of interfaces");
        return 0;
}

/* The next event, at most its first @size bytes; -ETIMEDOUT at the end of the time. */
static ssize_t next_event(int fd, int64_t deadline, char *buffer, size_t size) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };

        for (;;) {
                ssize_t n = recv(fd, buffer, size, 0);
                int64_t left = deadline - now_ms();

                if (n >= 0 || errno != EAGAIN)
                        return n >= 0 ? n : -errno;
                if (left <= 0 || poll(&ready, 1, (int)left) == 0)
                        return -ETIMEDOUT;
        }
}

/* From Linux 6.9 on the look-up itself brings the state up to date; before, its change is an event. */
int cni_link_wait_up(struct netlink *netlink, const char *name, int timeout_ms, struct err **err) {
        _cleanup_netlink_ struct netlink events = NETLINK_NONE;
        int64_t deadline = now_ms() + timeout_ms;
        struct link link;
        char event[4096];

        for (;;) {
                int r = cni_link_get(netlink, name, &link, err);

                if (r < 0 || link.state == IF_OPER_UP)
                        return r;
                if (events.fd < 0) {
                        /* First listen, then look again. */
                        r = cni_netlink_open(NETLINK_ROUTE, &events, err);
                        if (r == 0)
                                r = subscribe(&events, RTNLGRP_LINK, err);
                        if (r < 0)
                                return r;
                } else if (next_event(events.fd, deadline, event, sizeof(event)) == -ETIMEDOUT) {
                        return err_set(err, ETIMEDOUT, "interface %s did not come up", name);
                }
        }
}

int cni_link_watch_addresses(struct netlink *ret_netlink, struct err **err) {
        _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
        int r = cni_netlink_open(NETLINK_ROUTE, &netlink, err);

        if (r == 0)
                r = subscribe(&netlink, RTNLGRP_IPV6_IFADDR, err);
        if (r < 0)
                return r;
        *ret_netlink = netlink;
        netlink = NETLINK_NONE;
        return 0;
}

int cni_link_wait_addresses(struct netlink *watch, int index, size_t n, int timeout_ms, struct err **err) {
        int64_t deadline = now_ms() + timeout_ms;
        char buffer[4096];

        while (n > 0) {
                ssize_t size = next_event(watch->fd, deadline, buffer, sizeof(buffer));
                const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
                int left = (int)size;

                if (size == -ETIMEDOUT)
                        return err_set(err, ETIMEDOUT, "the IPv6 address did not come up");
                for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
                        const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);

                        if (message->nlmsg_type == RTM_NEWADDR && header->ifa_index == (uint32_t)index &&
                            header->ifa_scope == RT_SCOPE_UNIVERSE && n > 0)
                                n--;
                }
        }
        return 0;
}

static int take_default_route(const struct nlmsghdr *message, void *data) {
        const struct rtmsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *attribute;
        int *index = data;

        if (message->nlmsg_type != RTM_NEWROUTE || header->rtm_dst_len != 0 || header->rtm_table != RT_TABLE_MAIN ||
            header->rtm_type != RTN_UNICAST || *index != 0)
                return 0;
        mnl_attr_for_each(attribute, message, sizeof(*header)) if (mnl_attr_get_type(attribute) == RTA_OIF) *index =
                (int)mnl_attr_get_u32(attribute);
        return 0;
}

int cni_link_uplink(struct netlink *netlink, uint8_t family, int *ret_index, struct err **err) {
        struct nlmsghdr *message =
                cni_netlink_begin(netlink, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg), "list routes", 0);
        struct rtmsg *header = cni_netlink_extra(message);
        int index = 0, r;

        header->rtm_family = family;
        cni_netlink_end(netlink, message);
        r = cni_netlink_dump(netlink, take_default_route, &index, err);
        if (r < 0)
                return r;
        if (index == 0)
                return err_set(err, ENOENT, "no default route");
        *ret_index = index;
        return 0;
}

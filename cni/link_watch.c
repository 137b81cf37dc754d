/* What there is of interfaces and routes, and waiting until there is. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cni/link.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"

/* RFC 2863's ifOperStatus "up"; <linux/if.h>, which has it, cannot be included beside <net/if.h>. */
#define IF_OPER_UP 6

int cni_link_index(const struct netlink *netlink, const char *name) {
        struct ifreq request = { 0 };

        snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
        return ioctl(cni_netlink_fd(netlink), SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

/* What is asked for, with its family's header; by @name only where it is not NULL. */
struct get {
        uint16_t type;
        int flags;
        struct iovec header;
        const char *name;
};

static void put_get(struct netlink *netlink, const struct get *get, const char *purpose) {
        struct nl_msg *message = nlmsg_alloc_simple(get->type, get->flags);
        const char *name = get->name;

        if (message && (nlmsg_append(message, get->header.iov_base, get->header.iov_len, NLMSG_ALIGNTO) < 0 ||
                        (name && (nla_put_string(message, IFLA_IFNAME, name) < 0 ||
                                  nla_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0)))) {
                nlmsg_free(message);
                message = NULL;
        }
        cni_netlink_put(netlink, message, purpose, 0);
}

static void read_kind(struct nlattr *info, struct link *link) {
        static const struct nla_policy policy[IFLA_INFO_MAX + 1] = { [IFLA_INFO_KIND] = { .type = NLA_STRING } };
        struct nlattr *attributes[IFLA_INFO_MAX + 1];

        if (nla_parse_nested(attributes, IFLA_INFO_MAX, info, policy) == 0 && attributes[IFLA_INFO_KIND])
                nla_strlcpy(link->kind, attributes[IFLA_INFO_KIND], sizeof(link->kind));
}

/* False for a message that is no interface, or a broken one. */
static bool read_link(const struct nlmsghdr *message, struct link *ret_link) {
        static const struct nla_policy policy[IFLA_MAX + 1] = {
                [IFLA_IFNAME] = { .type = NLA_STRING, .maxlen = IFNAMSIZ },
                [IFLA_MASTER] = { .type = NLA_U32 },
                [IFLA_MTU] = { .type = NLA_U32 },
                [IFLA_OPERSTATE] = { .type = NLA_U8 },
                [IFLA_LINKINFO] = { .type = NLA_NESTED },
        };
        struct nlmsghdr *header = (struct nlmsghdr *)message;
        struct nlattr *attributes[IFLA_MAX + 1];
        struct link link = { 0 };

        if (message->nlmsg_type != RTM_NEWLINK ||
            nlmsg_parse(header, sizeof(struct ifinfomsg), attributes, IFLA_MAX, policy) < 0)
                return false;
        link.index = ((const struct ifinfomsg *)nlmsg_data(message))->ifi_index;
        if (attributes[IFLA_IFNAME])
                nla_strlcpy(link.name, attributes[IFLA_IFNAME], sizeof(link.name));
        if (attributes[IFLA_MASTER])
                link.master = (int)nla_get_u32(attributes[IFLA_MASTER]);
        if (attributes[IFLA_MTU])
                link.mtu = nla_get_u32(attributes[IFLA_MTU]);
        if (attributes[IFLA_OPERSTATE])
                link.state = nla_get_u8(attributes[IFLA_OPERSTATE]);
        if (attributes[IFLA_ADDRESS] && nla_len(attributes[IFLA_ADDRESS]) == MAC_SIZE)
                nla_memcpy(link.mac, attributes[IFLA_ADDRESS], MAC_SIZE);
        if (attributes[IFLA_LINKINFO])
                read_kind(attributes[IFLA_LINKINFO], &link);
        *ret_link = link;
        return true;
}

struct each_link {
        int (*call)(const struct link *link, void *data);
        void *data;
};

static int take_link(const struct nlmsghdr *message, void *data) {
        struct each_link *each = data;
        struct link link;

        return read_link(message, &link) ? each->call(&link, each->data) : 0;
}

int cni_link_for_each(struct netlink *netlink, int (*each)(const struct link *link, void *data), void *data,
                      struct err **err) {
        struct each_link state = { .call = each, .data = data };
        struct ifinfomsg header = { 0 };

        put_get(netlink, &(struct get){ RTM_GETLINK, NLM_F_DUMP, { &header, sizeof(header) }, NULL },
                "list interfaces");
        return cni_netlink_dump(netlink, take_link, &state, err);
}

static int copy_link(const struct nlmsghdr *message, void *data) {
        read_link(message, data);
        return 0;
}

int cni_link_get(struct netlink *netlink, const char *name, struct link *ret_link, struct err **err) {
        struct ifinfomsg header = { 0 };
        struct link link = { 0 };
        int r;

        put_get(netlink, &(struct get){ RTM_GETLINK, 0, { &header, sizeof(header) }, name }, "look up interface");
        r = cni_netlink_dump(netlink, copy_link, &link, err);
        if (r < 0)
                return err_wrap(err, r, "interface %s", name);
        *ret_link = link;
        return 0;
}

static int watch(struct netlink *ret_netlink, int group, struct err **err) {
        _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
        int r = cni_netlink_open(NETLINK_ROUTE, &netlink, err);

        if (r < 0)
                return r;
        if (nl_socket_add_membership(netlink.socket, group) < 0)
                return err_errno(err, errno, "events of interfaces");
        *ret_netlink = netlink;
        netlink = NETLINK_NONE;
        return 0;
}

/* The next event, at most its first @size bytes; -ETIMEDOUT at the end of the time. */
static ssize_t next_event(const struct netlink *netlink, int64_t deadline, char *buffer, size_t size) {
        struct pollfd ready = { .fd = cni_netlink_fd(netlink), .events = POLLIN };

        for (;;) {
                ssize_t n = recv(ready.fd, buffer, size, 0);
                int64_t left = deadline - clock_ms(CLOCK_MONOTONIC);

                if (n >= 0 || errno != EAGAIN)
                        return n >= 0 ? n : -errno;
                if (left <= 0 || poll(&ready, 1, (int)left) == 0)
                        return -ETIMEDOUT;
        }
}

/* From Linux 6.9 on the look-up itself brings the state up to date; before, its change is an event. */
int cni_link_wait_up(struct netlink *netlink, const char *name, int timeout_ms, struct err **err) {
        _cleanup_netlink_ struct netlink events = NETLINK_NONE;
        int64_t deadline = clock_ms(CLOCK_MONOTONIC) + timeout_ms;
        struct link link;
        char event[4096];

        for (;;) {
                int r = cni_link_get(netlink, name, &link, err);

                if (r < 0 || link.state == IF_OPER_UP)
                        return r;
                if (!events.socket) {
                        /* First listen, then look again. */
                        r = watch(&events, RTNLGRP_LINK, err);
                        if (r < 0)
                                return r;
                } else if (next_event(&events, deadline, event, sizeof(event)) == -ETIMEDOUT) {
                        return err_set(err, ETIMEDOUT, "interface %s did not come up", name);
                }
        }
}

int cni_link_watch_addresses(struct netlink *ret_netlink, struct err **err) {
        return watch(ret_netlink, RTNLGRP_IPV6_IFADDR, err);
}

int cni_link_wait_addresses(struct netlink *watched, int index, size_t n, int timeout_ms, struct err **err) {
        int64_t deadline = clock_ms(CLOCK_MONOTONIC) + timeout_ms;
        char buffer[4096];

        while (n > 0) {
                ssize_t size = next_event(watched, deadline, buffer, sizeof(buffer));
                struct nlmsghdr *message = (struct nlmsghdr *)buffer;
                int left = (int)size;

                if (size == -ETIMEDOUT)
                        return err_set(err, ETIMEDOUT, "the IPv6 address did not come up");
                for (; nlmsg_ok(message, left); message = nlmsg_next(message, &left)) {
                        const struct ifaddrmsg *header = nlmsg_data(message);

                        if (message->nlmsg_type == RTM_NEWADDR && nlmsg_valid_hdr(message, sizeof(*header)) &&
                            header->ifa_index == (uint32_t)index && header->ifa_scope == RT_SCOPE_UNIVERSE && n > 0)
                                n--;
                }
        }
        return 0;
}

static int take_default_route(const struct nlmsghdr *message, void *data) {
        static const struct nla_policy policy[RTA_MAX + 1] = { [RTA_OIF] = { .type = NLA_U32 } };
        const struct rtmsg *header = nlmsg_data(message);
        struct nlattr *attributes[RTA_MAX + 1];
        int *index = data;

        if (message->nlmsg_type != RTM_NEWROUTE || *index != 0 ||
            nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, RTA_MAX, policy) < 0 ||
            header->rtm_dst_len != 0 || header->rtm_table != RT_TABLE_MAIN || header->rtm_type != RTN_UNICAST)
                return 0;
        if (attributes[RTA_OIF])
                *index = (int)nla_get_u32(attributes[RTA_OIF]);
        return 0;
}

int cni_link_uplink(struct netlink *netlink, uint8_t family, int *ret_index, struct err **err) {
        struct rtmsg header = { .rtm_family = family };
        int index = 0, r;

        put_get(netlink, &(struct get){ RTM_GETROUTE, NLM_F_DUMP, { &header, sizeof(header) }, NULL }, "list routes");
        r = cni_netlink_dump(netlink, take_default_route, &index, err);
        if (r < 0)
                return r;
        if (index == 0)
                return err_set(err, ENOENT, "no default route");
        *ret_index = index;
        return 0;
}

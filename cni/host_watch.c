#include "cni/host_watch.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "cni/route.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define EVENTS_SIZE 16384

int cni_host_watch_open(struct netlink *ret_netlink, struct err **err) {
        static const int groups[] = { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                                      RTNLGRP_IPV6_ROUTE };
        _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
        int r = cni_netlink_open(NETLINK_ROUTE, &netlink, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(groups); i++)
                if (nl_socket_add_membership(netlink.socket, groups[i]) < 0)
                        return err_errno(err, errno, "events of addresses and routes");
        *ret_netlink = netlink;
        netlink = NETLINK_NONE;
        return 0;
}

/* Interfaces of pods come and go with routes of other tables. */
static bool counts(const struct nlmsghdr *message) {
        const struct rtmsg *route = nlmsg_data(message);
        const struct ifaddrmsg *address = nlmsg_data(message);

        switch (message->nlmsg_type) {
        case RTM_NEWADDR:
        case RTM_DELADDR:
                return nlmsg_valid_hdr(message, sizeof(*address)) && address->ifa_scope == RT_SCOPE_UNIVERSE;
        case RTM_NEWROUTE:
        case RTM_DELROUTE: /* of ours as well: who else has removed it? */
                return nlmsg_valid_hdr(message, sizeof(*route)) && route->rtm_table == RT_TABLE_MAIN &&
                       !(route->rtm_flags & RTM_F_CLONED) &&
                       (message->nlmsg_type == RTM_DELROUTE || route->rtm_protocol != ROUTE_PROTOCOL);
        default:
                return false;
        }
}

bool cni_host_watch_read(struct netlink *netlink) {
        _Alignas(struct nlmsghdr) char buffer[EVENTS_SIZE];
        bool found = false;

        for (;;) {
                ssize_t n = recv(cni_netlink_fd(netlink), buffer, sizeof(buffer), MSG_DONTWAIT);
                struct nlmsghdr *message = (struct nlmsghdr *)buffer;
                int left = (int)n;

                /* More than the socket holds has come: something has. */
                if (n < 0 && errno == ENOBUFS)
                        found = true;
                else if (n <= 0)
                        return found;
                for (; n > 0 && nlmsg_ok(message, left); message = nlmsg_next(message, &left))
                        found |= counts(message);
        }
}

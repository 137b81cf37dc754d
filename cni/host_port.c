#include "cni/host_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "cni/netlink.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* Which fields of CTA_TUPLE_ORIG a CTA_FILTER compares: protocol and destination port. The kernel has no public
 * names for these bits (net/netfilter/nf_internals.h: CTA_FILTER_F_CTA_PROTO_NUM, _DST_PORT). */
#define FILTER_PROTOCOL (1u << 3)
#define FILTER_DESTINATION_PORT (1u << 5)

const char *host_port_protocol(uint8_t protocol) {
        switch (protocol) {
        case IPPROTO_TCP:
                return "tcp";
        case IPPROTO_UDP:
                return "udp";
        case IPPROTO_SCTP:
                return "sctp";
        }
        return "?";
}

int host_port_probe(uint8_t protocol, const struct ip *ip, uint16_t port, struct err **err) {
        int type = protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, one = 1;
        _cleanup_close_ int fd = socket(ip->family, type | SOCK_CLOEXEC, protocol);
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
        int r;

        if (fd < 0)
                return 0;
        /* Connections that linger do not count; for UDP the option would let two listeners share. */
        if (protocol != IPPROTO_UDP)
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (ip->family == AF_INET6) {
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
                memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
                r = bind(fd, (struct sockaddr *)&v6, sizeof(v6));
        } else {
                memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
                r = bind(fd, (struct sockaddr *)&v4, sizeof(v4));
        }
        if (r < 0 && errno == EADDRINUSE)
                return err_set(err, EADDRINUSE, "host port %u/%s is in use by a process of the host", port,
                               host_port_protocol(protocol));
        return 0;
}

void host_port_forget_flows(struct netlink *netlink, uint8_t family, uint16_t port) {
        struct nlattr *tuple, *protocol, *filter;
        struct nlmsghdr *message;
        struct nfgenmsg *header;

        message = netlink_begin(netlink, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0,
                                sizeof(struct nfgenmsg), "forget UDP flows", ENOENT);
        header = netlink_extra(message);
        header->nfgen_family = family;
        header->version = 1; /* with 0 the kernel takes the family for unspecified */
        tuple = mnl_attr_nest_start(message, CTA_TUPLE_ORIG);
        protocol = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
        mnl_attr_put_u8(message, CTA_PROTO_NUM, IPPROTO_UDP);
        mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(port));
        mnl_attr_nest_end(message, protocol);
        mnl_attr_nest_end(message, tuple);
        filter = mnl_attr_nest_start(message, CTA_FILTER);
        mnl_attr_put_u32(message, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL | FILTER_DESTINATION_PORT);
        mnl_attr_put_u32(message, CTA_FILTER_REPLY_FLAGS, 0);
        mnl_attr_nest_end(message, filter);
        netlink_end(netlink, message);
        netlink_run(netlink, NULL);
}

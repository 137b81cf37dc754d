#include "cni/host_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cni/netlink.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* Which fields of CTA_TUPLE_ORIG a CTA_FILTER compares: protocol and destination port. The kernel has no public
 * names for these bits (net/netfilter/nf_internals.h: CTA_FILTER_F_CTA_PROTO_NUM, _DST_PORT). */
#define FILTER_PROTOCOL (1u << 3)
#define FILTER_DESTINATION_PORT (1u << 5)

/* Flows forgotten at once, and bytes that one takes: two IPv6 addresses, protocol, ports and zone, each an attribute.
 */
#define FLOWS_MAX 4096
#define TUPLE_MAX 96

const char *cni_host_port_protocol(uint8_t protocol) {
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

int cni_host_port_probe(uint8_t protocol, const struct ip *ip, uint16_t port, struct err **err) {
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
                               cni_host_port_protocol(protocol));
        return 0;
}

/* Flows to forget, as the bytes of their CTA_TUPLE_ORIG. */
struct flows {
        uint16_t port;
        size_t n;
        struct {
                uint8_t family, tuple[TUPLE_MAX];
                uint16_t size;
        } flows[FLOWS_MAX];
};

static const struct nlattr *find_nested(const struct nlattr *nest, uint16_t type) {
        const struct nlattr *attribute;

        mnl_attr_for_each_nested(attribute, nest) if (mnl_attr_get_type(attribute) == type) return attribute;
        return NULL;
}

/* Once more what the filter asked for: kernels before 5.8 take no notice of it. */
static bool is_udp_to(const struct nlattr *tuple, uint16_t port) {
        const struct nlattr *protocol = find_nested(tuple, CTA_TUPLE_PROTO);
        const struct nlattr *number = protocol ? find_nested(protocol, CTA_PROTO_NUM) : NULL;
        const struct nlattr *destination = protocol ? find_nested(protocol, CTA_PROTO_DST_PORT) : NULL;

        return number && destination && mnl_attr_get_u8(number) == IPPROTO_UDP &&
               mnl_attr_get_u16(destination) == htons(port);
}

static int take_flow(const struct nlmsghdr *message, void *data) {
        const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *attribute;
        struct flows *flows = data;

        mnl_attr_for_each(attribute, message, sizeof(*header)) {
                uint16_t size = mnl_attr_get_payload_len(attribute);

                if (mnl_attr_get_type(attribute) != CTA_TUPLE_ORIG || size > TUPLE_MAX || flows->n == FLOWS_MAX ||
                    !is_udp_to(attribute, flows->port))
                        continue;
                flows->flows[flows->n].family = header->nfgen_family;
                flows->flows[flows->n].size = size;
                memcpy(flows->flows[flows->n++].tuple, mnl_attr_get_payload(attribute), size);
        }
        return 0;
}

static struct nlmsghdr *begin(struct netlink *netlink, uint16_t type, uint16_t flags, uint8_t family) {
        struct nlmsghdr *message = cni_netlink_begin(netlink, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags,
                                                     sizeof(struct nfgenmsg), "forget UDP flows", ENOENT);

        ((struct nfgenmsg *)cni_netlink_extra(message))->nfgen_family = family;
        return message;
}

static void put_request(struct netlink *netlink, uint8_t family, uint16_t port) {
        struct nlmsghdr *message = begin(netlink, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
        struct nlattr *tuple = mnl_attr_nest_start(message, CTA_TUPLE_ORIG);
        struct nlattr *protocol = mnl_attr_nest_start(message, CTA_TUPLE_PROTO), *filter;

        mnl_attr_put_u8(message, CTA_PROTO_NUM, IPPROTO_UDP);
        mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(port));
        mnl_attr_nest_end(message, protocol);
        mnl_attr_nest_end(message, tuple);
        filter = mnl_attr_nest_start(message, CTA_FILTER);
        mnl_attr_put_u32(message, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL | FILTER_DESTINATION_PORT);
        mnl_attr_put_u32(message, CTA_FILTER_REPLY_FLAGS, 0);
        mnl_attr_nest_end(message, filter);
        cni_netlink_end(netlink, message);
}

void cni_host_port_forget_flows(struct netlink *netlink, uint8_t family, uint16_t port) {
        _cleanup_free_ struct flows *flows = malloc(sizeof(*flows));

        if (!flows || cni_netlink_fd(netlink) < 0)
                return;
        flows->port = port;
        flows->n = 0;
        put_request(netlink, family, port);
        if (cni_netlink_dump(netlink, take_flow, flows, NULL) < 0) {
                /* The rest of the answer may still be in the socket. */
                cni_netlink_close(netlink);
                return;
        }
        for (size_t i = 0; i < flows->n; i++) {
                struct nlmsghdr *message = begin(netlink, IPCTNL_MSG_CT_DELETE, 0, flows->flows[i].family);

                mnl_attr_put(message, CTA_TUPLE_ORIG | NLA_F_NESTED, flows->flows[i].size, flows->flows[i].tuple);
                cni_netlink_end(netlink, message);
        }
        cni_netlink_run(netlink, NULL);
}

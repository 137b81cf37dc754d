#include "cni/flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cni/netlink.h"
#include "lib/cleanup.h"

/* Which fields of CTA_TUPLE_ORIG a CTA_FILTER compares: protocol and destination port. The kernel has no public
 * names for these bits (net/netfilter/nf_internals.h: CTA_FILTER_F_CTA_PROTO_NUM, _DST_PORT). */
#define FILTER_PROTOCOL (1u << 3)
#define FILTER_DESTINATION_PORT (1u << 5)

/* Flows forgotten at once, of which there may be more: then it is looked again, so often at most. */
#define FLOWS_MAX 4096
#define LOOKS_MAX 1024
/* Bytes that one takes: two IPv6 addresses, protocol, ports and zone, each an attribute. */
#define TUPLE_MAX 96

/* Which flows. */
struct sought {
        const struct flow *flows;   /* NULL, and no addresses: all to @port */
        const struct ip *addresses; /* those to one of them that are none of @flows; NULL: @flows */
        size_t n_flows, n_addresses;
        uint16_t port;
};

/* Flows to forget, as the bytes of their CTA_TUPLE_ORIG. */
struct found {
        struct sought of;
        size_t n;
        struct {
                uint8_t family, tuple[TUPLE_MAX];
                uint16_t size;
        } found[FLOWS_MAX];
};

static const struct nlattr *find_nested(const struct nlattr *nest, uint16_t type) {
        const struct nlattr *attribute;

        mnl_attr_for_each_nested(attribute, nest) if (mnl_attr_get_type(attribute) == type) return attribute;
        return NULL;
}

static int compare(const void *a, const void *b) {
        const struct flow *one = a, *other = b;
        int order = one->to.family - other->to.family;

        order = order ?: memcmp(one->to.bytes, other->to.bytes, sizeof(one->to.bytes));
        order = order ?: one->port - other->port;
        return order ?: memcmp(one->answers.bytes, other->answers.bytes, sizeof(one->answers.bytes));
}

static int compare_ips(const void *a, const void *b) {
        const struct ip *one = a, *other = b;

        return one->family - other->family ?: memcmp(one->bytes, other->bytes, sizeof(one->bytes));
}

/* The address at one side of @tuple, of either family. */
static struct ip address_in(const struct nlattr *tuple, bool source) {
        const struct nlattr *ips = find_nested(tuple, CTA_TUPLE_IP), *found = NULL;
        struct ip ip = { 0 };

        if (ips && (found = find_nested(ips, source ? CTA_IP_V4_SRC : CTA_IP_V4_DST)) &&
            mnl_attr_get_payload_len(found) == 4)
                ip.family = AF_INET;
        else if (ips && (found = find_nested(ips, source ? CTA_IP_V6_SRC : CTA_IP_V6_DST)) &&
                 mnl_attr_get_payload_len(found) == 16)
                ip.family = AF_INET6;
        if (ip.family)
                memcpy(ip.bytes, mnl_attr_get_payload(found), ip_size(ip.family));
        return ip;
}

/* The port that a flow of UDP is sent to; -1: it is of another protocol. */
static int port_in(const struct nlattr *tuple) {
        const struct nlattr *protocol = find_nested(tuple, CTA_TUPLE_PROTO);
        const struct nlattr *number = protocol ? find_nested(protocol, CTA_PROTO_NUM) : NULL;
        const struct nlattr *destination = protocol ? find_nested(protocol, CTA_PROTO_DST_PORT) : NULL;

        return number && destination && mnl_attr_get_u8(number) == IPPROTO_UDP ? ntohs(mnl_attr_get_u16(destination)) :
                                                                                 -1;
}

/* Once more what the filter asked for: kernels before 5.8 take no notice of it. */
static bool is_wanted(const struct sought *of, const struct nlattr *there, const struct nlattr *back) {
        int port = port_in(there);
        struct flow flow;
        bool is_one;

        if (port < 0 || (!of->flows && !of->addresses))
                return port >= 0 && port == of->port;
        flow = (struct flow){ .to = address_in(there, false),
                              .answers = address_in(back, true),
                              .port = (uint16_t)port };
        is_one = of->n_flows > 0 && bsearch(&flow, of->flows, of->n_flows, sizeof(flow), compare);
        if (!of->addresses)
                return is_one;
        return !is_one && bsearch(&flow.to, of->addresses, of->n_addresses, sizeof(flow.to), compare_ips);
}

static int take_flow(const struct nlmsghdr *message, void *data) {
        const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *attribute, *there = NULL, *back = NULL;
        struct found *found = data;
        uint16_t size;

        mnl_attr_for_each(attribute, message, sizeof(*header)) {
                if (mnl_attr_get_type(attribute) == CTA_TUPLE_ORIG)
                        there = attribute;
                else if (mnl_attr_get_type(attribute) == CTA_TUPLE_REPLY)
                        back = attribute;
        }
        size = there ? mnl_attr_get_payload_len(there) : 0;
        if (!there || !back || size > TUPLE_MAX || found->n == FLOWS_MAX || !is_wanted(&found->of, there, back))
                return 0;
        found->found[found->n].family = header->nfgen_family;
        found->found[found->n].size = size;
        memcpy(found->found[found->n++].tuple, mnl_attr_get_payload(there), size);
        return 0;
}

static struct nlmsghdr *begin(struct netlink *netlink, uint16_t type, uint16_t flags, uint8_t family) {
        struct nlmsghdr *message = cni_netlink_begin(netlink, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags,
                                                     sizeof(struct nfgenmsg), "forget UDP flows", ENOENT);

        ((struct nfgenmsg *)cni_netlink_extra(message))->nfgen_family = family;
        return message;
}

/* @port 0: any. */
static void put_request(struct netlink *netlink, uint8_t family, uint16_t port) {
        struct nlmsghdr *message = begin(netlink, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
        struct nlattr *tuple = mnl_attr_nest_start(message, CTA_TUPLE_ORIG);
        struct nlattr *protocol = mnl_attr_nest_start(message, CTA_TUPLE_PROTO), *filter;

        mnl_attr_put_u8(message, CTA_PROTO_NUM, IPPROTO_UDP);
        if (port)
                mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(port));
        mnl_attr_nest_end(message, protocol);
        mnl_attr_nest_end(message, tuple);
        filter = mnl_attr_nest_start(message, CTA_FILTER);
        mnl_attr_put_u32(message, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL | (port ? FILTER_DESTINATION_PORT : 0));
        mnl_attr_put_u32(message, CTA_FILTER_REPLY_FLAGS, 0);
        mnl_attr_nest_end(message, filter);
        cni_netlink_end(netlink, message);
}

static void forget_some(struct netlink *netlink, uint8_t family, struct found *found) {
        found->n = 0;
        put_request(netlink, family, found->of.port);
        if (cni_netlink_dump(netlink, take_flow, found, NULL) < 0) {
                /* The rest of the answer may still be in the socket. */
                cni_netlink_close(netlink);
                return;
        }
        for (size_t i = 0; i < found->n; i++) {
                struct nlmsghdr *message = begin(netlink, IPCTNL_MSG_CT_DELETE, 0, found->found[i].family);

                mnl_attr_put(message, CTA_TUPLE_ORIG | NLA_F_NESTED, found->found[i].size, found->found[i].tuple);
                cni_netlink_end(netlink, message);
        }
        cni_netlink_run(netlink, NULL);
}

static void forget(struct netlink *netlink, uint8_t family, struct found *found) {
        unsigned looks = 0;

        do
                forget_some(netlink, family, found);
        while (found->n == FLOWS_MAX && ++looks < LOOKS_MAX && cni_netlink_fd(netlink) >= 0);
}

static void forget_both(struct netlink *netlink, const struct sought *of) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        _cleanup_free_ struct found *found = malloc(sizeof(*found));

        for (size_t i = 0; i < ELEMENTS(families) && found && cni_netlink_fd(netlink) >= 0; i++) {
                found->of = *of;
                forget(netlink, families[i], found);
        }
}

void cni_flows_forget(struct netlink *netlink, struct flow *flows, size_t n) {
        const struct sought these = { .flows = flows, .n_flows = n };

        qsort(flows, n, sizeof(*flows), compare);
        forget_both(netlink, &these);
}

void cni_flows_forget_others(struct netlink *netlink, struct ip *addresses, size_t n_addresses, struct flow *flows,
                             size_t n) {
        const struct sought others = {
                .flows = flows, .n_flows = n, .addresses = addresses, .n_addresses = n_addresses
        };

        qsort(addresses, n_addresses, sizeof(*addresses), compare_ips);
        qsort(flows, n, sizeof(*flows), compare);
        forget_both(netlink, &others);
}

void cni_flows_forget_port(struct netlink *netlink, uint8_t family, uint16_t port) {
        _cleanup_free_ struct found *found = malloc(sizeof(*found));

        if (!found || cni_netlink_fd(netlink) < 0)
                return;
        found->of = (struct sought){ .port = port };
        forget(netlink, family, found);
}

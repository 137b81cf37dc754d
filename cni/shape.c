#include "cni/shape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#include "cni/link.h"
#include "lib/err.h"

/* The bucket holds this much time's worth of bytes, the queue behind it a little more; a segment of the largest
 * offloaded size always fits, and a bucket is never so large that a limit means nothing. */
#define BUCKET_PER_SECOND 20
#define BUCKET_MIN (64 * 1024)
#define BUCKET_MAX (16 * 1024 * 1024)

static struct nlmsghdr *begin(struct netlink *netlink, uint16_t type, int index, uint32_t handle, uint32_t parent,
                              const char *kind, const char *purpose) {
        struct nlmsghdr *message =
                cni_netlink_begin(netlink, type, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct tcmsg), purpose, 0);
        struct tcmsg *header = cni_netlink_extra(message);

        header->tcm_ifindex = index;
        header->tcm_handle = handle;
        header->tcm_parent = parent;
        mnl_attr_put_strz(message, TCA_KIND, kind);
        return message;
}

static void put_token_bucket(struct netlink *netlink, int index, uint64_t bits, const char *purpose) {
        struct nlmsghdr *message =
                begin(netlink, RTM_NEWQDISC, index, TC_H_MAKE(1u << 16, 0), TC_H_ROOT, "tbf", purpose);
        uint64_t rate = bits / 8 > 0 ? bits / 8 : 1, bucket = rate / BUCKET_PER_SECOND;
        struct tc_tbf_qopt options = { .rate.linklayer = TC_LINKLAYER_ETHERNET };
        struct nlattr *nest = mnl_attr_nest_start(message, TCA_OPTIONS);

        bucket = bucket < BUCKET_MIN ? BUCKET_MIN : bucket > BUCKET_MAX ? BUCKET_MAX : bucket;
        options.rate.rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
        options.limit = (uint32_t)(2 * bucket);
        mnl_attr_put(message, TCA_TBF_PARMS, sizeof(options), &options);
        if (rate > UINT32_MAX)
                mnl_attr_put_u64(message, TCA_TBF_RATE64, rate);
        mnl_attr_put_u32(message, TCA_TBF_BURST, (uint32_t)bucket);
        mnl_attr_nest_end(message, nest);
        cni_netlink_end(netlink, message);
}

static void put_mirror(struct nlmsghdr *message, int target) {
        struct tc_mirred mirred = { .action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (uint32_t)target };
        struct nlattr *actions = mnl_attr_nest_start(message, TCA_U32_ACT);
        struct nlattr *first = mnl_attr_nest_start(message, 1);
        struct nlattr *options;

        mnl_attr_put_strz(message, TCA_ACT_KIND, "mirred");
        options = mnl_attr_nest_start(message, TCA_ACT_OPTIONS);
        mnl_attr_put(message, TCA_MIRRED_PARMS, sizeof(mirred), &mirred);
        mnl_attr_nest_end(message, options);
        mnl_attr_nest_end(message, first);
        mnl_attr_nest_end(message, actions);
}

/* All that comes in on @index leaves through @target, which gives it back after its queue. */
static void put_redirect(struct netlink *netlink, int index, int target) {
        static const struct tc_u32_sel selector = { .flags = TC_U32_TERMINAL, .nkeys = 1 };
        uint8_t match[sizeof(selector) + sizeof(struct tc_u32_key)] = { 0 }; /* one key, which matches everything */
        struct nlmsghdr *message = begin(netlink, RTM_NEWQDISC, index, TC_H_MAKE(TC_H_INGRESS, 0), TC_H_INGRESS,
                                         "ingress", "limit egress: ingress queue");
        struct nlattr *options;

        cni_netlink_end(netlink, message);
        message = begin(netlink, RTM_NEWTFILTER, index, 0, TC_H_MAKE(TC_H_INGRESS, 0), "u32", "limit egress: redirect");
        ((struct tcmsg *)cni_netlink_extra(message))->tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL));
        options = mnl_attr_nest_start(message, TCA_OPTIONS);
        memcpy(match, &selector, sizeof(selector));
        mnl_attr_put(message, TCA_U32_SEL, sizeof(match), match);
        put_mirror(message, target);
        mnl_attr_nest_end(message, options);
        cni_netlink_end(netlink, message);
}

int cni_shape_apply(struct netlink *netlink, const struct cni_shape *shape, struct err **err) {
        int veth = cni_link_index(netlink, shape->veth), ifb, r;

        if (veth < 0)
                return err_errno(err, -veth, "limit bandwidth of %s", shape->veth);
        if (shape->ingress_bits)
                put_token_bucket(netlink, veth, shape->ingress_bits, "limit ingress");
        if (shape->egress_bits)
                cni_link_put_ifb(netlink, shape->ifb, shape->mtu);
        r = cni_netlink_run(netlink, err);
        if (r < 0 || !shape->egress_bits)
                return r;
        ifb = cni_link_index(netlink, shape->ifb);
        if (ifb < 0)
                return err_errno(err, -ifb, "limit bandwidth of %s", shape->veth);
        put_token_bucket(netlink, ifb, shape->egress_bits, "limit egress");
        put_redirect(netlink, veth, ifb);
        return cni_netlink_run(netlink, err);
}

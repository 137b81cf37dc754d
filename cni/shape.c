#include "cni/shape.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "cni/link.h"
#include "lib/err.h"

/* The bucket holds this much time's worth of bytes, the queue behind it a little more; a segment of the largest
 * offloaded size always fits, and a bucket is never so large that a limit means nothing. */
#define BUCKET_PER_SECOND 20
#define BUCKET_MIN (64 * 1024)
#define BUCKET_MAX (16 * 1024 * 1024)

/* A request for what hangs at @parent of the interface @index; NULL without memory. */
static struct nl_msg *begin(int type, int index, uint32_t handle, uint32_t parent, uint32_t info, const char *kind) {
        struct tcmsg header = { .tcm_ifindex = index, .tcm_handle = handle, .tcm_parent = parent, .tcm_info = info };
        struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_CREATE | NLM_F_EXCL);

        if (message && nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) == 0 &&
            nla_put_string(message, TCA_KIND, kind) == 0)
                return message;
        nlmsg_free(message);
        return NULL;
}

/* Adds the request, which is NULL or not complete without memory. */
static void put(struct netlink *netlink, struct nl_msg *message, bool complete, const char *purpose) {
        if (!complete) {
                nlmsg_free(message);
                message = NULL;
        }
        cni_netlink_put(netlink, message, purpose, 0);
}

/* libnl-route's own token bucket ends at 2 GiB a second. */
static bool put_bucket(struct nl_msg *message, uint64_t bits) {
        uint64_t rate = bits / 8 > 0 ? bits / 8 : 1, bucket = rate / BUCKET_PER_SECOND;
        struct tc_tbf_qopt options = { .rate.linklayer = TC_LINKLAYER_ETHERNET };
        struct nlattr *nest = nla_nest_start(message, TCA_OPTIONS);

        bucket = bucket < BUCKET_MIN ? BUCKET_MIN : bucket > BUCKET_MAX ? BUCKET_MAX : bucket;
        options.rate.rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
        options.limit = (uint32_t)(2 * bucket);
        if (!nest || nla_put(message, TCA_TBF_PARMS, sizeof(options), &options) < 0 ||
            (rate > UINT32_MAX && nla_put_u64(message, TCA_TBF_RATE64, rate) < 0) ||
            nla_put_u32(message, TCA_TBF_BURST, (uint32_t)bucket) < 0)
                return false;
        nla_nest_end(message, nest);
        return true;
}

static void put_token_bucket(struct netlink *netlink, int index, uint64_t bits, const char *purpose) {
        struct nl_msg *message = begin(RTM_NEWQDISC, index, TC_H_MAKE(1u << 16, 0), TC_H_ROOT, 0, "tbf");

        put(netlink, message, message && put_bucket(message, bits), purpose);
}

static bool put_mirror(struct nl_msg *message, int target) {
        struct tc_mirred mirred = { .action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (uint32_t)target };
        struct nlattr *actions = nla_nest_start(message, TCA_U32_ACT), *first, *options;

        first = actions ? nla_nest_start(message, 1) : NULL;
        if (!first || nla_put_string(message, TCA_ACT_KIND, "mirred") < 0)
                return false;
        options = nla_nest_start(message, TCA_ACT_OPTIONS);
        if (!options || nla_put(message, TCA_MIRRED_PARMS, sizeof(mirred), &mirred) < 0)
                return false;
        nla_nest_end(message, options);
        nla_nest_end(message, first);
        nla_nest_end(message, actions);
        return true;
}

/* One key, which matches everything. */
static bool put_selection(struct nl_msg *message, int target) {
        static const struct tc_u32_sel selector = { .flags = TC_U32_TERMINAL, .nkeys = 1 };
        uint8_t match[sizeof(selector) + sizeof(struct tc_u32_key)] = { 0 };
        struct nlattr *options = nla_nest_start(message, TCA_OPTIONS);

        memcpy(match, &selector, sizeof(selector));
        if (!options || nla_put(message, TCA_U32_SEL, sizeof(match), match) < 0 || !put_mirror(message, target))
                return false;
        nla_nest_end(message, options);
        return true;
}

/* All that comes in on @index leaves through @target, which gives it back after its queue. */
static void put_redirect(struct netlink *netlink, int index, int target) {
        struct nl_msg *message = begin(RTM_NEWQDISC, index, TC_H_MAKE(TC_H_INGRESS, 0), TC_H_INGRESS, 0, "ingress");

        put(netlink, message, true, "limit egress: ingress queue");
        message = begin(RTM_NEWTFILTER, index, 0, TC_H_MAKE(TC_H_INGRESS, 0), TC_H_MAKE(1u << 16, htons(ETH_P_ALL)),
                        "u32");
        put(netlink, message, message && put_selection(message, target), "limit egress: redirect");
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

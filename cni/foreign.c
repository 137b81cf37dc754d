#include "cni/foreign.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>

#include "cni/nft.h"
#include "lib/cleanup.h"

struct search {
        char *text;
        size_t size;
        bool found;
};

static const char *family_name(uint8_t family) {
        return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

static uint32_t hook_of(const struct nlattr *nest) {
        const struct nlattr *attribute;

        mnl_attr_for_each_nested(attribute, nest) if (mnl_attr_get_type(attribute) == NFTA_HOOK_HOOKNUM &&
                                                      mnl_attr_validate(attribute, MNL_TYPE_U32) ==
                                                              0) return ntohl(mnl_attr_get_u32(attribute));
        return UINT32_MAX;
}

static int take_chain(const struct nlmsghdr *message, void *data) {
        const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
        const char *table = "", *chain = "";
        uint32_t hook = UINT32_MAX, policy = NF_ACCEPT;
        const struct nlattr *attribute;
        struct search *search = data;

        if (search->found || (header->nfgen_family != NFPROTO_IPV4 && header->nfgen_family != NFPROTO_IPV6 &&
                              header->nfgen_family != NFPROTO_INET))
                return 0;
        mnl_attr_for_each(attribute, message, sizeof(*header)) {
                uint16_t type = mnl_attr_get_type(attribute);

                if (type == NFTA_CHAIN_TABLE && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
                        table = mnl_attr_get_str(attribute);
                else if (type == NFTA_CHAIN_NAME && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
                        chain = mnl_attr_get_str(attribute);
                else if (type == NFTA_CHAIN_HOOK)
                        hook = hook_of(attribute);
                else if (type == NFTA_CHAIN_POLICY && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
                        policy = ntohl(mnl_attr_get_u32(attribute));
        }
        if (hook != NF_INET_FORWARD || policy != NF_DROP)
                return 0;
        snprintf(search->text, search->size, "table %s %s, chain %s", family_name(header->nfgen_family), table, chain);
        search->found = true;
        return 0;
}

bool cni_foreign_forward_drop(char *ret_text, size_t size) {
        _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
        struct search search = { .text = ret_text, .size = size };
        struct nlmsghdr *message;

        if (cni_netlink_open(NETLINK_NETFILTER, &netlink, NULL) < 0)
                return false;
        message = cni_nft_begin(&netlink, NFT_MSG_GETCHAIN, NLM_F_DUMP, "list the chains", 0);
        ((struct nfgenmsg *)cni_netlink_extra(message))->nfgen_family = NFPROTO_UNSPEC;
        cni_netlink_end(&netlink, message);
        cni_netlink_dump(&netlink, take_chain, &search, NULL);
        return search.found;
}

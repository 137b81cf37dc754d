#include "cni/balancer_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Before the kernel's headers, which then leave its types out. */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "cni/nft.h"
#include "cni/sysctl.h"
#include "lib/cleanup.h"

static const struct {
        uint8_t family;
        struct nft_set sets[BALANCER_BACK + 1];
} families[] = {
        { AF_INET,
          { [BALANCER_ADDRESS] = { .name = "addresses4", .key = { NFT_IPV4 } },
            [BALANCER_SELF] = { .name = "selfs4", .key = { NFT_IPV4, NFT_IPV4 } },
            [BALANCER_COUNT] = { .name = "counts4", .key = { NFT_IPV4, NFT_PROTOCOL, NFT_PORT }, .verdicts = true },
            [BALANCER_BACK] = { .name = "backs4",
                                .key = { NFT_IPV4, NFT_PROTOCOL, NFT_PORT, NFT_NUMBER },
                                .data = { NFT_IPV4, NFT_PORT } } } },
        { AF_INET6,
          { [BALANCER_ADDRESS] = { .name = "addresses6", .key = { NFT_IPV6 } },
            [BALANCER_SELF] = { .name = "selfs6", .key = { NFT_IPV6, NFT_IPV6 } },
            [BALANCER_COUNT] = { .name = "counts6", .key = { NFT_IPV6, NFT_PROTOCOL, NFT_PORT }, .verdicts = true },
            [BALANCER_BACK] = { .name = "backs6",
                                .key = { NFT_IPV6, NFT_PROTOCOL, NFT_PORT, NFT_NUMBER },
                                .data = { NFT_IPV6, NFT_PORT } } } },
};

static const struct nft_chain chains[] = {
        { "services", NULL, 0, 0 },
        { "prerouting", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST },
        { "output", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST },
        { "postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC },
        { "refused_forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER },
        { "refused_output", "filter", NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER },
};

void cni_balancer_table(const char *bridge, char ret_table[BALANCER_TABLE_MAX]) {
        snprintf(ret_table, BALANCER_TABLE_MAX, "nacelle_services_%s", bridge);
}

const struct nft_set *cni_balancer_set(uint8_t family, enum balancer_kind kind) {
        return &families[family == AF_INET6].sets[kind];
}

void cni_balancer_chain(const struct balancer_choice *choice, char ret_name[BALANCER_CHAIN_MAX]) {
        snprintf(ret_name, BALANCER_CHAIN_MAX, "random%d_%u", choice->family == AF_INET6 ? 6 : 4, choice->n);
}

int cni_balancer_choice_of(const char *name, uint8_t family, struct balancer_choice *ret_choice) {
        const char *number = strchr(name, '_');
        struct balancer_choice choice = { family, number ? (uint32_t)strtoul(number + 1, NULL, 10) : 0 };
        char again[BALANCER_CHAIN_MAX];

        cni_balancer_chain(&choice, again);
        if (choice.n < 1 || choice.n > BALANCER_BACKS_MAX || strcmp(name, again) != 0)
                return -EINVAL;
        *ret_choice = choice;
        return 0;
}

/* One of @n behind the address and port that a packet is for. */
static int put_choice(const struct balancer_rules *rules, struct netlink *netlink, const char *chain,
                      const struct balancer_choice *choice) {
        struct rule rule = cni_rule_begin(rules->table, chain);

        cni_rule_match_family(&rule, choice->family);
        cni_rule_translate_choice(&rule, cni_balancer_set(choice->family, BALANCER_BACK)->name, choice->family,
                                  choice->n);
        return cni_rule_put(&rule, netlink);
}

/* What comes back untranslated goes to the first one, which is there whenever somebody is: see cni/balancer.h. */
static int put_way(const struct balancer_rules *rules, struct netlink *netlink, const char *chain) {
        struct rule rule = cni_rule_begin(rules->table, chain);
        int r;

        cni_rule_jump(&rule, "services");
        r = cni_rule_put(&rule, netlink);
        for (size_t i = 0; i < ELEMENTS(families) && r == 0; i++)
                r = put_choice(rules, netlink, chain, &(struct balancer_choice){ families[i].family, 1 });
        return r;
}

static int put_services(const struct balancer_rules *rules, struct netlink *netlink) {
        int r;

        for (size_t i = 0; i < ELEMENTS(families); i++) {
                struct rule rule = cni_rule_begin(rules->table, "services");

                cni_rule_match_family(&rule, families[i].family);
                cni_rule_choose_chain(&rule, families[i].sets[BALANCER_COUNT].name, families[i].family);
                if ((r = cni_rule_put(&rule, netlink)) < 0)
                        return r;
        }
        if ((r = put_way(rules, netlink, "prerouting")) < 0)
                return r;
        return put_way(rules, netlink, "output");
}

/* Whether what goes over bridges is shown to the rules. */
static bool sees_bridged(uint8_t family) {
        char value[16];

        return cni_sysctl_get(family == AF_INET ? "net/bridge/bridge-nf-call-iptables" :
                                                  "net/bridge/bridge-nf-call-ip6tables",
                              value, sizeof(value), NULL) == 0 &&
               strcmp(value, "1") == 0;
}

static int put_hairpin(const struct balancer_rules *rules, struct netlink *netlink) {
        int r = 0;

        for (size_t i = 0; i < rules->n_pod_cidrs && r == 0; i++) {
                uint8_t family = rules->pod_cidrs[i].ip.family;
                struct rule rule = cni_rule_begin(rules->table, "postrouting");

                cni_rule_match_output(&rule, rules->bridge, true);
                cni_rule_match_family(&rule, family);
                if (sees_bridged(family))
                        cni_rule_match_pair(&rule, cni_balancer_set(family, BALANCER_SELF)->name, family);
                else
                        cni_rule_match_cidr(&rule, RULE_SOURCE, &rules->pod_cidrs[i], true);
                cni_rule_match_translated(&rule);
                cni_rule_masquerade(&rule, true);
                r = cni_rule_put(&rule, netlink);
        }
        return r;
}

/* TCP by a reset: of ICMP's answers the kernel sends a few a second. */
static int put_refused(const struct balancer_rules *rules, struct netlink *netlink, const char *chain) {
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(families) && r == 0; i++)
                for (int reset = 1; reset >= 0 && r == 0; reset--) {
                        struct rule rule = cni_rule_begin(rules->table, chain);

                        cni_rule_match_new(&rule);
                        cni_rule_match_family(&rule, families[i].family);
                        if (reset)
                                cni_rule_match_protocol(&rule, IPPROTO_TCP);
                        cni_rule_match_address(&rule, RULE_DESTINATION, families[i].sets[BALANCER_ADDRESS].name,
                                               families[i].family, true);
                        cni_rule_reject(&rule, reset);
                        r = cni_rule_put(&rule, netlink);
                }
        return r;
}

int cni_balancer_rules_put(const struct balancer_rules *rules, struct netlink *netlink, bool anew) {
        int r;

        cni_nft_put_table(netlink, rules->table);
        if (anew) {
                cni_nft_put_delete_table(netlink, rules->table);
                cni_nft_put_table(netlink, rules->table);
        }
        for (size_t i = 0; i < ELEMENTS(families); i++)
                for (size_t k = 0; k < ELEMENTS(families[i].sets); k++)
                        cni_nft_put_set(netlink, rules->table, &families[i].sets[k]);
        for (size_t i = 0; i < ELEMENTS(chains); i++) {
                cni_nft_put_chain(netlink, rules->table, &chains[i]);
                cni_nft_put_flush_chain(netlink, rules->table, chains[i].name);
        }
        if ((r = put_services(rules, netlink)) < 0 || (r = put_hairpin(rules, netlink)) < 0 ||
            (r = put_refused(rules, netlink, "refused_forward")) < 0)
                return r;
        return put_refused(rules, netlink, "refused_output");
}

int cni_balancer_put_chain(const struct balancer_rules *rules, struct netlink *netlink,
                           const struct balancer_choice *choice) {
        char name[BALANCER_CHAIN_MAX];
        const struct nft_chain chain = { .name = name };

        cni_balancer_chain(choice, name);
        cni_nft_put_chain(netlink, rules->table, &chain);
        cni_nft_put_flush_chain(netlink, rules->table, name);
        return put_choice(rules, netlink, name, choice);
}

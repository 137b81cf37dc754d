#include "cni/firewall_rules.h"

#include <errno.h>
#include <stdlib.h>
/* Before the kernel's headers, which then leave its types out. */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "cni/nft_set.h"
#include "cni/peers.h"
#include "cni/ranges.h"
#include "cni/rule.h"
#include "lib/cleanup.h"

static const struct nft_ports sets[2][FIREWALL_SETS] = {
        { { "ports4", AF_INET, false, true },
          { "address_ports4", AF_INET, true, true },
          { "targets4", AF_INET, true, false } },
        { { "ports6", AF_INET6, false, true },
          { "address_ports6", AF_INET6, true, true },
          { "targets6", AF_INET6, true, false } },
};

static const struct nft_set inside[2] = {
        { .name = "inside4", .key = { NFT_IPV4 }, .intervals = true },
        { .name = "inside6", .key = { NFT_IPV6 }, .intervals = true },
};

static const struct nft_chain chains[] = {
        { "host_ports", NULL, 0, 0 },
        { "guard", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW },
        { "prerouting", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST },
        { "output", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST },
        { "postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC },
};

static const struct ip_cidr loopback4 = { .ip = { AF_INET, { 127 } }, .prefix = 8 };
static const struct ip_cidr loopback6 = { .ip = { AF_INET6, { [15] = 1 } }, .prefix = 128 };
static const struct ip_cidr multicast4 = { .ip = { AF_INET, { 224 } }, .prefix = 4 };
static const struct ip_cidr multicast6 = { .ip = { AF_INET6, { 0xff } }, .prefix = 8 };

const struct nft_ports *cni_firewall_set(uint8_t family, enum cni_firewall_set which) {
        return &sets[family == AF_INET6][which];
}

static struct rule begin(const struct firewall_rules *rules, const char *chain) {
        return cni_rule_begin(rules->table, chain);
}

static int put_guard(const struct firewall_rules *rules, struct netlink *netlink) {
        int r = 0;

        for (enum rule_side side = RULE_SOURCE; side <= RULE_DESTINATION && r == 0; side++) {
                struct rule rule = begin(rules, "guard");

                cni_rule_match_input(&rule, rules->bridge);
                cni_rule_match_family(&rule, AF_INET);
                cni_rule_match_cidr(&rule, side, &loopback4, true);
                cni_rule_drop(&rule);
                r = cni_rule_put(&rule, netlink);
        }
        return r;
}

/* One address before any address: the exact mapping wins. */
static int put_translations(const struct firewall_rules *rules, struct netlink *netlink) {
        static const struct {
                uint8_t family;
                enum cni_firewall_set set;
        } order[] = {
                { AF_INET, FIREWALL_ADDRESS },
                { AF_INET, FIREWALL_ANY },
                { AF_INET6, FIREWALL_ADDRESS },
                { AF_INET6, FIREWALL_ANY },
        };
        static const char *const entries[] = { "prerouting", "output" };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(order) && r == 0; i++) {
                struct rule rule = begin(rules, "host_ports");

                cni_rule_match_family(&rule, order[i].family);
                /* From ::1 no packet comes back: refused at once is better, as clients then try 127.0.0.1. */
                if (order[i].family == AF_INET6)
                        cni_rule_match_cidr(&rule, RULE_DESTINATION, &loopback6, false);
                cni_rule_translate_port(&rule, cni_firewall_set(order[i].family, order[i].set)->name, order[i].family,
                                        order[i].set == FIREWALL_ADDRESS);
                r = cni_rule_put(&rule, netlink);
        }
        for (size_t i = 0; i < ELEMENTS(entries) && r == 0; i++) {
                struct rule rule = begin(rules, entries[i]);

                cni_rule_match_local_destination(&rule);
                cni_rule_jump(&rule, "host_ports");
                r = cni_rule_put(&rule, netlink);
        }
        return r;
}

/* Through a host port from the bridge or the loopback: answers must come back to be translated. */
static int put_hairpin(const struct firewall_rules *rules, struct netlink *netlink, const struct ip_cidr *source) {
        uint8_t family = source->ip.family;
        struct rule rule = begin(rules, "postrouting");

        cni_rule_match_output(&rule, rules->bridge, true);
        cni_rule_match_family(&rule, family);
        cni_rule_match_cidr(&rule, RULE_SOURCE, source, true);
        cni_rule_match_translated(&rule);
        cni_rule_match_port(&rule, cni_firewall_set(family, FIREWALL_TARGETS)->name, family);
        cni_rule_masquerade(&rule, false);
        return cni_rule_put(&rule, netlink);
}

static int put_masquerade(const struct firewall_rules *rules, struct netlink *netlink, const struct ip_cidr *cidr) {
        uint8_t family = cidr->ip.family;
        struct rule rule = begin(rules, "postrouting");

        cni_rule_match_output(&rule, rules->bridge, false);
        cni_rule_match_family(&rule, family);
        cni_rule_match_cidr(&rule, RULE_SOURCE, cidr, true);
        cni_rule_match_cidr(&rule, RULE_DESTINATION, cidr, false);
        cni_rule_match_cidr(&rule, RULE_DESTINATION, family == AF_INET ? &multicast4 : &multicast6, false);
        cni_rule_match_address(&rule, RULE_DESTINATION, inside[family == AF_INET6].name, family, false);
        cni_rule_masquerade(&rule, true);
        return cni_rule_put(&rule, netlink);
}

/* What the node itself sends to pods by a tunnel, as where it chose its address it did not know the way (a Service's
 * address): the answer must find back by the tunnel. */
static int put_tunnel(const struct firewall_rules *rules, struct netlink *netlink, const struct ip_cidr *cidr) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(families) && r == 0; i++) {
                struct rule rule = begin(rules, "postrouting");
                char device[IFNAMSIZ];

                cni_peers_device(rules->bridge, families[i], device);
                cni_rule_match_output(&rule, device, true);
                cni_rule_match_family(&rule, cidr->ip.family);
                cni_rule_match_cidr(&rule, RULE_SOURCE, cidr, false);
                cni_rule_masquerade(&rule, true);
                r = cni_rule_put(&rule, netlink);
        }
        return r;
}

static int put_rules_of(const struct firewall_rules *rules, struct netlink *netlink, const struct ip_cidr *cidr) {
        int r;

        if ((cidr->ip.family == AF_INET && (r = put_hairpin(rules, netlink, &loopback4)) < 0) ||
            (r = put_hairpin(rules, netlink, cidr)) < 0 || (r = put_tunnel(rules, netlink, cidr)) < 0)
                return r;
        return rules->masquerade ? put_masquerade(rules, netlink, cidr) : 0;
}

static int put_all_rules(const struct firewall_rules *rules, struct netlink *netlink) {
        int r = put_guard(rules, netlink);

        if (r < 0 || (r = put_translations(rules, netlink)) < 0)
                return r;
        for (size_t i = 0; i < rules->n_pod_cidrs; i++)
                if ((r = put_rules_of(rules, netlink, &rules->pod_cidrs[i])) < 0)
                        return r;
        return 0;
}

static void put_range(struct nft_elements *elements, const struct range *range) {
        struct nft_element first = { 0 }, past = { .ends = true };

        cni_nft_add_ip(&first.key, &range->first);
        cni_nft_elements_put(elements, &first);
        if (range->open)
                return;
        cni_nft_add_ip(&past.key, &range->past);
        cni_nft_elements_put(elements, &past);
}

int cni_firewall_put_inside(const struct firewall_rules *rules, struct netlink *netlink, bool flush) {
        _cleanup_free_ struct range *ranges = calloc(rules->n_inside + 1, sizeof(*ranges));

        if (!ranges)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTS(inside); i++) {
                struct nft_elements elements = {
                        .netlink = netlink, .table = rules->table, .set = &inside[i], .add = true
                };
                size_t n = cni_ranges_make(i == 0 ? AF_INET : AF_INET6, rules->inside, rules->n_inside, ranges);

                if (flush)
                        cni_nft_put_flush(netlink, rules->table, &inside[i]);
                cni_nft_elements_begin(&elements);
                for (size_t k = 0; k < n; k++)
                        put_range(&elements, &ranges[k]);
                cni_nft_elements_end(&elements);
        }
        return 0;
}

int cni_firewall_rules_put(const struct firewall_rules *rules, struct netlink *netlink) {
        int r;

        cni_nft_put_table(netlink, rules->table);
        cni_nft_put_delete_table(netlink, rules->table);
        cni_nft_put_table(netlink, rules->table);
        for (int family = 0; family < 2; family++)
                for (int which = 0; which < FIREWALL_SETS; which++)
                        cni_nft_put_ports(netlink, rules->table, &sets[family][which]);
        for (size_t i = 0; i < ELEMENTS(inside); i++)
                cni_nft_put_set(netlink, rules->table, &inside[i]);
        for (size_t i = 0; i < ELEMENTS(chains); i++)
                cni_nft_put_chain(netlink, rules->table, &chains[i]);
        r = cni_firewall_put_inside(rules, netlink, false);
        return r < 0 ? r : put_all_rules(rules, netlink);
}

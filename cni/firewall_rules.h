/* The rules of a bridge's nftables table, all but the host ports themselves; see cni/firewall.h. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cni/nft.h"
#include "lib/ip.h"

/* Destinations that are not masqueraded, at most. */
#define FIREWALL_EXEMPT_MAX 64

struct firewall_rules {
        char table[sizeof("nacelle_") + IFNAMSIZ];
        char bridge[IFNAMSIZ];
        struct ip_cidr pod_cidrs[2];
        size_t n_pod_cidrs;
        struct ip_cidr exempt[FIREWALL_EXEMPT_MAX];
        size_t n_exempt;
        bool masquerade;
};

/* The table's sets of a family: host ports of any address, of one address, and the pods' own ends of them. */
enum cni_firewall_set { FIREWALL_ANY, FIREWALL_ADDRESS, FIREWALL_TARGETS, FIREWALL_SETS };

const struct nft_ports *cni_firewall_set(uint8_t family, enum cni_firewall_set which);

/* Appends the table anew to @netlink's transaction: without the old one, with sets, chains and rules. -ENOMEM. */
int cni_firewall_rules_put(const struct firewall_rules *rules, struct netlink *netlink);

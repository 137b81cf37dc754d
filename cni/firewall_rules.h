/* The rules of a bridge's nftables table, all but the host ports themselves; see cni/firewall.h. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cni/nft.h"
#include "lib/ip.h"

/* Destinations that are not masqueraded, at most: those of a cluster's nodes. */
#define FIREWALL_INSIDE_MAX 32768

struct firewall_rules {
        char table[sizeof("nacelle_") + IFNAMSIZ];
        char bridge[IFNAMSIZ];
        struct ip_cidr pod_cidrs[2];
        size_t n_pod_cidrs;
        struct ip_cidr *inside; /* destinations that see the pod's own address */
        size_t n_inside;
        bool masquerade;
};

/* The table's sets of a family: host ports of any address, of one address, and the pods' own ends of them. */
enum cni_firewall_set { FIREWALL_ANY, FIREWALL_ADDRESS, FIREWALL_TARGETS, FIREWALL_SETS };

const struct nft_ports *cni_firewall_set(uint8_t family, enum cni_firewall_set which);

/* Appends what the set of rules->inside holds to @netlink's transaction; with @flush in place of what it held. -ENOMEM.
 */
int cni_firewall_put_inside(const struct firewall_rules *rules, struct netlink *netlink, bool flush);

/* Appends the table anew to @netlink's transaction: without the old one, with sets, chains and rules. -ENOMEM. */
int cni_firewall_rules_put(const struct firewall_rules *rules, struct netlink *netlink);

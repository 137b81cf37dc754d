/* The sets, chains and rules of the table of services; see cni/balancer.h. */
#pragma once

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "cni/balancer.h"
#include "cni/nft_set.h"
#include "cni/rule.h"

#define BALANCER_TABLE_MAX (sizeof("nacelle_services_") + IFNAMSIZ)

struct balancer_rules {
        char table[BALANCER_TABLE_MAX];
        char bridge[IFNAMSIZ];
        struct ip_cidr pod_cidrs[2];
        size_t n_pod_cidrs;
};

void cni_balancer_table(const char *bridge, char ret_table[BALANCER_TABLE_MAX]);

/* The set that changes of @kind are elements of. */
const struct nft_set *cni_balancer_set(uint8_t family, enum balancer_kind kind);

/* One of @n. */
struct balancer_choice {
        uint8_t family;
        uint32_t n;
};

#define BALANCER_CHAIN_MAX 24

/* The name of the chain that makes it; and what makes the chain of this name, or -EINVAL. */
void cni_balancer_chain(const struct balancer_choice *choice, char ret_name[BALANCER_CHAIN_MAX]);
int cni_balancer_choice_of(const char *name, uint8_t family, struct balancer_choice *ret_choice);

/* Appends the table, its sets, chains and rules to @netlink's transaction: where there is one already its rules are put
 * anew, and its elements stay, or, with @anew, nothing of it. -ENOMEM. */
int cni_balancer_rules_put(const struct balancer_rules *rules, struct netlink *netlink, bool anew);

/* Appends the chain that makes @choice, which may be there. -ENOMEM. */
int cni_balancer_put_chain(const struct balancer_rules *rules, struct netlink *netlink,
                           const struct balancer_choice *choice);

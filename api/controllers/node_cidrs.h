/* Pods' addresses, node by node: a cluster's range cut into blocks of one size, and how many hold each of them. A block
 * that has been given back is given out again last. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/ip.h"

struct err;

/* A range has 2 to the power of so many blocks at most, as kube-controller-manager's. */
#define NODE_CIDRS_BITS_MAX 16

struct node_cidrs {
        struct ip_cidr range;
        uint8_t prefix; /* of a block */
        uint32_t n, next;
        uint16_t *holders; /* of each block; a count that is full stays so */
};

/* Whether @range can be cut into blocks of @prefix: 0, or -EINVAL with what is wrong. */
int node_cidrs_check(const struct ip_cidr *range, unsigned prefix, struct err **err);

/* None is held. @range and @prefix were checked. 0 or -ENOMEM. */
int node_cidrs_init(struct node_cidrs *cidrs, const struct ip_cidr *range, uint8_t prefix);
void node_cidrs_done(struct node_cidrs *cidrs); /* zeroed is fine */

/* The next block that nobody holds, which is held from now on. False: there is none. */
bool node_cidrs_take(struct node_cidrs *cidrs, struct ip_cidr *ret_block);

/* Holds, and gives back, all blocks that meet @cidr, which may be larger or smaller than a block, or elsewhere. */
void node_cidrs_hold(struct node_cidrs *cidrs, const struct ip_cidr *cidr);
void node_cidrs_release(struct node_cidrs *cidrs, const struct ip_cidr *cidr);

/* Whether they have an address in common. */
bool node_cidrs_meet(const struct ip_cidr *a, const struct ip_cidr *b);

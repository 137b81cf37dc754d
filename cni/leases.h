/* Which sandbox has which addresses: one of each pod CIDR. Thread-safe; memory only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/ip.h"

struct err;
struct leases;

/* An address of each family at most. */
#define LEASES_CIDRS_MAX 2

struct lease {
        struct ip_cidr addresses[LEASES_CIDRS_MAX]; /* with the pod CIDR's prefix; in the order of the CIDRs */
        struct ip gateways[LEASES_CIDRS_MAX];
        size_t n;
};

/* Pools over @cidrs of up to @limit addresses each. -EINVAL: none, too many, two of one family, or too small. */
int cni_leases_new(const struct ip_cidr *cidrs, size_t n_cidrs, uint32_t limit, struct leases **ret_leases,
                   struct err **err);

void cni_leases_free(struct leases *leases);

/* The bridge's own addresses. */
void cni_leases_gateways(const struct leases *leases, struct lease *ret_gateways);

/* Takes an address of each CIDR for @id. -EEXIST: it has some; -ENOSPC: a CIDR is exhausted. */
int cni_leases_take(struct leases *leases, const char *id, struct lease *ret_lease, struct err **err);

/* Notes that @id has @ips already. Goes on after a failure and returns the first: -EADDRINUSE names the holder,
 * -ERANGE: in no CIDR. */
int cni_leases_mark(struct leases *leases, const char *id, const struct ip *ips, size_t n_ips, struct err **err);

/* Gives @id's addresses back; nothing when it has none. */
void cni_leases_give(struct leases *leases, const char *id);

/* Gives back the addresses of every sandbox that @keep refuses. */
void cni_leases_retain(struct leases *leases, bool (*keep)(const char *id, const void *data), const void *data);

/* Marks in @leases what @others' holders have of its CIDRs. */
void cni_leases_inherit(struct leases *leases, struct leases *others);

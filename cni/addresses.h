/* The addresses of one pod CIDR: which are in use, and which comes next.
 *
 * Kept in memory only, rebuilt from the live sandboxes after a start. Addresses are given out in ascending order,
 * starting after the last one given, so a freed address comes back as late as it can. Not thread-safe.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/ip.h"

struct err;
struct addresses;

/* A pool over @cidr. Its first address (network, subnet-router anycast), the second (the bridge's own, a pod's
 * gateway), IPv4's last (broadcast) and those past @limit are never given out. -EINVAL: fewer than one is left. */
int cni_addresses_new(const struct ip_cidr *cidr, uint32_t limit, struct addresses **ret_addresses, struct err **err);

void cni_addresses_free(struct addresses *addresses);

/* The CIDR, its host bits cleared. */
struct ip_cidr cni_addresses_cidr(const struct addresses *addresses);

/* The bridge's own address with the CIDR's prefix. */
struct ip_cidr cni_addresses_gateway(const struct addresses *addresses);

/* Takes the next free address. -ENOSPC with CIDR and count. */
int cni_addresses_take(struct addresses *addresses, struct ip *ret_ip, struct err **err);

/* Takes exactly @ip. -EADDRINUSE: taken already; -ERANGE: not one that is given out. */
int cni_addresses_mark(struct addresses *addresses, const struct ip *ip, struct err **err);

/* Gives @ip back; one that is not taken is left alone. */
void cni_addresses_give(struct addresses *addresses, const struct ip *ip);

uint32_t cni_addresses_used(const struct addresses *addresses);

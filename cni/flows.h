/* UDP flows that connection tracking still leads to where they went when they began. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/ip.h"

struct netlink;

/* What was sent to @to:@port and is answered by @answers. */
struct flow {
        struct ip to, answers;
        uint16_t port;
};

/* Forgets those of @flows that there are, by one look at all UDP flows; @flows is put in order. Best effort. @netlink
 * is of NETLINK_NETFILTER; it is closed when the answer could not be read to its end. */
void cni_flows_forget(struct netlink *netlink, struct flow *flows, size_t n);

/* Forgets all to @addresses that are answered by none of @flows: what was to be forgotten by somebody who was killed,
 * or while nobody was there. Both are put in order. The same. */
void cni_flows_forget_others(struct netlink *netlink, struct ip *addresses, size_t n_addresses, struct flow *flows,
                             size_t n);

/* Drops the tracked UDP flows to @port, whatever address: else a client that keeps sending from one port is led to the
 * old pod, or past the new one, for as long as it sends. The same. */
void cni_flows_forget_port(struct netlink *netlink, uint8_t family, uint16_t port);

/* Host ports as the node's own sockets and connection tracking see them. */
#pragma once

#include <stdint.h>

#include "lib/ip.h"

struct err;
struct netlink;

/* "tcp", "udp", "sctp", or "?". */
const char *cni_host_port_protocol(uint8_t protocol);

/* Whether a process of the host has @ip:@port (an unspecified address of its family: any) for itself: -EADDRINUSE
 * with a text. What cannot be tried, such as an address the node does not have, counts as free. */
int cni_host_port_probe(uint8_t protocol, const struct ip *ip, uint16_t port, struct err **err);

/* Drops the tracked UDP flows to @port: else a client that keeps sending from one port is led to the old pod, or
 * past the new one, for as long as it sends. Best effort. @netlink is of
 * NETLINK_NETFILTER; it is closed when the answer could not be read to its end. */
void cni_host_port_forget_flows(struct netlink *netlink, uint8_t family, uint16_t port);

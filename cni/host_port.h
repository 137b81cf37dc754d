/* Host ports as the node's own sockets see them. */
#pragma once

#include <stdint.h>

#include "lib/ip.h"

struct err;

/* "tcp", "udp", "sctp", or "?". */
const char *cni_host_port_protocol(uint8_t protocol);

/* Whether a process of the host has @ip:@port (an unspecified address of its family: any) for itself: -EADDRINUSE
 * with a text. What cannot be tried, such as an address the node does not have, counts as free. */
int cni_host_port_probe(uint8_t protocol, const struct ip *ip, uint16_t port, struct err **err);

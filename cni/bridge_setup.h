/* The host's side of the built-in network: the bridge interface and the kernel's settings for it. */
#pragma once

#include <stdint.h>

#include "cni/leases.h"

struct err;

/* The MTU of the interface with the default route, else 1500. */
uint32_t cni_bridge_uplink_mtu(void);

/* Creates or completes the bridge @name with the addresses @gateways, and sets forwarding. -EEXIST: another kind of
 * interface has the name. */
int cni_bridge_setup(const char *name, uint32_t mtu, const struct lease *gateways, struct err **err);

/* The hardware address that goes with @ip. */
void cni_bridge_mac(const struct ip *ip, uint8_t ret_mac[6]);

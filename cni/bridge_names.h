/* Names of the built-in network's interfaces, derived from the bridge's name and a sandbox's id. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

enum bridge_device { BRIDGE_VETH, BRIDGE_IFB, BRIDGE_TUNNEL };

/* "nv", "ni" or "nt", 4 characters of the bridge, 9 of the sandbox: 20 and 45 bits of a hash. */
void cni_bridge_device_name(const char *bridge, const char *id, enum bridge_device device, char ret_name[IFNAMSIZ]);

/* The veth of the sandbox whose device, as cni_bridge_device_name() makes them, is @name. */
void cni_bridge_veth_of(const char *name, char ret_veth[IFNAMSIZ]);

/* Whether @name is that of a device of @bridge, of any sandbox. */
bool cni_bridge_owns_device(const char *bridge, const char *name);

/* An interface group of @bridge's own. */
uint32_t cni_bridge_group(const char *bridge);

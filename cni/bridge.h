/* The built-in network: a bridge, a veth pair for each sandbox, addresses, host ports, bandwidth limits.
 *
 * Interfaces are named by what they belong to: "nv" (veth), "ni" (ifb), then a hash of the bridge's name and one of
 * the sandbox's id, so that both a detach and a sweep need nothing but ids. A pod's hardware address is 0a:58 and
 * its IPv4 address: who has an address later has its hardware address too, and no neighbour's cache is wrong.
 *
 * The contracts are those of cni/network.h, whose functions pass through to these.
 */
#pragma once

#include "cni/network.h"

struct bridge;

int cni_bridge_new(const struct network_options *options, struct bridge **ret_bridge, struct err **err);

/* Waits for what is being removed. NULL is fine. */
void cni_bridge_free(struct bridge *bridge);

/* Makes interface, sysctls and rules as they should be, where they are not. */
int cni_bridge_ensure(struct bridge *bridge, struct err **err);

/* Whether the interface is there: left by an earlier run, or made by cni_bridge_ensure(). */
bool cni_bridge_present(const struct bridge *bridge);

/* As network_bridge_used(). */
bool cni_bridge_used(const char *name);

int cni_bridge_adopt(struct bridge *bridge, const char *id, const struct ip *addresses, size_t n_addresses,
                     struct err **err);
int cni_bridge_retain(struct bridge *bridge, bool (*keep)(const char *id, const void *data), const void *data,
                      const char *const *ids, size_t n_ids, struct err **err);
int cni_bridge_attach(struct bridge *bridge, const struct network_request *request, struct network_result *ret_result,
                      struct err **err);
int cni_bridge_detach(struct bridge *bridge, const char *id, struct err **err);
int cni_bridge_check(struct bridge *bridge, const char *id, struct err **err);

/* 0 when interface and rules are there, else puts them back. */
int cni_bridge_status(struct bridge *bridge, struct err **err);

/* Takes over the addresses that pods have by @other, which has the same name. */
void cni_bridge_inherit(struct bridge *bridge, struct bridge *other);

/* As network_set_peers(). */
int cni_bridge_set_peers(struct bridge *bridge, const struct network_cluster *cluster, struct err **err);

/* Whether these are its pod CIDRs. */
bool cni_bridge_has_cidrs(const struct bridge *bridge, const struct ip_cidr *cidrs, size_t n);

const char *cni_bridge_name(const struct bridge *bridge);

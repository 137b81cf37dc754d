/* The bridge's nftables table `nacelle_BRIDGE`: host ports and masquerading.
 *
 *   host_ports   dnat by maps: [address .] protocol . port → pod's address . port; entered from prerouting and,
 *                for the host itself, from output, for destinations that are the node's own
 *   postrouting  masquerade of what leaves for elsewhere: not for other pods, nor for what else of the cluster is
 *                `inside`; and of what reaches a pod through its host port from the
 *                bridge or from the host's loopback, whose answers would otherwise not come back this way
 *   guard        drops what pods send from or to 127.0.0.0/8: route_localnet, which a host port on 127.0.0.1 needs,
 *                would let them reach services bound to the node's loopback
 *
 * Each element carries its sandbox's id as its comment, so that after a crash the kernel itself says whose it is.
 * Thread-safe. A host port is not held open by a socket: the rules come before any socket is looked at, and a
 * socket would not outlive the agent; that no process of the host listens there is probed once when it is added.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cni/network.h"
#include "lib/ip.h"

struct err;
struct firewall;

struct firewall_options {
        const char *bridge;
        const struct ip_cidr *pod_cidrs; /* at most one a family */
        size_t n_pod_cidrs;
        const struct ip_cidr *no_masquerade;
        size_t n_no_masquerade;
        bool masquerade;
};

/* Copies the options; touches nothing. -EINVAL: more than FIREWALL_INSIDE_MAX (cni/firewall_rules.h) no_masquerade. */
int cni_firewall_new(const struct firewall_options *options, struct firewall **ret_firewall, struct err **err);

void cni_firewall_free(struct firewall *firewall);

/* Takes up the host ports that the kernel holds and puts the table as it should be, in one transaction. Also to be
 * called when the table was lost. */
int cni_firewall_install(struct firewall *firewall, struct err **err);

/* From now on these are the destinations that are not masqueraded, in place of no_masquerade. */
int cni_firewall_set_inside(struct firewall *firewall, const struct ip_cidr *cidrs, size_t n, struct err **err);

/* 0 when the table is there. */
int cni_firewall_check(struct firewall *firewall, struct err **err);

/* The host ports of a sandbox, and the addresses that they lead to. */
struct firewall_ports {
        const char *id;
        const struct ip *ips;
        size_t n_ips;
        const struct network_port *ports;
        size_t n_ports;
};

/* All or nothing. -EADDRINUSE names port and holder. */
int cni_firewall_add(struct firewall *firewall, const struct firewall_ports *ports, struct err **err);

/* Removes the host ports of @id. 0 also when it has none. */
int cni_firewall_remove(struct firewall *firewall, const char *id, struct err **err);

/* Removes the host ports of every sandbox that @keep refuses. */
int cni_firewall_retain(struct firewall *firewall, bool (*keep)(const char *id, const void *data), const void *data,
                        struct err **err);

/* The ways to other nodes' pods: for each of their networks a route, and, where no link is shared with the node, a
 * tunnel.
 *
 *   direct   via the node's address, where that is reached without a gateway; of the network's family
 *   tunnel   VXLAN (RFC 7348) over UDP to the node's address, of either family. One device for each family that
 * carries; PEERS_PORT is Linux' own and flannel's, PEERS_ID ours, so that devices of others can use the port beside it.
 *            An end's hardware address is a hash of its node's name: who knows a node's name and address knows all
 *            that is needed, and nothing is learnt or flooded. The network's first address stands for the end.
 *
 * What is there is read from the kernel each time: nothing is remembered, and what someone changed is put back. Not for
 * two threads at once.
 */
#pragma once

#include <net/if.h>
#include <stdint.h>

#include "cni/network.h"
#include "lib/ip.h"

#define PEERS_PORT 8472
#define PEERS_ID 0x6e6163 /* "nac" */

/* What VXLAN puts around a packet: two Ethernet or IP headers, UDP's and its own. */
#define PEERS_OVERHEAD4 50
#define PEERS_OVERHEAD6 70

/* Networks larger than these are no node's. */
#define PEERS_PREFIX4_MIN 8
#define PEERS_PREFIX6_MIN 16

struct err;

struct peers_host {
        const char *bridge;
        const struct ip_cidr *pod_cidrs; /* of this node */
        size_t n_pod_cidrs;
};

/* The destinations inside the cluster that see a pod's own address. */
struct peers_inside {
        struct ip_cidr *cidrs;
        size_t n;
};
void cni_peers_inside_done(struct peers_inside *inside);

/* Brings routes and tunnels to what @cluster needs. Goes on after a failure and returns the first; @ret_inside is for
 * cni_peers_inside_done() and holds what there is in any case. */
int cni_peers_set(const struct peers_host *host, const struct network_cluster *cluster, struct peers_inside *ret_inside,
                  struct err **err);

/* The name of the tunnel's device that @family carries. */
void cni_peers_device(const char *bridge, uint8_t family, char ret_name[IFNAMSIZ]);

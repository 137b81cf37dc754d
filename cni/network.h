/* The pods' network: attaches a sandbox's network namespace and takes it away again.
 *
 * Built in: a bridge per agent, a veth pair per sandbox, addresses from the node's pod CIDRs, host ports and
 * masquerading in one nftables table `nacelle_BRIDGE`, bandwidth limits as tc. Where the directory of CNI
 * configurations holds one, plugins do it instead (cni/conflist.h); callers do not see the difference.
 *
 * Nothing about addresses is written to disk: the caller's records of live sandboxes are the truth, and what
 * the kernel holds is found again by name (interfaces derive from bridge and sandbox id; rules carry the id).
 * After a start: network_open(), network_adopt() for each live sandbox, then network_sweep().
 *
 * All functions block (netlink; plugins up to their timeout): call them on the pool. They may run at the same
 * time on different sandboxes; calls on one sandbox are the caller's to order.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ip.h"

struct err;

#define NETWORK_BRIDGE_DEFAULT "nacelle0"
/* Addresses of a sandbox (one a family when built in) and its host ports. */
#define NETWORK_ADDRESSES_MAX 8
#define NETWORK_PORTS_MAX 1024
/* A sandbox's id: [A-Za-z0-9][A-Za-z0-9_.-]* up to this many bytes with its NUL. */
#define NETWORK_ID_MAX 128
/* Addresses used of each pod CIDR; a larger block's later ones stay unused. */
#define NETWORK_POOL_MAX 65536

/* How long a CNI plugin may take. */
#define NETWORK_PLUGIN_TIMEOUT_MS 60000

struct network;

struct network_options {
        const char *bridge; /* at most 15 bytes; NULL: NETWORK_BRIDGE_DEFAULT. Also tells agents on one host apart */
        /* At most one a family; the first's address is a pod's primary one. None: only plugins can attach. */
        const struct ip_cidr *pod_cidrs;
        size_t n_pod_cidrs;
        const struct ip_cidr *no_masquerade; /* destinations that see the pod's own address, until
                                                network_set_peers() knows them */
        size_t n_no_masquerade;
        bool masquerade;      /* hide pods behind the node for destinations outside pod_cidrs and no_masquerade */
        uint32_t mtu;         /* 0: that of the interface with the default route, else 1500 */
        const char *conf_dir; /* CNI configurations, usually /etc/cni/net.d; NULL: never plugins */
        const char *const *bin_dirs; /* NULL-ended; NULL: /opt/cni/bin, /usr/lib/cni */
        const char *cache_dir;       /* results of plugins, kept for DEL; created. Needed with conf_dir */
        int plugin_timeout_ms;       /* for each call of a plugin; 0: NETWORK_PLUGIN_TIMEOUT_MS */
        bool conf_dir_shared;        /* with other agents: no GC, which would take their pods for garbage */
};

struct network_port {
        uint8_t protocol;   /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
        uint16_t host_port; /* 0: the entry is left out */
        uint16_t container_port;
        struct ip host_ip; /* family 0, 0.0.0.0 or ::: every address of the node */
};

struct network_request {
        const char *id;
        const char *netns;                              /* path of the pinned namespace */
        const char *pod_namespace, *pod_name, *pod_uid; /* for plugins (CNI_ARGS) */
        const struct network_port *ports;
        size_t n_ports;
        uint64_t ingress_bits, egress_bits; /* bits a second to and from the pod; 0: no limit */
        const char *const *ips;             /* that plugins are to give it, as "10.1.2.3/24"; NULL-ended or NULL */
        const char *mac;                    /* the same; NULL: any */
        const char *const *dns_servers, *const *dns_searches, *const *dns_options; /* for plugins; NULL-ended or NULL */
};

struct network_address {
        struct ip_cidr address; /* as on the interface */
        struct ip gateway;      /* family 0: none */
};

struct network_result {
        struct network_address addresses[NETWORK_ADDRESSES_MAX]; /* the first is the primary one */
        size_t n_addresses;
        char interface[IFNAMSIZ];      /* in the pod: eth0 */
        char host_interface[IFNAMSIZ]; /* the veth's other end; "" when plugins made none */
        uint8_t mac[6];
        uint32_t mtu;
};

/* Makes or takes up bridge, table and sysctls. What the node refuses (no CAP_NET_ADMIN, nftables missing) is no
 * failure here: network_status() says it, and each attach tries again. Returns 0, -EINVAL (options), -ENOMEM. */
int network_open(const struct network_options *options, struct network **ret_network, struct err **err);

/* Whether pods are attached to the bridge of this name, whoever's they are. */
bool network_bridge_used(const char *bridge);

/* --- as one node of a cluster --- */

#define NETWORK_PEERS_MAX 5000

/* Another node: its name, its pods' networks, and the addresses at which it is reached, one a family. */
struct network_peer {
        const char *name;
        struct ip_cidr cidrs[2];
        struct ip addresses[2];
        size_t n_cidrs, n_addresses;
};

struct network_cluster {
        const char *node; /* this one's name */
        const struct network_peer *peers;
        size_t n_peers;
};

/* From now on pods get addresses of these CIDRs; those that are there keep theirs. Nothing happens where they are the
 * same. As network_open(), and -EINVAL. */
int network_set_cidrs(struct network *network, const struct ip_cidr *cidrs, size_t n, struct err **err);

/* Makes the ways to the pods of all these nodes, and no others (cni/peers.h); where a way depends on this host's own
 * addresses and routes it is found anew by each call. Without pod CIDRs there is nothing to do. Goes on after a
 * failure and returns the first. -E2BIG: more than NETWORK_PEERS_MAX. */
int network_set_peers(struct network *network, const struct network_cluster *cluster, struct err **err);

/* Removes what a cluster has left in the kernel for the bridge of this name: routes, tunnels, services. Best effort. */
void network_leave(const char *bridge);

/* Frees the memory; pods keep their network. NULL is fine. */
void network_free(struct network *network);

/* Marks @addresses as those of the live sandbox @id. -EADDRINUSE (names the holder) and -ERANGE (outside the pod
 * CIDRs) are worth a warning: the sandbox's network works on, its address is not protected from a second use. */
int network_adopt(struct network *network, const char *id, const struct ip *addresses, size_t n_addresses,
                  struct err **err);

/* Removes interfaces, rules, addresses and cached plugin results of sandboxes that are not in @ids, which must
 * hold those being attached too. Goes on after a failure and returns the first. */
int network_sweep(struct network *network, const char *const *ids, size_t n_ids, struct err **err);

/* Attaches eth0 and brings up lo in the namespace. All or nothing: on failure nothing is left.
 * -ENOSPC: CIDR exhausted; -EADDRINUSE: a host port is taken, *@err names port and holder; -EEXIST: attached
 * already; -ENOENT, -EINVAL: the namespace; else what the kernel or the plugin said. */
int network_attach(struct network *network, const struct network_request *request, struct network_result *ret_result,
                   struct err **err);

/* Takes all of the sandbox's network away. @netns (for plugins) may be NULL or gone. Returns 0 also when there was
 * nothing; otherwise what is left is tried again by the next call or sweep. */
int network_detach(struct network *network, const char *id, const char *netns, struct err **err);

/* Whether the sandbox's network is still as attached: CNI CHECK; built in: its veth is a port of the bridge. */
int network_check(struct network *network, const char *id, const char *netns, struct err **err);

/* 0 when pods can be attached, else why not: CRI's NetworkReady. Puts back bridge and rules that someone removed. */
int network_status(struct network *network, struct err **err);

/* Reads conf_dir again, for a caller that watches it. Attach and status do so themselves when its time stamps changed.
 * A broken file is an error and the last good configuration stays. */
int network_reload(struct network *network, struct err **err);

/* "bridge nacelle0" or "CNI NAME", for `crictl info`. Valid until the next reload. */
const char *network_describe(const struct network *network);

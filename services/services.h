/* The node's part of the cluster's network: the addresses that its pods get, the ways to other nodes' pods, and the
 * addresses of Services.
 *
 * It watches Nodes, Services and EndpointSlices through the agent's client, keeps of them what it needs, and has cni/
 * bring the kernel to it, on the pool. What is in the kernel stays when it ends, and is taken up by the next: nothing
 * stands still meanwhile. This node's pod CIDRs and the other nodes are kept in DIRECTORY/network too, so that pods
 * have addresses, and reach those of other nodes, after a cold boot without the service.
 *
 * All functions are for the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "lib/ip.h"

struct client;
struct err;
struct network;
struct pool;
struct services;

#define SERVICES_CIDRS_MAX 2      /* one a family */
#define SERVICES_NODES_MAX 5000   /* that are known at a time; more are told of in the log and passed over */
#define SERVICES_MAX 20000        /* the same of Services, */
#define SERVICES_SLICES_MAX 50000 /* and of EndpointSlices */
/* Of one Service: ports, each of each of its addresses; and who is behind all of them together, where senders are kept
 * and where they are not. What it asks for beyond is left out, so that one cannot take what is there for all. */
#define SERVICES_PORTS_MAX 1024
#define SERVICES_BACKS_MAX 65536
#define SERVICES_KEPT_BACKS_MAX 2048
#define SERVICES_SHARE 1024          /* of these each Service has so many, whatever the others have; */
#define SERVICES_BEYOND_MAX 250000   /* beyond that all of them have so many */
#define SERVICES_GATHER_MS 5         /* changes that come within it are one */
#define SERVICES_MOVED_MS 50         /* until what the host's addresses and routes have become is looked at */
#define SERVICES_RETRY_MS 5000       /* until what the kernel has refused is tried again */
#define SERVICES_UNHEARD_MS 30000    /* until it is said that the service does not tell of Services */
#define SERVICES_FILE_MAX (2u << 20) /* bytes of DIRECTORY/network */

struct services_config {
        uv_loop_t *loop;
        struct pool *pool;
        struct client *client;
        struct network *network;
        const char *node, *bridge, *directory;
        bool fixed; /* the pod CIDRs were given by the user: the cluster's are not asked for */
        /* Whether pods can get a network may be another answer: services_unready(). */
        void (*ready_changed)(void *data);
        /* The host's addresses or routes are others. */
        void (*moved)(void *data);
        void *data;
};

struct services_cidrs {
        struct ip_cidr items[SERVICES_CIDRS_MAX];
        size_t n;
};

/* The pod CIDRs that the node had when it was last heard of; none is fine. */
void services_kept_cidrs(const char *directory, struct services_cidrs *ret_cidrs);

/* A node that is of no cluster: removes what one has left, in the kernel and in @directory. Best effort; blocks. */
void services_leave(const char *bridge, const char *directory);

/* @own: the pod CIDRs that the network has now. What @config points to outlives it. -ENOMEM, or what the kernel says.
 */
int services_new(const struct services_config *config, const struct services_cidrs *own, struct services **ret_services,
                 struct err **err);

/* Begins to watch. 0 or -ENOMEM. */
int services_start(struct services *services);

/* Why no pod can be attached, in CRI's words for NetworkReady; NULL: they can. */
const char *services_unready(const struct services *services);

/* Waits for what is under way. NULL is fine. */
void services_free(struct services *services);

/* Transactions of nftables (inet family): tables, chains, and the sets of host ports.
 *
 * cni_nft_transaction() and cni_nft_commit() bracket a batch: the kernel takes all of it or nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cni/netlink.h"
#include "lib/ip.h"

struct err;

/* The longest comment of an element, with its NUL. */
#define NFT_COMMENT_MAX 128

/* Starts a message of nftables; the family header is set. */
struct nlmsghdr *cni_nft_begin(struct netlink *netlink, uint16_t type, uint16_t flags, const char *purpose,
                               int tolerate);

void cni_nft_transaction(struct netlink *netlink);

/* Ends the batch and runs it. */
int cni_nft_commit(struct netlink *netlink, struct err **err);

void cni_nft_put_table(struct netlink *netlink, const char *table);
void cni_nft_put_delete_table(struct netlink *netlink, const char *table);

struct nft_chain {
        const char *name;
        const char *type; /* "nat", "filter"; NULL: not hooked, jumped to */
        uint32_t hook;    /* NF_INET_... */
        int32_t priority;
};

void cni_nft_put_chain(struct netlink *netlink, const char *table, const struct nft_chain *chain);
/* Removes the rules of @chain; it, when it has none and nothing leads to it; the set that no rule knows. */
void cni_nft_put_flush_chain(struct netlink *netlink, const char *table, const char *chain);
void cni_nft_put_delete_chain(struct netlink *netlink, const char *table, const char *chain);
void cni_nft_put_delete_set(struct netlink *netlink, const char *table, const char *set);

/* A set whose keys are [address .] protocol . port, as a map to address . port or as a plain set. */
struct nft_ports {
        const char *name;
        uint8_t family;  /* of the addresses in key and data */
        bool by_address; /* the key begins with an address */
        bool map;
};

void cni_nft_put_ports(struct netlink *netlink, const char *table, const struct nft_ports *ports);

struct nft_port {
        struct ip ip; /* of the key; unused without by_address */
        uint8_t protocol;
        uint16_t port;    /* of the key, host byte order */
        struct ip target; /* of the data; unused without map */
        uint16_t target_port;
        char comment[NFT_COMMENT_MAX]; /* "" is none */
};

/* Adds or removes the element @port of @ports. */
void cni_nft_put_port(struct netlink *netlink, const char *table, const struct nft_ports *ports,
                      const struct nft_port *port, bool add);

/* Calls @each for the elements of @ports; a negative return ends it. Returns -ENOENT when there is no such set. */
int cni_nft_for_each_port(struct netlink *netlink, const char *table, const struct nft_ports *ports,
                          int (*each)(const struct nft_port *port, void *data), void *data, struct err **err);

/* Whether @table exists: 0, -ENOENT, or what the kernel refuses. */
int cni_nft_has_table(struct netlink *netlink, const char *table, struct err **err);

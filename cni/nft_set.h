/* Sets and maps of nftables as rows, and their elements by the hundred in a message.
 *
 * Keys and data are runs of fields, each filled up to 4 bytes, as registers hold them: struct nft_bytes gathers them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cni/netlink.h"
#include "lib/ip.h"

/* What nft(8) shows a field as: its own numbers of types. */
enum nft_field {
        NFT_IPV4 = 7,
        NFT_IPV6 = 8,
        NFT_PROTOCOL = 12,
        NFT_PORT = 13,
        NFT_NUMBER = 19 /* of the host's order */
};
#define NFT_FIELDS_MAX 4

/* The longest key or data: two IPv6 addresses. */
#define NFT_BYTES_MAX 32

struct nft_bytes {
        uint8_t n, bytes[NFT_BYTES_MAX];
};

void cni_nft_add_ip(struct nft_bytes *bytes, const struct ip *ip);
void cni_nft_add_protocol(struct nft_bytes *bytes, uint8_t protocol);
void cni_nft_add_port(struct nft_bytes *bytes, uint16_t port); /* host byte order */
void cni_nft_add_number(struct nft_bytes *bytes, uint32_t number);

struct nft_set {
        const char *name;
        uint8_t key[NFT_FIELDS_MAX], data[NFT_FIELDS_MAX]; /* fields up to the first 0; no data: a plain set */
        bool verdicts;                                     /* a map whose data are chains to go to */
        bool intervals;                                    /* keys are where ranges begin, and where they have ended */
        uint32_t learns;                                   /* rules add elements, which end; so many at most. 0: no */
};

void cni_nft_put_set(struct netlink *netlink, const char *table, const struct nft_set *set);

struct nft_element {
        struct nft_bytes key, data;
        const char *chain; /* of verdicts; of one that is read it lives for the call */
        bool ends;         /* of intervals: the first key behind the range */
};

/* Elements to be added to, or removed from, one set: between begin and end nothing else is put into the batch. */
struct nft_elements {
        struct netlink *netlink;
        const char *table;
        const struct nft_set *set;
        bool add;
        struct nlmsghdr *message; /* NULL: none is begun */
        void *list;
};

void cni_nft_elements_begin(struct nft_elements *elements);
void cni_nft_elements_put(struct nft_elements *elements, const struct nft_element *element);
void cni_nft_elements_end(struct nft_elements *elements);

/* Calls @each for the elements of @set, whose bytes are as many as its fields have: one that is otherwise is -EINVAL. A
 * negative return ends it. -ENOENT: there is no such set. As cni_netlink_dump(). */
int cni_nft_for_each_element(struct netlink *netlink, const char *table, const struct nft_set *set,
                             int (*each)(const struct nft_element *element, void *data), void *data, struct err **err);

/* Removes all of @set's elements. */
void cni_nft_put_flush(struct netlink *netlink, const char *table, const struct nft_set *set);

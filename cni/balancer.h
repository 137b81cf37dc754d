/* Services' addresses, as the nftables table `nacelle_services_BRIDGE`: what is sent to one goes to one of those behind
 * it.
 *
 *   counts     address . protocol . port → the chain that draws a number below how many are behind it
 *   backs      address . protocol . port . number → address . port of one behind it
 *   addresses  all of these addresses: what is still for one after the translation has nobody behind it, and is refused
 *
 * A packet is led by one set of rules, but sees in each set what it holds when it is looked up: it may draw a number
 * below how many there were, and find fewer. It then takes the first, which is there whenever somebody is. (Before
 * Linux 6.17 a single look-up may miss what a transaction changes just then; that, too, is made good so.)
 *
 * A Service is elements of maps alone: a change of one is a handful of elements in one transaction, whatever the number
 * of the others. One that keeps senders (sessionAffinity) has chains and sets beside them: see cni/balancer_kept.h.
 *
 * What a pod sends by a Service's address to itself is masqueraded; what it sends to another of this node too where the
 * kernel does not show bridged packets to the rules (br_netfilter): the answer would go past what translates it back.
 *
 * The table stays when the agent ends, and the next one takes it up. Calls block. Not for two threads at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ip.h"

struct balancer;
struct err;

/* Behind one address and port, at most. */
#define BALANCER_BACKS_MAX 1024

/* Senders that are kept at one end, at most; who comes when there are so many is led there, and not kept. */
#define BALANCER_KEPT_MAX 65536

/* Changes at a time, at most: what one transaction has room for; and that are read, which takes the kernel time in the
 * square of their number. */
#define BALANCER_CHANGES_MAX 400000

struct balancer_front {
        struct ip ip;
        uint16_t port;
        uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
};

struct balancer_back {
        struct ip ip; /* of the front's family */
        uint16_t port;
};

/* A self is an address of a back on this node: a pod that reaches itself must see another sender than itself. */
enum balancer_kind {
        BALANCER_ADDRESS,
        BALANCER_SELF,
        BALANCER_COUNT,
        BALANCER_BACK,
        /* Of fronts that keep senders; in this order among the changes of one front. */
        BALANCER_END, /* a back that senders are kept at; added where it is: its rules are put anew, whom it keeps stays
                       */
        BALANCER_KEEPS, /* added: the ends follow, all of them, as BALANCER_STAYS; removed: it keeps nobody any more */
        BALANCER_STAYS, /* added only */
};

struct balancer_change {
        uint8_t kind;
        bool add;                    /* else it is removed */
        uint32_t keep;               /* of a count and an end: seconds that senders are kept; 0: they are not */
        struct balancer_front front; /* of an address and a self: .ip */
        uint32_t n;                  /* the count, 1 to BALANCER_BACKS_MAX; the back's number; of STAYS: 0: who is kept
                                        there goes there; else: one in so many does */
        struct balancer_back
                back; /* that is added, or has gone: flows of UDP to it end. Family 0: it has another number */
};

struct balancer_options {
        const char *bridge;
        const struct ip_cidr *pod_cidrs; /* of this node, at most one a family */
        size_t n_pod_cidrs;
};

/* Touches nothing. -ENOMEM. */
int cni_balancer_new(const struct balancer_options *options, struct balancer **ret_balancer);

/* The table stays. NULL is fine. */
void cni_balancer_free(struct balancer *balancer);

/* How a transaction begins. */
enum balancer_begin {
        BALANCER_GOES_ON,  /* with what this balancer has done before */
        BALANCER_TAKES_UP, /* with what is in the kernel, whoever has put it there: the rules are put anew, elements
                              stay */
        BALANCER_ANEW,     /* without any of it; a packet that comes just then may find neither */
};

/* All of @changes or none; removals come first. -ENOENT: someone has removed the table, or part of it: what there is
 * wants to be read, as after any failure. */
int cni_balancer_apply(struct balancer *balancer, const struct balancer_change *changes, size_t n,
                       enum balancer_begin begin, struct err **err);

/* -ENOENT: there is no table any more. */
int cni_balancer_check(struct balancer *balancer, struct err **err);

/* The changes that would make what is in the kernel, but for what rules of fronts that keep senders say: of a count
 * that does, @keep is 1 and @n 0. They are the caller's to free. -ENOENT: there is no table. -EINVAL, -E2BIG, or what
 * the kernel says: it wants to be begun anew. */
int cni_balancer_read(struct balancer *balancer, struct balancer_change **ret_changes, size_t *ret_n, struct err **err);

/* Removes the table of the bridge of this name, if there is one. */
void cni_balancer_remove(const char *bridge);

/* Fronts that keep senders (sessionAffinity: ClientIP), in the table of services; see cni/balancer.h.
 *
 *   keeps_FRONT      a chain: who is in the set of an end goes to that end's chain; who is in none draws one
 *   end_FRONT_BACK   a set, of senders that came within the time; and a chain, which puts the sender there and leads it
 *                    to the back
 *
 * What a map has learnt cannot be in a key here: nft(8) of Debian 12 ends on assertions where it reads such rules.
 */
#pragma once

#include "cni/balancer_rules.h"

#define BALANCER_KEPT_NAME_MAX 128

/* The chain that a count of the front leads to. */
void cni_balancer_keeps_name(const struct balancer_front *front, char ret_name[BALANCER_KEPT_NAME_MAX]);

/* Appends what @change, of one of the three last kinds, is made of. -ENOMEM. */
int cni_balancer_put_kept(const struct balancer_rules *rules, struct netlink *netlink,
                          const struct balancer_change *change);

/* What the sets of the table of services hold; see cni/balancer.h. */
#pragma once

#include "cni/balancer_rules.h"

struct balancer_found {
        uint8_t family, kind; /* the set that is read */
        struct balancer_change *changes;
        size_t n, size;
};

/* Appends the elements of one set. -ENOENT: it is not there; -EINTR: it was changed under way; -EINVAL: it is none that
 * this makes; -E2BIG, -ENOMEM. After a failure @netlink is only to be closed. */
int cni_balancer_find(const struct balancer_rules *rules, struct netlink *netlink, struct balancer_found *found);

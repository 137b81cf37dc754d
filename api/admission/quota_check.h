/* Whether a change keeps to the quotas of its namespace, and what they have used then. No request and no server. */
#pragma once

#include "api/quota/use.h"

/* A change: what is made, or what something becomes. */
struct quota_change {
        struct quota_item item, old; /* old.object NULL: it is made */
        bool reports;                /* of a status, which tells what is so anyway */
        resource_list usage, old_usage;
};

/* A quota and what is used of it, changes that were granted included. */
struct quota_state {
        const struct kube_resource_quota *quota;
        resource_list used;
        bool changed;
};

/* What the object has to say for the quota to be able to count it, and does not: `must specify cpu for: a,b`. NULL:
 * nothing. -ENOMEM or 0. */
int charge_missing(struct arena *arena, const struct kube_resource_quota *quota, const struct quota_item *item,
                   const char **ret_text);

/* Sets the change's usages. 0, -E2BIG: it names more than can be counted; -ENOMEM. */
int charge_measure(struct arena *arena, struct quota_change *change);

/* Charges the quotas, all of one namespace, for @change, or none of them: then *@ret_text is why, as kube-apiserver has
 * it behind `is forbidden: `. With @dry it only looks. 0 or -ENOMEM. */
int charge_quotas(struct arena *arena, const struct quota_change *change, struct quota_state *quotas, size_t n,
                  bool dry, const char **ret_text);

/* A quota's status counted anew, from all objects of its namespace, as kube-controller-manager's quota controller does:
 *
 *     quota_recount_begin(&recount, arena, &quota);
 *     for each kind: if (quota_recount_takes(&recount, &item))
 *             for each object of it: quota_recount_add(&recount, scratch, &item);
 *     quota_recount_end(&recount, &changed);
 *
 * Bounds (status.hard) are those of the spec from the beginning on. What of them no kind has an amount for keeps what
 * was said of it.
 */
#pragma once

#include "api/quota/use.h"

struct quota_tally;

struct quota_recount {
        struct arena *arena;
        struct kube_resource_quota *quota;
        struct quota_tally *tallies; /* by name */
        size_t n;
        uint32_t n_before; /* amounts that status.used had */
        bool differs;      /* status.hard from spec.hard */
};

/* @quota, which is of @arena, changes. -ENOMEM or 0. */
int quota_recount_begin(struct quota_recount *recount, struct arena *arena, struct kube_resource_quota *quota);

/* Whether the quota bounds amounts of such objects: they begin at nothing, and all its objects are to be added. */
bool quota_recount_takes(struct quota_recount *recount, const struct quota_item *item);

/* Once all kinds were asked about: whether the status lacks bounds of the spec, or what is used of them. */
bool quota_recount_is_due(const struct quota_recount *recount);

/* 0; -E2BIG: it has more amounts than are added up, and is not counted; -ENOMEM. @scratch is the caller's again. */
int quota_recount_add(struct quota_recount *recount, struct arena *scratch, const struct quota_item *item);

/* Sets status.used; *@ret_changed says whether the status is another than it was. -ENOMEM or 0. */
int quota_recount_end(struct quota_recount *recount, bool *ret_changed);

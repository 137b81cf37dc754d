/* What objects use of a quota, and which quotas count them: the rules of each kind as a table's row. No request and no
 * server: admission charges by them, and the controller counts a namespace anew.
 */
#pragma once

#include <stdbool.h>

#include "kube/core_v1.h"

struct arena;
struct quota_kind;

/* An object, of the type in which its resource is kept, that is counted. */
struct quota_item {
        const struct quota_kind *kind;
        const char *group, *resource;
        const void *object;
};

/* Its kind is set. NULL where nothing of this resource is ever counted. */
const struct quota_kind *quota_kind_of(const char *group, const char *resource);

/* Whether an operation is counted. @sub "": of the object itself; @old NULL: it is made. */
bool quota_counts(const struct quota_item *item, const char *sub, const void *old);

/* Whether the object itself is looked at: of others it counts that they are there, and item->object may be NULL. */
bool quota_reads(const struct quota_item *item);

/* Whether the amount called @name is one of such objects'. */
bool quota_measures(const struct quota_item *item, const char *name);

/* What it uses, in @arena. 0; -E2BIG: its amounts are more than are added up (POD_AMOUNTS_MAX); -ENOMEM. */
int quota_usage(struct arena *arena, const struct quota_item *item, resource_list *ret_usage);

/* Whether the object is in all of the quota's scopes. */
bool quota_in_scopes(const struct kube_resource_quota *quota, const struct quota_item *item);

/* Whether the quota counts it: it has an amount of it, and the object is in all of its scopes. */
bool quota_matches(const struct kube_resource_quota *quota, const struct quota_item *item);

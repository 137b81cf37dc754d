/* What the lifecycle controller writes into nodes: conditions of one that is not heard of, and the taints that follow
 * from conditions. */
#pragma once

#include <stdbool.h>

#include "kube/core_v1.h"

struct arena;

/* The condition @type; NULL: it has none. */
const struct kube_node_condition *node_state_condition(const struct kube_node *node, const char *type);

/* Ready, and what the kubelet says beside it, become Unknown at @now. *@ret_changed: whether Ready was not so. 0 or
 * -ENOMEM. */
int node_state_lose(struct arena *arena, struct kube_node *node, int64_t now, bool *ret_changed);

/* The taints that @node is to have, at @now: of effect NoSchedule those of its conditions, and of being unschedulable;
 * of effect NoExecute @execute alone ("", NULL: as they are). All others stay. *@ret_changed: some differ. 0, -ENOMEM.
 */
int node_state_taint(struct arena *arena, struct kube_node *node, const char *execute, int64_t now, bool *ret_changed);

#define NODE_NOT_READY "node.kubernetes.io/not-ready"
#define NODE_UNREACHABLE "node.kubernetes.io/unreachable"

/* Which of the two is there with effect NoExecute; NULL: neither. */
const char *node_state_executes(const struct kube_node *node);

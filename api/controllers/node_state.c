#include "api/controllers/node_state.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"

#define NO_SCHEDULE "NoSchedule"
#define NO_EXECUTE "NoExecute"

/* Taints that a condition of the status stands for; those of the kubelet are lost with it. */
static const struct known {
        const char *type, *status, *key;
        bool of_kubelet;
} known[] = {
        { "Ready", "False", NODE_NOT_READY, true },
        { "Ready", "Unknown", NODE_UNREACHABLE, false },
        { "MemoryPressure", "True", "node.kubernetes.io/memory-pressure", true },
        { "DiskPressure", "True", "node.kubernetes.io/disk-pressure", true },
        { "PIDPressure", "True", "node.kubernetes.io/pid-pressure", true },
        { "NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable", false },
        { NULL, NULL, "node.kubernetes.io/unschedulable", false },
};

const struct kube_node_condition *node_state_condition(const struct kube_node *node, const char *type) {
        list_for_each (c, &node->status.conditions)
                if (kube_is(c->type, type))
                        return c;
        return NULL;
}

/* --- conditions --- */

static void lose(struct kube_node *node, struct kube_node_condition *room, const char *type, int64_t now) {
        for (uint32_t i = 0; i < node->status.conditions.count; i++) {
                if (!kube_is(room[i].type, type))
                        continue;
                if (!kube_is(room[i].status, "Unknown")) {
                        room[i].status = "Unknown";
                        room[i].reason = "NodeStatusUnknown";
                        room[i].message = "Kubelet stopped posting node status.";
                        room[i].last_transition_time = (struct kube_time){ now, 0, true };
                }
                return;
        }
        room[node->status.conditions.count++] =
                (struct kube_node_condition){ .type = type,
                                              .status = "Unknown",
                                              .reason = "NodeStatusNeverUpdated",
                                              .message = "Kubelet never posted node status.",
                                              .last_heartbeat_time = node->metadata.creation_timestamp,
                                              .last_transition_time = { now, 0, true } };
}

int node_state_lose(struct arena *arena, struct kube_node *node, int64_t now, bool *ret_changed) {
        const struct kube_node_condition *ready = node_state_condition(node, "Ready");
        uint32_t n = node->status.conditions.count;
        struct kube_node_condition *room = arena_alloc_array(arena, n + ELEMENTS(known), sizeof(*room));

        if (!room)
                return -ENOMEM;
        *ret_changed = !ready || !kube_is(ready->status, "Unknown");
        if (n > 0)
                memcpy(room, node->status.conditions.items, n * sizeof(*room));
        node->status.conditions.items = room;
        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (known[i].of_kubelet)
                        lose(node, room, known[i].type, now);
        return 0;
}

/* --- taints --- */

static bool is_taint(const struct kube_taint *t, const char *key, const char *effect) {
        return kube_is(t->key, key) && kube_is(t->effect, effect);
}

static const struct kube_taint *find(const kube_taint_items *taints, const char *key, const char *effect) {
        list_for_each (t, taints)
                if (is_taint(t, key, effect))
                        return t;
        return NULL;
}

static bool is_wanted(const struct kube_node *node, const struct known *k) {
        const struct kube_node_condition *c = k->type ? node_state_condition(node, k->type) : NULL;

        return k->type ? c && kube_is(c->status, k->status) : node->spec.unschedulable;
}

const char *node_state_executes(const struct kube_node *node) {
        if (find(&node->spec.taints, NODE_UNREACHABLE, NO_EXECUTE))
                return NODE_UNREACHABLE;
        return find(&node->spec.taints, NODE_NOT_READY, NO_EXECUTE) ? NODE_NOT_READY : NULL;
}

/* Whether the taint is one of ours that is not to be there. */
static bool is_over(const struct kube_node *node, const struct kube_taint *t, const char *execute) {
        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (is_taint(t, known[i].key, NO_SCHEDULE))
                        return !is_wanted(node, &known[i]);
        if (!execute || (!is_taint(t, NODE_NOT_READY, NO_EXECUTE) && !is_taint(t, NODE_UNREACHABLE, NO_EXECUTE)))
                return false;
        return !kube_is(t->key, execute);
}

static void add(struct kube_node *node, struct kube_taint *room, struct kube_taint taint) {
        room[node->spec.taints.count++] = taint;
}

int node_state_taint(struct arena *arena, struct kube_node *node, const char *execute, int64_t now, bool *ret_changed) {
        const kube_taint_items before = node->spec.taints;
        struct kube_taint *room = arena_alloc_array(arena, before.count + ELEMENTS(known) + 1, sizeof(*room));
        const struct kube_time at = { now, 0, true };

        if (!room)
                return -ENOMEM;
        *ret_changed = false;
        node->spec.taints = (kube_taint_items){ .items = room };
        list_for_each (t, &before)
                if (is_over(node, t, execute))
                        *ret_changed = true;
                else
                        add(node, room, *t);
        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (is_wanted(node, &known[i]) && !find(&before, known[i].key, NO_SCHEDULE)) {
                        add(node, room,
                            (struct kube_taint){ .key = known[i].key, .effect = NO_SCHEDULE, .time_added = at });
                        *ret_changed = true;
                }
        if (execute && *execute && !find(&before, execute, NO_EXECUTE)) {
                add(node, room, (struct kube_taint){ .key = execute, .effect = NO_EXECUTE, .time_added = at });
                *ret_changed = true;
        }
        return 0;
}

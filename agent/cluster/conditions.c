/* The Node's conditions as the service has them, beside those that were told: the node life cycle makes them Unknown
 * where it has not heard of the node for a while, and that has to go with the cut that it came of. kubelet compares all
 * that it tells with what is there (kubelet_node_status.go, tryUpdateNodeStatus()). */
#include <string.h>
#include <time.h>

#include "agent/cluster/internal.h"
#include "lib/hash.h"

static const char *const types[CLUSTER_CONDITIONS] = { "MemoryPressure", "DiskPressure", "PIDPressure", "Ready" };

static const struct kube_node_condition *find(const kube_node_condition_items *items, const char *type) {
        list_for_each (condition, items)
                if (strcmp(condition->type ?: "", type) == 0)
                        return condition;
        return NULL;
}

static uint64_t hash_text(const char *text) {
        return hash_bytes(text ?: "", strlen(text ?: ""));
}

/* Of what is said, without its times. */
static void sum_up(const kube_node_condition_items *items, struct cluster_condition ret[static CLUSTER_CONDITIONS]) {
        for (size_t i = 0; i < CLUSTER_CONDITIONS; i++) {
                const struct kube_node_condition *condition = find(items, types[i]);
                uint64_t parts[2] = { 0 };

                ret[i] = (struct cluster_condition){ 0 };
                if (!condition)
                        continue;
                ret[i].status = hash_text(condition->status);
                parts[0] = hash_text(condition->reason);
                parts[1] = hash_text(condition->message);
                ret[i].why = hash_bytes(parts, sizeof(parts));
        }
}

void cluster_conditions_sent(struct cluster *c, const kube_node_condition_items *items) {
        sum_up(items, c->node.conditions_sent);
}

void cluster_conditions_told(struct cluster *c) {
        memcpy(c->node.conditions_told, c->node.conditions_sent, sizeof(c->node.conditions_told));
}

static bool same(const struct cluster_condition *a, const struct cluster_condition *b) {
        return a->status == b->status && a->why == b->why;
}

bool cluster_conditions_differ(struct cluster *c, const kube_node_condition_items *there) {
        struct cluster_condition heard[CLUSTER_CONDITIONS];
        bool differs = false;

        sum_up(there, heard);
        for (size_t i = 0; i < CLUSTER_CONDITIONS; i++) {
                const struct cluster_condition *told = &c->node.conditions_told[i], *sent = &c->node.conditions_sent[i];

                if (same(&heard[i], told) || same(&heard[i], sent))
                        continue;
                differs = true;
                if (heard[i].status != told->status)
                        c->node.conditions_since[i] = time(NULL);
        }
        return differs;
}

void cluster_conditions_date(const struct cluster *c, kube_node_condition_items *items) {
        for (uint32_t n = 0; n < items->count; n++)
                for (size_t i = 0; i < CLUSTER_CONDITIONS; i++)
                        if (strcmp(items->items[n].type, types[i]) == 0 &&
                            c->node.conditions_since[i] > items->items[n].last_transition_time.seconds)
                                items->items[n].last_transition_time =
                                        (struct kube_time){ .seconds = c->node.conditions_since[i], .set = true };
}

/* A pod's status as the service has it, beside the one that was told: the node life cycle tells pods of a lost node not
 * ready, and anybody with the right may write one (status_manager.go, needsReconcile()). Of amounts and times nothing
 * is compared, as the service spells them in its own way. */
#include <string.h>

#include "agent/cluster/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"

/* What was not told is nobody's concern. */
static bool is_other_text(const struct value *theirs, const char *ours) {
        return ours && *ours && strcmp(value_string_or(theirs, ""), ours) != 0;
}

/* The member of @list, a list of maps, that has @text under @key; NULL: none. */
static const struct value *find(const struct value *list, const char *key, const char *text) {
        for (uint32_t i = 0; i < value_count(list); i++)
                if (strcmp(value_string_or(value_get(value_at(list, i), key), ""), text ?: "") == 0)
                        return value_at(list, i);
        return NULL;
}

static bool is_other_condition(const struct value *theirs, const struct kube_pod_condition *ours) {
        return !theirs || is_other_text(value_get(theirs, "status"), ours->status) ||
               is_other_text(value_get(theirs, "reason"), ours->reason);
}

static bool is_other_container(const struct value *theirs, const struct kube_container_status *ours) {
        const struct kube_container_state *state = &ours->state;
        const char *kind = state->running    ? "running" :
                           state->terminated ? "terminated" :
                           state->waiting    ? "waiting" :
                                               NULL;

        return !theirs || value_bool_or(value_get(theirs, "ready"), false) != ours->ready ||
               value_bool_or(value_get(theirs, "started"), false) != (ours->started == TRI_TRUE) ||
               value_integer_or(value_get(theirs, "restartCount"), 0) != ours->restart_count ||
               is_other_text(value_get(theirs, "containerID"), ours->container_id) ||
               (kind && !value_get(value_get(theirs, "state"), kind));
}

static bool are_others(const struct value *theirs, const kube_container_status_items *ours) {
        list_for_each (c, ours)
                if (is_other_container(find(theirs, "name", c->name), c))
                        return true;
        return false;
}

static bool is_other(const struct value *theirs, const struct kube_pod_status *ours) {
        if (is_other_text(value_get(theirs, "phase"), ours->phase) ||
            is_other_text(value_get(theirs, "reason"), ours->reason) ||
            is_other_text(value_get(theirs, "podIP"), ours->pod_ip))
                return true;
        list_for_each (c, &ours->conditions)
                if (is_other_condition(find(value_get(theirs, "conditions"), "type", c->type), c))
                        return true;
        return are_others(value_get(theirs, "initContainerStatuses"), &ours->init_container_statuses) ||
               are_others(value_get(theirs, "containerStatuses"), &ours->container_statuses) ||
               are_others(value_get(theirs, "ephemeralContainerStatuses"), &ours->ephemeral_container_statuses);
}

/* With the Lease, as kubelet looks every 10 s. */
static void tell_again(struct cluster_pod *pod) {
        pod->told = 0;
        pod->denied = pod->cluster->denied = true;
}

void cluster_pod_heard(struct cluster_pod *pod, int64_t revision, const struct value *status) {
        const struct cluster_events *events = &pod->cluster->events;
        _cleanup_arena_ struct arena *arena = NULL;
        struct kube_pod_status ours = { 0 };

        if (pod->call || pod->held || cluster_due_contains(pod)) {
                pod->heard_at = revision;
                return;
        }
        if (!pod->told || !pod->told_at || revision <= pod->told_at || !(arena = arena_new()))
                return;
        if (events->pod_status(events->data, cluster_node_uid(pod), arena, &ours) == 0 && is_other(status, &ours))
                tell_again(pod);
}

void cluster_pod_told(struct cluster_pod *pod) {
        if (pod->told_at && pod->heard_at > pod->told_at)
                tell_again(pod);
        pod->heard_at = 0;
}

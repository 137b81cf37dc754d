/* What is told of pods a little later, since what follows soon says it too: of one that starts, of one that is to end
 * and has nothing that runs any more, and of one with a container that is made anew. */
#include <string.h>

#include "agent/cluster/internal.h"

static void on_hold(uv_timer_t *timer) {
        struct cluster *c = timer->data;
        uint64_t now = uv_now(c->loop), next = UINT64_MAX;

        LIST_EACH (cluster_due, pod, &c->held) {
                if (pod->quiet_until <= now)
                        cluster_report_later(pod);
                else if (pod->quiet_until < next)
                        next = pod->quiet_until;
        }
        if (next < UINT64_MAX)
                uv_timer_start(timer, on_hold, next - now, 0);
}

char cluster_has_ended(const struct cluster_pod *pod, const struct kube_pod_status *status) {
        list_for_each (c, &status->container_statuses)
                if (!c->state.terminated)
                        return '\0';
        list_for_each (c, &status->init_container_statuses)
                if (c->state.running)
                        return '\0';
        return pod->ends && status->container_statuses.count > 0 ? *(status->phase ?: "") : '\0';
}

/* A container is made anew: a probe says so, or it has another image or size. kubelet ends and starts it within one
 * sync, in which it tells nothing: nobody sees there that the pod is not ready in between. */
static bool is_renewed(const struct cluster_pod *pod) {
        const struct cluster_events *events = &pod->cluster->events;

        return !pod->ends && events->pod_renews(events->data, cluster_node_uid(pod));
}

/* The status tells of something new: what follows soon may wait. */
static void keep_quiet(struct cluster_pod *pod) {
        pod->quiet_until = uv_now(pod->cluster->loop) + CLUSTER_STARTING_MS;
}

bool cluster_hold(struct cluster_pod *pod, const struct kube_pod_status *status) {
        struct cluster *c = pod->cluster;
        char ended = cluster_has_ended(pod, status);
        bool starts = !pod->told && !pod->ends && strcmp(status->phase ?: "", "Pending") == 0;
        bool renewed = is_renewed(pod);

        if (ended && ended != pod->ended) {
                pod->ended = ended;
                keep_quiet(pod);
                return false;
        }
        if (renewed && !pod->renewed)
                keep_quiet(pod);
        pod->renewed = renewed;
        if ((!starts && !ended && !renewed) || uv_now(c->loop) >= pod->quiet_until)
                return false;
        pod->held = true;
        cluster_due_append(&c->held, pod);
        if (!uv_is_active((uv_handle_t *)c->hold))
                uv_timer_start(c->hold, on_hold, pod->quiet_until - uv_now(c->loop), 0);
        return true;
}

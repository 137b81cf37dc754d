/* The phase of a pod: getPhase() in pkg/kubelet/kubelet_pods.go. */
#include <string.h>

#include "kube/pod/restart.h"
#include "kube/pod/status.h"

/* One that was ended for RestartAllContainers starts again whatever its policy. */
static bool starts_again(const struct pod *pod, const struct kube_container *container,
                         const struct pod_container_state *end) {
        return (end->reason && strcmp(end->reason, RESTARTING_ALL_REASON) == 0) ||
               pod_should_restart(pod, container, end->exit_code);
}

/* How many containers are in each of the situations that count. */
struct tally {
        unsigned init_pending, sidecars_pending, init_failed_for_good;
        unsigned running, waiting, stopped, stopped_for_good, succeeded;
        bool any_started; /* of the containers proper */
};

/* The exit that counts: of the container that ended, or of the one before that which waits. NULL: never ended. */
static const struct pod_container_state *last_exit(const struct pod_container_status *s) {
        if (s->state.kind == STATE_TERMINATED)
                return &s->state;
        if (s->state.kind == STATE_WAITING && s->has_last && s->last_state.kind == STATE_TERMINATED)
                return &s->last_state;
        return NULL;
}

static void count_init(const struct pod *pod, const struct pod_container_status *s, struct tally *t) {
        const struct pod_container_state *end = last_exit(s);

        if (!end)
                t->init_pending++;
        else if (end->exit_code != 0 && !starts_again(pod, s->container, end))
                t->init_failed_for_good++;
}

static void count_sidecar(const struct pod_container_status *s, struct tally *t) {
        if (s->renewed) {
                t->running++;
        } else if (s->state.kind == STATE_RUNNING) {
                t->running++;
                t->sidecars_pending += s->started != TRI_TRUE;
        } else if (!last_exit(s)) {
                t->sidecars_pending++;
                t->waiting++;
        }
}

static void count_container(const struct pod *pod, const struct pod_container_status *s, struct tally *t) {
        const struct pod_container_state *end = last_exit(s);

        t->any_started |= s->state.kind != STATE_WAITING || end || s->renewed;
        if (s->state.kind == STATE_RUNNING || s->renewed) {
                t->running++;
                return;
        }
        if (!end) {
                t->waiting++;
                return;
        }
        t->stopped++;
        t->stopped_for_good += !starts_again(pod, s->container, end);
        t->succeeded += s->state.kind == STATE_TERMINATED && end->exit_code == 0;
}

static enum pod_phase decide(const struct pod *pod, const struct tally *t, bool terminal) {
        if (t->init_failed_for_good > 0)
                return PHASE_FAILED;
        if (t->init_pending > 0 || (t->sidecars_pending > 0 && !t->any_started) || t->waiting > 0)
                return PHASE_PENDING;
        if (t->running > 0)
                return PHASE_RUNNING;
        if (t->stopped == 0)
                return PHASE_PENDING;
        if (terminal && !pod->file) /* a static pod's end is not final: its file may bring it back */
                return t->stopped == t->succeeded ? PHASE_SUCCEEDED : PHASE_FAILED;
        if (t->stopped != t->stopped_for_good)
                return PHASE_RUNNING; /* in the process of restarting */
        return t->stopped == t->succeeded ? PHASE_SUCCEEDED : PHASE_FAILED;
}

enum pod_phase pod_phase(const struct pod *pod, const struct pod_container_status *init,
                         const struct pod_container_status *containers, bool terminal) {
        struct tally tally = { 0 };

        for (uint32_t i = 0; i < pod->spec.init_containers.count; i++) {
                if (pod_container_is_sidecar(&pod->spec.init_containers.items[i]))
                        count_sidecar(&init[i], &tally);
                else
                        count_init(pod, &init[i], &tally);
        }
        for (uint32_t i = 0; i < pod->spec.containers.count; i++)
                count_container(pod, &containers[i], &tally);
        return decide(pod, &tally, terminal);
}

const char *pod_phase_name(enum pod_phase phase) {
        static const char *const names[] = { "Pending", "Running", "Succeeded", "Failed", "Unknown" };

        return names[phase];
}

bool pod_phase_is_final(enum pod_phase phase) {
        return phase == PHASE_SUCCEEDED || phase == PHASE_FAILED;
}

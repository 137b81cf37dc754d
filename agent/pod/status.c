/* The pod's status from what its containers are in (kubelet_pods.go, generateAPIPodStatus()). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/node/metrics.h"
#include "agent/pod/internal.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

static bool is_restarting(const struct worker *w) {
        return w->state == WORKER_RESTARTING || w->state == WORKER_CLEARING ||
               (w->state == WORKER_RUNNING && worker_wants_restart(w));
}

/* Its containers have ended for good. One that is taken up may have ended before the agent's start. */
static bool is_ended(const struct worker *w) {
        return w->goal != WORKER_TO_RUN &&
               (w->state > WORKER_STOPPING ||
                ((w->state == WORKER_JOINING || w->state == WORKER_STOPPING) && worker_members_stopped(w)));
}

/* An eviction, a preemption and a shutdown are in the phase once the pod has ended, and only where a container did not
 * end well by itself; a deadline is in it from its coming on (kubelet's PodStatusFunc and ShouldEvict()). */
static enum pod_phase judged_phase(const struct worker *w, const struct pod_status *s) {
        enum pod_phase phase = pod_phase(w->pod, s->init, s->containers, is_ended(w));

        if (w->verdict == WORKER_TOO_LATE ||
            (w->verdict != WORKER_NO_VERDICT && is_ended(w) && phase != PHASE_SUCCEEDED))
                return PHASE_FAILED;
        return phase;
}

/* No phase is final while a container may still run (status_manager.go, mergePodStatus()): it stays what it was. */
static enum pod_phase held_phase(const struct worker *w) {
        if (w->has_status && !pod_phase_is_final(w->status.phase))
                return w->status.phase;
        return w->initialized ? PHASE_RUNNING : PHASE_PENDING;
}

static const char *disruption(const struct worker *w) {
        if (!is_ended(w))
                return NULL;
        if (w->verdict == WORKER_PREEMPTED)
                return "Pod was preempted by Kubelet to accommodate a critical pod.";
        return w->verdict == WORKER_DISRUPTED || w->verdict == WORKER_SHUT_DOWN ? w->message : NULL;
}

/* Of one that was rejected kubelet says no more. */
static struct pod_status rejected(const struct worker *w) {
        return (struct pod_status){
                .phase = PHASE_FAILED, .reason = w->reason, .message = w->message, .start_time = w->start_time
        };
}

/* The phase that is told, and why it is, once its conditions are there: they know of a phase that is held back. */
static void settle_phase(const struct worker *w, struct pod_status *s) {
        if (is_ended(w))
                pod_status_end(w->pod, s, w->initialized || w->n_init == 0);
        else if (pod_phase_is_final(s->phase) && !worker_members_stopped(w))
                s->phase = held_phase(w);
        if (w->verdict != WORKER_NO_VERDICT && s->phase == PHASE_FAILED) {
                s->reason = w->reason;
                s->message = w->message;
        }
}

/* The status with room for its containers' in @statuses; what @arena is for: agent/container/container.h. */
static int make(const struct worker *w, struct arena *arena, struct pod_container_status *statuses,
                struct pod_status *ret_status) {
        struct pod_status s = { .start_time = w->start_time };
        int r;

        if (w->verdict == WORKER_REJECTED) {
                *ret_status = rejected(w);
                return 0;
        }
        for (size_t i = 0; i < w->n_members; i++)
                if ((r = member_status(w->members[i], arena, w->state >= WORKER_STOPPING, &statuses[i])) < 0)
                        return r;
        s.pending = w->resize.pending;
        s.in_progress = w->resize.in_progress;
        s.disruption = disruption(w);
        s.host_ip = w->node->world.host_ip;
        s.pod_ips = (const char *const *)w->sandbox.addresses.list;
        s.n_pod_ips = (uint32_t)w->sandbox.addresses.n;
        s.restarting_all = is_restarting(w);
        s.init = statuses;
        s.containers = statuses + w->n_init;
        s.ephemeral = statuses + w->n_lasting;
        s.phase = judged_phase(w, &s);
        r = pod_status_conditions(w->pod, &s, w->sandbox_ready && !is_ended(w), w->has_status ? &w->status : NULL,
                                  worker_now(w));
        if (r < 0) {
                pod_status_done(&s);
                return r;
        }
        settle_phase(w, &s);
        *ret_status = s;
        return 0;
}

/* The pod has just begun to run, as kubelet's metric of it has it. */
static void count_start(struct worker *w, enum pod_phase before, enum pod_phase now) {
        if (before == PHASE_PENDING && now == PHASE_RUNNING)
                metrics_observe(&w->node->starts, &metrics_pod_start_buckets,
                                (double)(worker_now(w) - w->start_time) / 1000);
}

int worker_update_status(struct worker *w) {
        struct pod_status next;
        int r = make(w, NULL, w->statuses, &next);

        if (r < 0)
                return r;
        if (w->has_status) {
                count_start(w, w->status.phase, next.phase);
                pod_status_done(&w->status);
        }
        pod_unref(w->told);
        w->told = pod_ref(w->pod);
        w->status = next;
        w->has_status = true;
        return 0;
}

/* The status as it is now, with room for its containers' in @arena; to be freed by pod_status_done(). */
static int make_now(const struct worker *w, struct arena *arena, struct pod_status *ret_now) {
        struct pod_container_status *statuses =
                arena ? arena_alloc_array(arena, w->n_members + 1, sizeof(*statuses)) : NULL;

        return statuses ? make(w, arena, statuses, ret_now) : -ENOMEM;
}

int worker_write(struct worker *w, struct json_writer *out) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_status now;
        int r;

        if ((r = make_now(w, arena, &now)) < 0)
                return r;
        r = pod_write(w->pod, &now, out);
        pod_status_done(&now);
        return r;
}

int worker_status(struct worker *w, struct arena *arena, struct kube_pod_status *ret_status) {
        struct kube_pod_status borrowed;
        struct pod_status now;
        int r;

        if ((r = make_now(w, arena, &now)) < 0)
                return r;
        if ((r = pod_status_make(arena, w->pod, &now, &borrowed)) >= 0)
                r = kube_copy(arena, &kube_pod_status_type, &borrowed, ret_status);
        pod_status_done(&now);
        if (r < 0)
                return r;
        ret_status->observed_generation = w->pod->metadata.generation;
        list_for_each (c, &ret_status->conditions)
                if (!c->observed_generation)
                        c->observed_generation = w->pod->metadata.generation;
        return 0;
}

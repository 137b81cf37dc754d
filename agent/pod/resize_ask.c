/* What a pod asks for beyond what it was allocated, and what the node says to it (pkg/kubelet/allocation). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/resize.h"
#include "kube/pod/allocation.h"
#include "kube/pod/resources.h"

const struct pod *worker_wanted(const struct worker *w) {
        return w->resize.wanted ?: w->pod;
}

const struct pod *worker_before(const struct worker *w) {
        return w->resize.before;
}

bool worker_asks_resize(const struct worker *w) {
        return worker_is_active(w) && w->resize.wanted && pod_is_resized(w->resize.wanted, w->pod);
}

int64_t worker_waits_since(const struct worker *w) {
        const struct pod_condition *c =
                w->has_status && w->resize.pending.set ? pod_status_condition(&w->status, "PodResizePending") : NULL;

        return c ? c->last_transition : NODE_NEVER;
}

/* Counted at once: the job that sets its cgroup sets that of all burstable pods with it. */
static void recount(struct worker *w, const struct pod *before) {
        if (pod_qos(w->pod) == QOS_BURSTABLE)
                w->node->burstable_milli +=
                        quantity_milli(pod_request(w->pod, "cpu")) - quantity_milli(pod_request(before, "cpu"));
}

static const struct resize_words started = { false, "ResizeStarted", "started" },
                                 deferred = { true, "ResizeDeferred", "Deferred" },
                                 infeasible = { true, "ResizeInfeasible", "Infeasible" };

int worker_allocate(struct worker *w) {
        struct pod *before = pod_ref(w->pod);

        if (worker_adopt(w, w->resize.wanted) < 0) {
                pod_unref(before);
                return -ENOMEM;
        }
        recount(w, before);
        if (w->resize.before)
                pod_unref(before);
        else
                w->resize.before = before;
        w->resize.pending.set = false;
        w->resize.retry_at = NODE_NEVER;
        w->resize.overtaken = w->resize.phase > 0;
        resize_begin_progress(w);
        resize_say(w, &started, w->pod, &w->resize.in_progress);
        worker_step(w);
        return 0;
}

/* Told when it is news: that it waits, or for another change; the event says @why. */
static void put_off(struct worker *w, const struct resize_words *words, const char *why, const char *message) {
        struct pod_resize *pending = &w->resize.pending;
        int64_t generation = w->resize.wanted->metadata.generation;
        bool news = !pending->set || pending->generation != generation;
        char *copy;

        if (!news && strcmp(w->resize.pending_message, message) == 0)
                return;
        if (!(copy = strdup(message)))
                return;
        free(w->resize.pending_message);
        w->resize.pending_message = copy;
        *pending = (struct pod_resize){ .set = true, .reason = words->what, .message = copy, .generation = generation };
        if (news)
                resize_say(w, &(struct resize_words){ words->warning, words->reason, why }, w->resize.wanted, pending);
        worker_step(w);
}

void worker_defer(struct worker *w, const char *why, const char *message) {
        put_off(w, &deferred, why, message);
}

void worker_defer_for_good(struct worker *w, const char *message) {
        put_off(w, &infeasible, infeasible.what, message);
}

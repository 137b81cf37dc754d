/* Which container is next: kubelet's computePodActions() and termination order (kuberuntime_manager.go,
 * kuberuntime_termination_order.go; KEP-753 for sidecars). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/internal.h"
#include "kube/restart.h"
#include "lib/cleanup.h"

static bool is_done(const struct member *m) {
        return m->state == MEMBER_EXITED && m->end.set && m->end.exit_code == 0;
}

bool member_should_restart(const struct member *m) {
        if (m->role == MEMBER_SIDECAR)
                return true;
        if (m->role == MEMBER_INIT && m->end.exit_code == 0)
                return false;
        return pod_should_restart(m->worker->pod, m->spec, m->end.exit_code);
}

/* kubelet shows the failure until its next look at the pod, then the back-off. */
#define PULL_ERROR_SHOWN_MS 2000

static void tell_pull_back_off(struct member *m, int64_t now, int64_t *wake) {
        _cleanup_free_ char *message = NULL;

        if (!m->waiting_reason || strcmp(m->waiting_reason, "ErrImagePull") != 0)
                return;
        if (now < m->pull_failed_at + PULL_ERROR_SHOWN_MS) {
                *wake = earlier(*wake, m->pull_failed_at + PULL_ERROR_SHOWN_MS);
                return;
        }
        message = TAKE_PTR(m->waiting_message);
        member_set_waiting(m, "ImagePullBackOff", "Back-off pulling image \"%s\": ErrImagePull: %s", m->spec->image,
                           message ? message : "");
        worker_say(m->worker, m, false, "BackOff", "Back-off pulling image \"%s\"", m->spec->image);
        worker_say(m->worker, m, true, "Failed", "Error: ImagePullBackOff");
}

/* Whether @m may be started now: not in a back-off of its image or of its crashes. */
static bool may_start(struct member *m, int64_t *wake) {
        int64_t now = worker_now(m->worker), left;
        char text[BACKOFF_TEXT_MAX];

        if (m->retry_at > now) {
                *wake = earlier(*wake, m->retry_at);
                return false;
        }
        if (m->pull_failed_at && (left = backoff_left(&m->pull, m->pull_failed_at, now)) > 0) {
                *wake = earlier(*wake, now + left);
                tell_pull_back_off(m, now, wake);
                return false;
        }
        if (m->end.set && (left = backoff_left(&m->crash, m->end.finished_at, now)) > 0) {
                const struct pod *pod = m->worker->pod;

                *wake = earlier(*wake, now + left);
                if (m->waiting_reason && strcmp(m->waiting_reason, "CrashLoopBackOff") == 0)
                        return false;
                member_set_waiting(m, "CrashLoopBackOff", "back-off %s restarting failed container=%s pod=%s_%s(%s)",
                                   backoff_format(m->crash.delay_ms, text), m->spec->name, pod->metadata.name,
                                   pod->metadata.namespace, pod->metadata.uid);
                worker_say(m->worker, m, true, "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
                           m->spec->name, pod->metadata.name, pod->metadata.namespace, pod->metadata.uid);
                return false;
        }
        return true;
}

static bool can_begin(const struct member *m) {
        return m->state == MEMBER_WAITING || (m->state == MEMBER_EXITED && member_should_restart(m));
}

/* Counts a restart and lets @m begin. */
static struct member *begin(struct member *m) {
        if (m->end.set && m->state == MEMBER_EXITED) {
                backoff_next(&m->crash, m->end.finished_at, worker_now(m->worker));
                worker_write_hint(m->worker);
        }
        return m;
}

/* The init containers in their order; *ret_open when the others may start. */
static struct member *next_init(struct worker *w, bool *ret_open, int64_t *wake) {
        *ret_open = false;
        for (size_t i = 0; i < w->n_init; i++) {
                struct member *m = &w->members[i];

                if (m->role == MEMBER_INIT && is_done(m))
                        continue;
                if (m->role == MEMBER_SIDECAR && m->state == MEMBER_RUNNING && m->started)
                        continue;
                if (can_begin(m) && may_start(m, wake))
                        return begin(m);
                return NULL;
        }
        *ret_open = true;
        return NULL;
}

/* Sidecars are restarted while the pod lives, in whatever state the others are. */
static struct member *next_sidecar(struct worker *w, int64_t *wake) {
        for (size_t i = 0; i < w->n_init; i++) {
                struct member *m = &w->members[i];

                if (m->role == MEMBER_SIDECAR && can_begin(m) && may_start(m, wake))
                        return begin(m);
        }
        return NULL;
}

struct member *worker_next_start(struct worker *w, int64_t *wake) {
        struct member *next;
        bool open;

        if (!w->initialized) {
                next = next_init(w, &open, wake);
                if (next || !open)
                        return next;
                w->initialized = true;
        } else if ((next = next_sidecar(w, wake))) {
                return next;
        }
        for (size_t i = w->n_init; i < w->n_members; i++) {
                struct member *m = &w->members[i];

                if (can_begin(m) && may_start(m, wake))
                        return begin(m);
        }
        return NULL;
}

/* Over by itself: an init container failed for good, or every container ended and none starts again. */
bool worker_is_finished(const struct worker *w) {
        for (size_t i = 0; i < w->n_init; i++) {
                const struct member *m = &w->members[i];

                if (m->role == MEMBER_INIT && !w->initialized && m->state == MEMBER_EXITED && m->end.set &&
                    m->end.exit_code != 0 && !member_should_restart(m))
                        return true;
        }
        for (size_t i = w->n_init; i < w->n_members; i++) {
                const struct member *m = &w->members[i];

                if (m->state != MEMBER_EXITED || !m->end.set || member_should_restart(m))
                        return false;
        }
        return w->n_members > w->n_init;
}

static bool others_run(const struct worker *w, size_t sidecar) {
        for (size_t i = sidecar + 1; i < w->n_members; i++)
                if ((w->members[i].role == MEMBER_SIDECAR || i >= w->n_init) && member_runs(&w->members[i]))
                        return true;
        return false;
}

static void want_stop(struct member *m, int64_t deadline) {
        if (m->stop_wanted)
                return;
        m->stop_wanted = true;
        m->stop_deadline = deadline;
        member_event(m, MEMBER_EVENT_STOP);
}

static bool is_ending(const struct worker *w) {
        return w->state == WORKER_STOPPING || w->state == WORKER_RENEWING || w->state == WORKER_RESTARTING;
}

bool worker_others_need(const struct member *m) {
        const struct worker *w = m->worker;

        return is_ending(w) && m->role == MEMBER_SIDECAR && others_run(w, (size_t)(m - w->members)) &&
               worker_now(w) < w->stop_deadline;
}

/* While the pod ends: preStop hooks of all at once, then containers at once, and the sidecars from the last to the
 * first, each when those after it have ended or the grace period is over. While it runs: only the retries of stops that
 * failed.
 */
void worker_stop_members(struct worker *w, int64_t *wake) {
        int64_t now = worker_now(w);

        for (size_t i = w->n_members; i-- > 0;) {
                struct member *m = &w->members[i];

                if (m->state == MEMBER_STOPPING && m->retry_at) {
                        if (now >= m->retry_at)
                                member_stop(m);
                        else
                                *wake = earlier(*wake, m->retry_at);
                }
                if (is_ending(w))
                        want_stop(m, w->stop_deadline);
                if (m->state != MEMBER_TURN)
                        continue;
                if (worker_others_need(m))
                        *wake = earlier(*wake, w->stop_deadline);
                else
                        member_event(m, MEMBER_EVENT_OK);
        }
}

bool worker_members_stopped(const struct worker *w) {
        for (size_t i = 0; i < w->n_members; i++)
                if (member_runs(&w->members[i]))
                        return false;
        return true;
}

/* Which container is next: kubelet's computePodActions() and termination order (kuberuntime_manager.go,
 * kuberuntime_termination_order.go; KEP-753 for sidecars), and the restart of all (KEP-5532): a container's end for
 * which a rule asks so ends all others, without grace, and all start again in the same sandbox. */
#include "agent/pod/internal.h"

/* -- starts ------------------------------------------------------------------------------------------------ */

/* One at a time, as kubelet starts them. */
static bool someone_starts(const struct worker *w) {
        for (size_t i = 0; i < w->n_members; i++)
                if (member_is_starting(w->members[i]))
                        return true;
        return false;
}

static bool has_done_its_part(const struct member *m) {
        return member_role(m) == MEMBER_SIDECAR ? member_is_up(m) : member_is_done(m);
}

/* The init containers in their order; *ret_open when the others may start. */
static struct member *next_init(struct worker *w, bool *ret_open) {
        *ret_open = false;
        for (size_t i = 0; i < w->n_init; i++) {
                struct member *m = w->members[i];

                if (!has_done_its_part(m))
                        return member_may_begin(m, &w->wake) ? m : NULL;
        }
        *ret_open = true;
        return NULL;
}

/* Sidecars are restarted while the pod lives, in whatever state the others are. */
static struct member *next_sidecar(struct worker *w) {
        for (size_t i = 0; i < w->n_init; i++)
                if (member_role(w->members[i]) == MEMBER_SIDECAR && member_may_begin(w->members[i], &w->wake))
                        return w->members[i];
        return NULL;
}

/* Ephemeral ones wait for nobody. */
static struct member *next_ephemeral(struct worker *w) {
        for (size_t i = w->n_lasting; i < w->n_members; i++)
                if (member_may_begin(w->members[i], &w->wake))
                        return w->members[i];
        return NULL;
}

static struct member *next_start(struct worker *w) {
        struct member *next = next_ephemeral(w);
        bool open = true;

        if (next)
                return next;
        next = w->initialized ? next_sidecar(w) : next_init(w, &open);
        if (next || !open)
                return next;
        w->initialized = true;
        for (size_t i = w->n_init; i < w->n_lasting; i++)
                if (member_may_begin(w->members[i], &w->wake))
                        return w->members[i];
        return NULL;
}

void worker_start_next(struct worker *w) {
        struct member *next = someone_starts(w) ? NULL : next_start(w);

        if (next)
                member_begin(next);
}

/* Over by itself: an init container failed for good, or every container ended and none starts again. */
bool worker_is_finished(const struct worker *w) {
        for (size_t i = 0; i < w->n_init && !w->initialized; i++) {
                const struct member *m = w->members[i];

                if (member_role(m) == MEMBER_INIT && member_is_over(m) && !member_is_done(m))
                        return true;
        }
        for (size_t i = w->n_init; i < w->n_lasting; i++)
                if (!member_is_over(w->members[i]))
                        return false;
        return w->n_lasting > w->n_init;
}

/* -- ends -------------------------------------------------------------------------------------------------- */

bool worker_ends_members(const struct worker *w) {
        return w->state == WORKER_STOPPING || w->state == WORKER_RENEWING || w->state == WORKER_RESTARTING;
}

/* While the pod ends: preStop hooks of all at once, then containers at once, and the sidecars from the last to the
 * first, each when those after it have ended or the grace period is over. */
void worker_tick_members(struct worker *w) {
        for (size_t i = w->n_members; i-- > 0;) {
                if (worker_ends_members(w))
                        member_stop_by(w->members[i], w->stop_deadline);
                worker_wake_at(w, member_tick(w->members[i]));
        }
}

void worker_probe_members(struct worker *w) {
        for (size_t i = 0; i < w->n_members; i++)
                worker_wake_at(w, member_probe(w->members[i]));
}

bool worker_members_stopped(const struct worker *w) {
        for (size_t i = 0; i < w->n_members; i++)
                if (member_runs(w->members[i]))
                        return false;
        return true;
}

/* -- the restart of all ------------------------------------------------------------------------------------ */

/* Between two restarts: kubelet looks at its pods once a second, and has no back-off here either. */
#define RESTART_ALL_MS 1000

bool worker_wants_restart(const struct worker *w) {
        for (size_t i = 0; i < w->n_members; i++)
                if (member_asks_for_all(w->members[i]))
                        return true;
        return false;
}

bool worker_may_restart(struct worker *w) {
        int64_t due = w->restarted_at + RESTART_ALL_MS;

        if (!w->restarted_at || worker_now(w) >= due)
                return true;
        worker_wake_at(w, due);
        return false;
}

/* The containers that asked for it are removed last: an agent that dies in between finds them, and goes on. True when
 * nothing of these is left. */
static bool clear(struct worker *w, bool those_that_asked) {
        bool clear = true;

        for (size_t i = 0; i < w->n_lasting; i++) {
                struct member *m = w->members[i];

                if (member_id(m) && member_asks_for_all(m) == those_that_asked && !member_is_removing(m))
                        member_remove(m);
                clear &= !member_is_removing(m);
        }
        return clear;
}

bool worker_clear_members(struct worker *w) {
        if (!clear(w, false) || !clear(w, true))
                return false;
        for (size_t i = 0; i < w->n_lasting; i++) /* those that no container was made for, too */
                member_remove(w->members[i]);
        return true;
}

#include "agent/pod/worker.h"

#include "agent/pod/internal.h"
#include "lib/log.h"

static bool ends(const struct worker *w) {
        return w->goal != WORKER_TO_RUN;
}

static bool is_discarded_at_once(const struct worker *w) {
        return (w->verdict == WORKER_EVICTED || w->verdict == WORKER_DISRUPTED) && w->goal != WORKER_TO_GO;
}

/* -- what follows on an event: each returns the state that comes next -------------------------------------- */

#define KEEP _WORKER_STATES /* it stays as it is; the state that it is in enters it again */

/* Transitions that lead to one state whatever the pod is like. */
#define GOES_TO(name, state)                                                                                           \
        static enum worker_state name(struct worker *w) {                                                              \
                return state;                                                                                          \
        }
GOES_TO(to_gathering, WORKER_GATHERING)
GOES_TO(to_preparing, WORKER_PREPARING)
GOES_TO(to_joining, WORKER_JOINING)
GOES_TO(to_renew_removing, WORKER_RENEW_REMOVING)
GOES_TO(to_stopping, WORKER_STOPPING)
GOES_TO(to_releasing, WORKER_RELEASING)
GOES_TO(to_resting, WORKER_RESTING)
GOES_TO(to_discarding, WORKER_DISCARDING)
GOES_TO(to_sweeping, WORKER_SWEEPING)
GOES_TO(to_gone, WORKER_GONE)

static enum worker_state look_gathering(struct worker *w) {
        return worker_has_gathered(w) ? WORKER_PREPARING : KEEP;
}

static enum worker_state prepared(struct worker *w) {
        w->lacks_files = false;
        return ends(w) ? WORKER_RELEASING : WORKER_SANDBOX;
}

static enum worker_state prepare_failed(struct worker *w) {
        if (ends(w))
                return WORKER_RELEASING;
        worker_say(w, true, "FailedMount", "%s", err_text(w->failure));
        w->lacks_files = true;
        return WORKER_WAITING;
}

static enum worker_state sandbox_runs(struct worker *w) {
        w->sandbox_attempt++;
        worker_keep_hint(w);
        return WORKER_JOINING;
}

static enum worker_state sandbox_failed(struct worker *w) {
        w->sandbox_attempt++;
        if (ends(w))
                return WORKER_RELEASING;
        worker_say(w, true, "FailedCreatePodSandBox", "Failed to create pod sandbox: %s", err_text(w->failure));
        return WORKER_WAITING;
}

static enum worker_state retry_if_due(struct worker *w) {
        return worker_now(w) >= w->retry_at ? WORKER_GATHERING : KEEP;
}

static enum worker_state joined(struct worker *w) {
        return ends(w) ? WORKER_STOPPING : WORKER_RUNNING;
}

static enum worker_state renew(struct worker *w) {
        worker_say(w, false, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
        return WORKER_RENEWING;
}

static enum worker_state look_running(struct worker *w) {
        bool restart = worker_wants_restart(w);

        if (!restart && worker_is_finished(w))
                return WORKER_STOPPING;
        if (!w->sandbox_ready)
                return worker_is_finished(w) ? WORKER_STOPPING : renew(w);
        if (restart && worker_may_restart(w))
                return WORKER_RESTARTING;
        if (!restart && worker_resize(w))
                worker_start_next(w);
        worker_probe_members(w);
        return KEEP;
}

/* Nothing is removed before the hint says that nothing is initialized: else a new agent would pass over the init
 * containers. */
static enum worker_state look_restarting(struct worker *w) {
        return worker_members_stopped(w) && worker_hint_is_kept(w) ? WORKER_CLEARING : KEEP;
}

static enum worker_state look_clearing(struct worker *w) {
        return worker_clear_members(w) ? WORKER_RUNNING : KEEP;
}

static enum worker_state look_renewing(struct worker *w) {
        worker_probe_members(w);
        return worker_members_stopped(w) && !w->update.runs ? WORKER_RENEW_STOPPING : KEEP;
}

static enum worker_state renewed(struct worker *w) {
        for (size_t i = 0; i < w->n_members; i++)
                if (i < w->n_lasting || !member_id(w->members[i])) /* an ephemeral container runs once */
                        member_reset(w->members[i]);
        w->initialized = false;
        return ends(w) ? WORKER_RELEASING : WORKER_GATHERING;
}

/* No job writes to volumes that go. */
static enum worker_state look_stopping(struct worker *w) {
        worker_probe_members(w);
        return worker_members_stopped(w) && !w->update.runs ? WORKER_STOPPING_SANDBOX : KEEP;
}

static enum worker_state rest(struct worker *w) {
        return w->goal == WORKER_TO_GO ? WORKER_REMOVING : WORKER_RESTING;
}

static enum worker_state released(struct worker *w) {
        return is_discarded_at_once(w) ? WORKER_DISCARDING : rest(w);
}

static enum worker_state discarded(struct worker *w) {
        return is_discarded_at_once(w) ? WORKER_DROPPING : rest(w);
}

static enum worker_state remove_rest(struct worker *w) {
        return w->goal == WORKER_TO_GO ? WORKER_REMOVING : KEEP;
}

/* What ends a pod is tried until it succeeds: nothing of a pod may stay. */
static enum worker_state try_again(struct worker *w) {
        log_warning("pod %s/%s: cannot clean up, trying again in %d s: %s", w->pod->metadata.namespace,
                    w->pod->metadata.name, NODE_RETRY_MS / 1000, err_text(w->failure));
        w->retry_at = worker_now(w) + NODE_RETRY_MS;
        return KEEP;
}

static enum worker_state join_failed(struct worker *w) {
        worker_say(w, true, "FailedCreatePodSandBox", "Failed to take up the pod's sandbox: %s", err_text(w->failure));
        w->retry_at = worker_now(w) + NODE_RETRY_MS;
        return KEEP;
}

static enum worker_state again_if_due(struct worker *w) {
        return w->retry_at != NODE_NEVER && worker_now(w) >= w->retry_at ? w->state : KEEP;
}

/* -- on entering a state ----------------------------------------------------------------------------------- */

static enum worker_event await_retry(struct worker *w) {
        w->retry_at = worker_now(w) + NODE_RETRY_MS;
        return WORKER_EVENT_NONE;
}

/* The end of a pod takes a second at least, so that its hooks run (pod_workers.go, calculateEffectiveGracePeriod());
 * the end of one container, or of a sandbox that died, need not. */
static enum worker_event begin_grace(struct worker *w) {
        int64_t grace = worker_grace(w);

        if (w->state == WORKER_STOPPING && grace < WORKER_GRACE_MIN_S)
                grace = WORKER_GRACE_MIN_S;
        w->stop_deadline = node_later(worker_now(w), grace);
        for (size_t i = 0; i < w->n_members; i++)
                member_end_probes(w->members[i]);
        return WORKER_EVENT_NONE;
}

static enum worker_event begin_restart(struct worker *w) {
        w->stop_deadline = w->restarted_at = worker_now(w);
        w->initialized = false;
        for (size_t i = 0; i < w->n_members; i++)
                if (member_runs(w->members[i]))
                        member_set_kill_reason(w->members[i], "killing");
        worker_keep_hint(w);
        return WORKER_EVENT_NONE;
}

/* The hint says that it is over, and how each container ended. */
static enum worker_event begin_rest(struct worker *w) {
        if (w->verdict != WORKER_REJECTED)
                worker_keep_hint(w);
        return WORKER_EVENT_NONE;
}

static enum worker_event leave(struct worker *w) {
        w->node->ops->gone(w->node->data, w);
        return WORKER_EVENT_NONE;
}

/* -- the table --------------------------------------------------------------------------------------------- */

static const char sync_pod[] = "syncPod", sync_terminating[] = "syncTerminatingPod",
                  sync_terminated[] = "syncTerminatedPod";

/* One row a state: what is done on entering, and on each event. An empty field: the event means nothing there. */
static const struct worker_row {
        const char *name, *sync;
        enum worker_event (*enter)(struct worker *w);
        enum worker_state (*on[_WORKER_EVENTS])(struct worker *w);
} table[_WORKER_STATES] = {
        [WORKER_NEW] = { "new",
                         sync_pod,
                         NULL,
                         { [WORKER_EVENT_START] = to_gathering,
                           [WORKER_EVENT_TAKE_UP] = to_joining,
                           [WORKER_EVENT_REJECT] = to_resting,
                           [WORKER_EVENT_STOP] = to_releasing } },
        [WORKER_GATHERING] = { "gathering",
                               sync_pod,
                               worker_gather,
                               { [WORKER_EVENT_OK] = to_preparing,
                                 [WORKER_EVENT_TICK] = look_gathering,
                                 [WORKER_EVENT_STOP] = to_releasing } },
        [WORKER_PREPARING] = { "preparing",
                               sync_pod,
                               worker_prepare,
                               { [WORKER_EVENT_OK] = prepared, [WORKER_EVENT_FAILED] = prepare_failed } },
        [WORKER_SANDBOX] = { "sandbox",
                             sync_pod,
                             worker_run_sandbox,
                             { [WORKER_EVENT_OK] = sandbox_runs, [WORKER_EVENT_FAILED] = sandbox_failed } },
        [WORKER_WAITING] = { "waiting",
                             sync_pod,
                             await_retry,
                             { [WORKER_EVENT_TICK] = retry_if_due, [WORKER_EVENT_STOP] = to_releasing } },
        [WORKER_JOINING] = { "joining",
                             sync_pod,
                             worker_join_sandbox,
                             { [WORKER_EVENT_OK] = joined,
                               [WORKER_EVENT_FAILED] = join_failed,
                               [WORKER_EVENT_TICK] = again_if_due,
                               [WORKER_EVENT_STOP] = to_stopping } },
        [WORKER_RUNNING] = { "running",
                             sync_pod,
                             NULL,
                             { [WORKER_EVENT_TICK] = look_running, [WORKER_EVENT_STOP] = to_stopping } },
        [WORKER_RESTARTING] = { "restarting all containers",
                                sync_pod,
                                begin_restart,
                                { [WORKER_EVENT_TICK] = look_restarting, [WORKER_EVENT_STOP] = to_stopping } },
        [WORKER_CLEARING] = { "clearing all containers",
                              sync_pod,
                              NULL,
                              { [WORKER_EVENT_TICK] = look_clearing, [WORKER_EVENT_STOP] = to_stopping } },
        [WORKER_RENEWING] = { "renewing",
                              sync_pod,
                              begin_grace,
                              { [WORKER_EVENT_TICK] = look_renewing, [WORKER_EVENT_STOP] = to_stopping } },
        [WORKER_RENEW_STOPPING] = { "renewing: stopping the dead sandbox",
                                    sync_pod,
                                    worker_stop_sandbox,
                                    { [WORKER_EVENT_OK] = to_renew_removing,
                                      [WORKER_EVENT_FAILED] = try_again,
                                      [WORKER_EVENT_TICK] = again_if_due } },
        [WORKER_RENEW_REMOVING] = { "renewing: removing the dead sandbox",
                                    sync_pod,
                                    worker_remove_sandbox,
                                    { [WORKER_EVENT_OK] = renewed,
                                      [WORKER_EVENT_FAILED] = try_again,
                                      [WORKER_EVENT_TICK] = again_if_due } },
        [WORKER_STOPPING] = { "stopping", sync_terminating, begin_grace, { [WORKER_EVENT_TICK] = look_stopping } },
        [WORKER_STOPPING_SANDBOX] = { "stopping sandbox",
                                      sync_terminating,
                                      worker_stop_sandbox,
                                      { [WORKER_EVENT_OK] = to_releasing,
                                        [WORKER_EVENT_FAILED] = try_again,
                                        [WORKER_EVENT_TICK] = again_if_due } },
        [WORKER_RELEASING] = { "releasing",
                               sync_terminated,
                               worker_release,
                               { [WORKER_EVENT_OK] = released,
                                 [WORKER_EVENT_FAILED] = try_again,
                                 [WORKER_EVENT_TICK] = again_if_due } },
        [WORKER_RESTING] = { "resting",
                             sync_terminated,
                             begin_rest,
                             { [WORKER_EVENT_STOP] = remove_rest, [WORKER_EVENT_DISCARD] = to_discarding } },
        [WORKER_DISCARDING] = { "discarding",
                                sync_terminated,
                                worker_remove_sandbox,
                                { [WORKER_EVENT_OK] = discarded,
                                  [WORKER_EVENT_FAILED] = try_again,
                                  [WORKER_EVENT_TICK] = again_if_due } },
        [WORKER_DROPPING] = { "dropping logs",
                              sync_terminated,
                              worker_drop_logs,
                              { [WORKER_EVENT_OK] = rest,
                                [WORKER_EVENT_FAILED] = try_again,
                                [WORKER_EVENT_TICK] = again_if_due } },
        [WORKER_REMOVING] = { "removing",
                              sync_terminated,
                              worker_remove_sandbox,
                              { [WORKER_EVENT_OK] = to_sweeping,
                                [WORKER_EVENT_FAILED] = try_again,
                                [WORKER_EVENT_TICK] = again_if_due } },
        [WORKER_SWEEPING] = { "sweeping",
                              sync_terminated,
                              worker_sweep,
                              { [WORKER_EVENT_OK] = to_gone,
                                [WORKER_EVENT_FAILED] = try_again,
                                [WORKER_EVENT_TICK] = again_if_due } },
        [WORKER_GONE] = { "gone", sync_terminated, leave, { 0 } },
};

static enum worker_event enter(struct worker *w, enum worker_state state) {
        log_debug("pod %s/%s: %s -> %s", w->pod->metadata.namespace, w->pod->metadata.name, table[w->state].name,
                  table[state].name);
        w->state = state;
        w->retry_at = NODE_NEVER;
        w->ops.trace.wanted = table[state].sync;
        return table[state].enter ? table[state].enter(w) : WORKER_EVENT_NONE;
}

/* One event leads to another until nothing more comes of it at once. */
void worker_event(struct worker *w, enum worker_event event) {
        bool changed = event != WORKER_EVENT_TICK;

        while (event != WORKER_EVENT_NONE) {
                enum worker_state next = table[w->state].on[event] ? table[w->state].on[event](w) : KEEP;

                event = next == KEEP ? WORKER_EVENT_NONE : enter(w, next);
                changed |= next != KEEP;
        }
        if (changed)
                worker_step(w);
}

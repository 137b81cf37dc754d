#include "agent/pod/worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/node/dns.h"
#include "agent/node/events.h"
#include "agent/config/options.h"
#include "agent/pod/files.h"
#include "agent/volumes/volumes.h"
#include "agent/pod/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

int64_t worker_now(const struct worker *w) {
        return w->node->ops->now(w->node->data);
}

void worker_say(struct worker *w, const struct member *m, bool warning, const char *reason, const char *format, ...) {
        struct event_object object = {
                .namespace_ = w->pod->metadata.namespace,
                .name = w->pod->metadata.name,
                .uid = w->pod->metadata.uid,
                .container = m ? m->spec->name : NULL,
                .init = m && m->role != MEMBER_MAIN,
        };
        char text[EVENT_TEXT_MAX];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        events_add(w->node->events, &object, warning, reason, "%s", text);
}

static bool is_ending(const struct worker *w) {
        return w->deleting || w->terminal;
}

void worker_fail(struct worker *w, const char *reason, const char *message) {
        if (is_ending(w))
                return;
        w->reason = reason;
        free(w->message);
        w->message = strdup(message);
        w->terminal = true;
        worker_write_hint(w);
        worker_event(w, WORKER_EVENT_STOP);
}

/* -- operations of the states ------------------------------------------------------------------------------ */

static void take_failure(struct worker *w, const struct err *err) {
        w->failure = err_free(w->failure);
        err_set(&w->failure, err_code(err) ? err_code(err) : EIO, "%s", err_text(err));
}

/* The end of an operation that only succeeds or fails. */
static void on_done(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct worker *w = op->worker;

        if (err)
                take_failure(w, err);
        worker_event(w, err ? WORKER_EVENT_FAILED : WORKER_EVENT_OK);
}

static int prepare_work(struct op *op, struct err **err) {
        return pod_files_prepare(op->input, err);
}

static void on_prepared(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct pod_files *files = op->input;
        struct worker *w = op->worker;

        dns_choice_free(w->dns);
        w->dns = files->dns;
        if (w->dns && dns_choice_warning(w->dns))
                worker_say(w, NULL, true, "DNSConfigForming", "%s", dns_choice_warning(w->dns));
        on_done(op, response, err);
}

static void prepare(struct worker *w) {
        struct op *op = op_new(w, NULL);

        if (!op)
                return;
        op->work = prepare_work;
        op->step = "prepare_pod";
        op->done = on_prepared;
        op->input = pod_files_new(op->arena, w);
        w->retry_at = WORKER_NEVER;
        op_run(op);
}

static void on_sandbox(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct worker *w = op->worker;

        if (!err) {
                free(w->sandbox_id);
                w->sandbox_id = strdup(((const Cri__RunPodSandboxResponse *)response)->pod_sandbox_id);
        }
        on_done(op, response, err);
}

static void run_sandbox(struct worker *w) {
        struct op *op = op_new(w, NULL);
        Cri__RunPodSandboxRequest *request;
        _cleanup_err_ struct err *err = NULL;

        if (!op)
                return;
        request = arena_new_of(op->arena, Cri__RunPodSandboxRequest);
        if (request)
                cri__run_pod_sandbox_request__init(request);
        if (!worker_take_userns(w, -1))
                err_set(&err, ENOSPC, "all %d blocks of user ids are taken by other pods", WORKER_USERNS_MAX);
        if (!request || err || !(request->config = request_sandbox(op->arena, w, &err))) {
                op_drop(op);
                take_failure(w, err);
                worker_event(w, WORKER_EVENT_FAILED);
                return;
        }
        if (w->pod->spec.runtime_class_name)
                request->runtime_handler = (char *)w->pod->spec.runtime_class_name;
        op->done = on_sandbox;
        op_call(op, CRI_RUN_POD_SANDBOX, request);
}

void worker_forget_ips(struct worker *w) {
        for (size_t i = 0; i < w->n_ips; i++)
                free(w->ips[i]);
        free(w->ips);
        free(w->ips_joined);
        w->ips = NULL;
        w->ips_joined = NULL;
        w->n_ips = 0;
}

static void add_ip(struct worker *w, const char *ip) {
        char **more = reallocarray(w->ips, w->n_ips + 2, sizeof(*more));
        char *copy = more ? strdup(ip) : NULL;

        if (more)
                w->ips = more;
        if (!copy)
                return;
        w->ips[w->n_ips++] = copy;
        w->ips[w->n_ips] = NULL;

        char *joined = NULL;
        if (asprintf(&joined, "%s%s%s", w->ips_joined ? w->ips_joined : "", w->ips_joined ? "," : "", ip) > 0) {
                free(w->ips_joined);
                w->ips_joined = joined;
        }
}

/* Takes up what cri says of the sandbox. */
void worker_look_at_sandbox(struct worker *w) {
        struct cri_sandbox_info info;

        worker_forget_ips(w);
        w->sandbox_ready = false;
        if (!w->sandbox_id || w->node->ops->sandbox_get(w->node->data, w->sandbox_id, &info) < 0)
                return;
        w->sandbox_ready = info.ready;
        for (size_t i = 0; i < info.n_ips; i++)
                add_ip(w, info.ips[i]);
        if (w->n_ips == 0 && w->node->host_ip && w->pod->spec.host_network)
                add_ip(w, w->node->host_ip);
}

static void on_removed(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct worker *w = op->worker;

        if (err && err_code(err) != ENOENT) {
                on_done(op, response, err);
                return;
        }
        free(w->sandbox_id);
        w->sandbox_id = NULL;
        on_done(op, response, NULL);
}

static void remove_sandbox(struct worker *w) {
        struct op *op = w->sandbox_id ? op_new(w, NULL) : NULL;

        if (!op) {
                worker_event(w, WORKER_EVENT_OK);
                return;
        }
        Cri__RemovePodSandboxRequest *request = arena_new_of(op->arena, Cri__RemovePodSandboxRequest);
        if (!request) {
                op_drop(op);
                return;
        }
        cri__remove_pod_sandbox_request__init(request);
        request->pod_sandbox_id = arena_strdup(op->arena, w->sandbox_id);
        op->done = on_removed;
        op_call(op, CRI_REMOVE_POD_SANDBOX, request);
}

static void on_stopped(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct worker *w = op->worker;

        if (err && err_code(err) != ENOENT) {
                on_done(op, response, err);
                return;
        }
        w->sandbox_ready = false;
        if (w->state == WORKER_RENEWING)
                remove_sandbox(w);
        else
                on_done(op, response, NULL);
}

static void stop_sandbox(struct worker *w) {
        struct op *op = w->sandbox_id ? op_new(w, NULL) : NULL;

        if (!op) {
                worker_event(w, WORKER_EVENT_OK);
                return;
        }
        Cri__StopPodSandboxRequest *request = arena_new_of(op->arena, Cri__StopPodSandboxRequest);
        if (!request) {
                op_drop(op);
                return;
        }
        cri__stop_pod_sandbox_request__init(request);
        request->pod_sandbox_id = arena_strdup(op->arena, w->sandbox_id);
        op->done = on_stopped;
        op_call(op, CRI_STOP_POD_SANDBOX, request);
}

static int release_work(struct op *op, struct err **err) {
        return pod_files_release(op->input, err);
}

static int sweep_work(struct op *op, struct err **err) {
        return pod_files_sweep(op->input, err);
}

static int drop_work(struct op *op, struct err **err) {
        return pod_files_drop_logs(op->input, err);
}

static void run_files_job(struct worker *w, const char *step, int (*work)(struct op *op, struct err **err)) {
        struct op *op = op_new(w, NULL);

        if (!op)
                return;
        op->step = step;
        op->work = work;
        op->done = on_done;
        op->input = pod_files_new(op->arena, w);
        op_run(op);
}

/* -- the table --------------------------------------------------------------------------------------------- */

static void enter(struct worker *w, enum worker_state state);

static void begin(struct worker *w) {
        enter(w, WORKER_PREPARING);
}

static void prepared(struct worker *w) {
        enter(w, is_ending(w) ? WORKER_RELEASING : WORKER_SANDBOX);
}

static void wait_again(struct worker *w) {
        w->retry_at = worker_now(w) + WORKER_RETRY_MS;
        enter(w, WORKER_WAITING);
}

static void prepare_failed(struct worker *w) {
        if (is_ending(w)) {
                enter(w, WORKER_RELEASING);
                return;
        }
        worker_say(w, NULL, true, "FailedMount", "%s", err_text(w->failure));
        wait_again(w);
}

static void sandbox_runs(struct worker *w) {
        w->sandbox_attempt++;
        worker_look_at_sandbox(w);
        worker_write_hint(w);
        enter(w, is_ending(w) ? WORKER_STOPPING : WORKER_RUNNING);
}

static void sandbox_failed(struct worker *w) {
        w->sandbox_attempt++;
        if (is_ending(w)) {
                enter(w, WORKER_RELEASING);
                return;
        }
        worker_say(w, NULL, true, "FailedCreatePodSandBox", "Failed to create pod sandbox: %s", err_text(w->failure));
        wait_again(w);
}

static void retry_if_due(struct worker *w) {
        if (worker_now(w) >= w->retry_at)
                enter(w, WORKER_PREPARING);
}

static void run(struct worker *w) {
        /* worker_step() does the work of this state: it has the next time to return. */
}

static void restart_all(struct worker *w) {
        enter(w, WORKER_RESTARTING);
}

static void restarted_all(struct worker *w) {
        enter(w, WORKER_RUNNING);
}

static void renew(struct worker *w) {
        if (worker_is_finished(w)) {
                worker_event(w, WORKER_EVENT_STOP);
                return;
        }
        worker_say(w, NULL, false, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
        enter(w, WORKER_RENEWING);
}

static void renewed(struct worker *w) {
        for (size_t i = 0; i < w->n_members; i++)
                member_reset(&w->members[i]);
        w->initialized = w->renewing = false;
        w->starting = NULL;
        w->stop_deadline = 0;
        enter(w, is_ending(w) ? WORKER_RELEASING : WORKER_PREPARING);
}

int64_t worker_grace(const struct worker *w) {
        const struct opt_int *grace = &w->pod->spec.termination_grace_period;

        if (w->eviction_grace > 0)
                return w->eviction_grace;
        return grace->set ? grace->value : 30;
}

static void stop(struct worker *w) {
        w->stop_deadline = 0;
        enter(w, WORKER_STOPPING);
}

static void stopped(struct worker *w) {
        enter(w, WORKER_STOPPING_SANDBOX);
}

static void sandbox_stopped(struct worker *w) {
        enter(w, WORKER_RELEASING);
}

static bool is_evicted(const struct worker *w) {
        return w->terminal && !w->rejected && w->reason && strcmp(w->reason, "Evicted") == 0;
}

static void rest(struct worker *w) {
        enter(w, w->deleting ? WORKER_REMOVING : WORKER_RESTING);
        if (!w->deleting)
                worker_write_hint(w); /* says that it is over, and how each container ended */
}

static void released(struct worker *w) {
        if (is_evicted(w) && !w->deleting)
                enter(w, WORKER_DISCARDING);
        else
                rest(w);
}

static void discard(struct worker *w) {
        enter(w, WORKER_DISCARDING);
}

static void discarded(struct worker *w) {
        if (is_evicted(w) && !w->deleting)
                enter(w, WORKER_DROPPING);
        else
                rest(w);
}

static void remove_rest(struct worker *w) {
        if (w->deleting)
                enter(w, WORKER_REMOVING);
}

static void removed(struct worker *w) {
        enter(w, WORKER_SWEEPING);
}

static void swept(struct worker *w) {
        w->state = WORKER_GONE;
        w->node->ops->gone(w->node->data, w);
}

/* What ends a pod is tried until it succeeds: nothing of a pod may stay. */
static void try_again(struct worker *w) {
        w->renewing = false;
        log_warning("pod %s/%s: cannot clean up, trying again in %d s: %s", w->pod->metadata.namespace,
                    w->pod->metadata.name, WORKER_RETRY_MS / 1000, err_text(w->failure));
        w->retry_at = worker_now(w) + WORKER_RETRY_MS;
}

static void reenter_if_due(struct worker *w) {
        if (w->retry_at != WORKER_NEVER && worker_now(w) >= w->retry_at)
                enter(w, w->state);
}

static void on_enter_preparing(struct worker *w) {
        prepare(w);
}

static void on_enter_releasing(struct worker *w) {
        run_files_job(w, "release_pod", release_work);
}

static void on_enter_dropping(struct worker *w) {
        run_files_job(w, "drop_logs", drop_work);
}

static void on_enter_sweeping(struct worker *w) {
        run_files_job(w, "sweep_pod", sweep_work);
}

/* The end of a pod takes a second at least, so that its hooks run (pod_workers.go, calculateEffectiveGracePeriod());
 * the end of one container, or of a sandbox that died, need not. */
void worker_enter_stopping(struct worker *w) {
        int64_t grace = worker_grace(w);

        if (w->state == WORKER_STOPPING && grace < WORKER_GRACE_MIN_S)
                grace = WORKER_GRACE_MIN_S;
        w->stop_deadline = later(worker_now(w), grace);
        w->renewing = false;
        for (size_t i = 0; i < w->n_members; i++)
                probers_end(&w->members[i]);
}

/* One row a state: what is done on entering, and on each event. An empty field: the event means nothing there. */
static const struct worker_row {
        const char *name;
        void (*enter)(struct worker *w);
        void (*on[_WORKER_EVENTS])(struct worker *w);
} table[_WORKER_STATES] = {
        [WORKER_NEW] = { "new", NULL, { [WORKER_EVENT_START] = begin, [WORKER_EVENT_STOP] = sandbox_stopped } },
        [WORKER_PREPARING] = { "preparing",
                               on_enter_preparing,
                               { [WORKER_EVENT_OK] = prepared, [WORKER_EVENT_FAILED] = prepare_failed } },
        [WORKER_SANDBOX] = { "sandbox",
                             run_sandbox,
                             { [WORKER_EVENT_OK] = sandbox_runs, [WORKER_EVENT_FAILED] = sandbox_failed } },
        [WORKER_WAITING] = { "waiting",
                             NULL,
                             { [WORKER_EVENT_TICK] = retry_if_due, [WORKER_EVENT_STOP] = sandbox_stopped } },
        [WORKER_RUNNING] = { "running",
                             run,
                             { [WORKER_EVENT_SANDBOX_DIED] = renew,
                               [WORKER_EVENT_RESTART_ALL] = restart_all,
                               [WORKER_EVENT_STOP] = stop } },
        [WORKER_RESTARTING] = { "restarting all containers",
                                worker_enter_restarting,
                                { [WORKER_EVENT_OK] = restarted_all, [WORKER_EVENT_STOP] = stop } },
        [WORKER_RENEWING] = { "renewing",
                              worker_enter_stopping,
                              { [WORKER_EVENT_OK] = renewed,
                                [WORKER_EVENT_FAILED] = try_again,
                                [WORKER_EVENT_STOP] = stop } },
        [WORKER_STOPPING] = { "stopping", worker_enter_stopping, { [WORKER_EVENT_OK] = stopped } },
        [WORKER_STOPPING_SANDBOX] = { "stopping sandbox",
                                      stop_sandbox,
                                      { [WORKER_EVENT_OK] = sandbox_stopped,
                                        [WORKER_EVENT_FAILED] = try_again,
                                        [WORKER_EVENT_TICK] = reenter_if_due } },
        [WORKER_RELEASING] = { "releasing",
                               on_enter_releasing,
                               { [WORKER_EVENT_OK] = released,
                                 [WORKER_EVENT_FAILED] = try_again,
                                 [WORKER_EVENT_TICK] = reenter_if_due } },
        [WORKER_RESTING] = { "resting", NULL, { [WORKER_EVENT_STOP] = remove_rest, [WORKER_EVENT_DISCARD] = discard } },
        [WORKER_DISCARDING] = { "discarding",
                                remove_sandbox,
                                { [WORKER_EVENT_OK] = discarded,
                                  [WORKER_EVENT_FAILED] = try_again,
                                  [WORKER_EVENT_TICK] = reenter_if_due } },
        [WORKER_DROPPING] = { "dropping logs",
                              on_enter_dropping,
                              { [WORKER_EVENT_OK] = rest,
                                [WORKER_EVENT_FAILED] = try_again,
                                [WORKER_EVENT_TICK] = reenter_if_due } },
        [WORKER_REMOVING] = { "removing",
                              remove_sandbox,
                              { [WORKER_EVENT_OK] = removed,
                                [WORKER_EVENT_FAILED] = try_again,
                                [WORKER_EVENT_TICK] = reenter_if_due } },
        [WORKER_SWEEPING] = { "sweeping",
                              on_enter_sweeping,
                              { [WORKER_EVENT_OK] = swept,
                                [WORKER_EVENT_FAILED] = try_again,
                                [WORKER_EVENT_TICK] = reenter_if_due } },
        [WORKER_GONE] = { "gone", NULL, { 0 } },
};

static void enter(struct worker *w, enum worker_state state) {
        log_debug("pod %s/%s: %s -> %s", w->pod->metadata.namespace, w->pod->metadata.name, table[w->state].name,
                  table[state].name);
        w->state = state;
        if (state != WORKER_WAITING)
                w->retry_at = WORKER_NEVER;
        if (table[state].enter)
                table[state].enter(w);
}

void worker_event(struct worker *w, enum worker_event event) {
        if (table[w->state].on[event])
                table[w->state].on[event](w);
        if (event != WORKER_EVENT_TICK)
                worker_step(w);
}

/* -- steps ------------------------------------------------------------------------------------------------- */

static void check_deadline(struct worker *w, int64_t *wake) {
        if (w->deadline == WORKER_NEVER || is_ending(w))
                return;
        if (worker_now(w) < w->deadline) {
                *wake = earlier(*wake, w->deadline);
                return;
        }
        worker_say(w, NULL, false, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
        worker_fail(w, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
}

static void check_hooks(struct worker *w, int64_t *wake) {
        for (size_t i = 0; i < w->n_members; i++) {
                struct member *m = &w->members[i];

                if (m->hook_deadline == WORKER_NEVER)
                        continue;
                if (worker_now(w) >= m->hook_deadline) {
                        bool slept = m->sleeping;

                        hook_cancel(m);
                        member_event(m, slept ? MEMBER_EVENT_OK : MEMBER_EVENT_LATE);
                } else
                        *wake = earlier(*wake, m->hook_deadline);
        }
}

/* What the pod as a whole has come to; none: it goes on running. */
static enum worker_event turn(struct worker *w, bool restart, int64_t *wake) {
        if (!restart && worker_is_finished(w))
                return WORKER_EVENT_STOP;
        if (!w->sandbox_ready)
                return WORKER_EVENT_SANDBOX_DIED;
        if (restart && worker_may_restart(w, wake))
                return WORKER_EVENT_RESTART_ALL;
        return WORKER_EVENT_TICK;
}

static void step_running(struct worker *w, int64_t *wake) {
        bool restart = worker_wants_restart(w);
        enum worker_event event = turn(w, restart, wake);
        struct member *next;

        if (event != WORKER_EVENT_TICK) {
                worker_event(w, event);
                return;
        }
        worker_stop_members(w, wake);
        if (!w->starting && !restart && (next = worker_next_start(w, wake))) {
                w->starting = next;
                member_event(next, MEMBER_EVENT_BEGIN);
        }
        for (size_t i = 0; i < w->n_members; i++)
                probers_run(&w->members[i], wake);
}

static void step_stopping(struct worker *w, int64_t *wake) {
        for (size_t i = 0; i < w->n_members; i++)
                probers_run(&w->members[i], wake);
        worker_stop_members(w, wake);
        if (!worker_members_stopped(w))
                return;
        if (w->state == WORKER_STOPPING) {
                worker_event(w, WORKER_EVENT_OK);
        } else if (w->retry_at == WORKER_NEVER || worker_now(w) >= w->retry_at) {
                w->retry_at = WORKER_NEVER;
                if (!w->renewing)
                        stop_sandbox(w);
                w->renewing = true;
        }
}

static void step_once(struct worker *w, int64_t *wake) {
        check_deadline(w, wake);
        check_hooks(w, wake);
        worker_event(w, WORKER_EVENT_TICK);
        if (w->state == WORKER_RUNNING)
                step_running(w, wake);
        else if (w->state == WORKER_RESTARTING)
                worker_step_restarting(w, wake);
        else if (w->state == WORKER_STOPPING || w->state == WORKER_RENEWING)
                step_stopping(w, wake);
        *wake = earlier(*wake, w->retry_at);
}

void worker_step(struct worker *w) {
        int64_t wake;

        if (w->dead || w->state == WORKER_GONE)
                return;
        if (w->in_step) {
                w->step_again = true;
                return;
        }
        w->in_step = true;
        do {
                w->step_again = false;
                wake = WORKER_NEVER;
                if (w->state != WORKER_NEW)
                        step_once(w, &wake);
        } while (w->step_again && w->state != WORKER_GONE);
        w->in_step = false;
        if (w->state == WORKER_GONE)
                return;
        if (wake != w->timer) {
                w->timer = wake;
                w->node->ops->set_timer(w->node->data, w, wake);
        }
        worker_update_status(w);
        w->node->ops->changed(w->node->data, w);
}

void worker_tick(struct worker *w) {
        w->timer = WORKER_NEVER;
        worker_step(w);
}

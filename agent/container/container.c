#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/internal.h"
#include "lib/cleanup.h"
#include "lib/log.h"

bool member_runs(const struct member *m) {
        return m->state >= MEMBER_PREPARING && m->state <= MEMBER_STOPPING;
}

void member_set_waiting(struct member *m, const char *reason, const char *format, ...) {
        va_list args;

        m->waiting_reason = reason;
        free(m->waiting_message);
        m->waiting_message = NULL;
        if (!reason)
                return;
        va_start(args, format);
        if (vasprintf(&m->waiting_message, format, args) < 0)
                m->waiting_message = NULL;
        va_end(args);
}

static void clear_ending(struct ending *e) {
        free(e->id);
        free(e->reason);
        free(e->message);
        *e = (struct ending){ 0 };
}

void member_clear(struct member *m) {
        clear_ending(&m->end);
        clear_ending(&m->last);
        free(m->id);
        free(m->previous_id);
        free(m->image_id);
        free(m->image_user);
        free(m->log_path);
        free(m->waiting_message);
}

void member_removed(struct member *m, const char *reason, const char *message) {
        m->restarts++;
        if (m->waiting_reason) /* what ended before goes on to be told */
                return;
        clear_ending(&m->end);
        clear_ending(&m->last);
        m->last = (struct ending){
                .set = true,
                .reason = strdup(reason),
                .message = strdup(message),
                .exit_code = 137,
                .started_at = -1,
        };
}

void member_lost(struct member *m) {
        clear_ending(&m->end);
        m->end = (struct ending){
                .set = true,
                .reason = strdup("Completed"),
                .message = strdup(
                        "Unable to get init container status from container runtime and pod has been initialized, "
                        "treat it as exited normally"),
                .started_at = -1,
        };
        m->state = MEMBER_EXITED;
        m->lost = true;
}

void member_reset(struct member *m) {
        m->round++;
        hook_cancel(m);
        if (m->end.set) {
                clear_ending(&m->last);
                m->last = m->end;
                m->end = (struct ending){ 0 };
        }
        if (m->id)
                m->restarts++;
        free(m->id);
        free(m->previous_id);
        m->id = m->previous_id = NULL;
        m->state = MEMBER_WAITING;
        m->stop_wanted = m->lost = false;
        m->started = m->ready = false;
        m->kill_reason = NULL;
        m->retry_at = 0;
}

void member_condemn(struct member *m, const char *reason, int64_t grace) {
        m->kill_reason = reason;
        m->stop_wanted = true;
        m->stop_deadline = later(worker_now(m->worker), grace);
}

/* -- actions ----------------------------------------------------------------------------------------------- */

static void not_starting(struct member *m) {
        if (m->worker->starting == m)
                m->worker->starting = NULL;
}

static void begin(struct member *m) {
        m->round++;
        m->images_done = 0;
        m->retry_at = 0;
        m->stop_wanted = false;
        m->kill_reason = NULL;
        m->started = m->ready = false;
        member_find_image(m);
}

/* Its pod ends while its image is fetched: the pull may go on, nobody waits for it. */
static void abandon(struct member *m) {
        m->round++;
        m->state = m->end.set ? MEMBER_EXITED : MEMBER_WAITING;
        not_starting(m);
}

/* Before its process runs, a stop only keeps the next step from being made. */
static bool called_off(struct member *m) {
        if (!m->stop_wanted)
                return false;
        m->state = m->end.set ? MEMBER_EXITED : MEMBER_WAITING;
        not_starting(m);
        return true;
}

static void have_image(struct member *m) {
        m->pull = (struct backoff){ 0 };
        m->pull_failed_at = 0;
        member_prepare(m);
}

static void prepared(struct member *m) {
        if (!called_off(m))
                member_create(m);
}

static void created(struct member *m) {
        if (!called_off(m))
                member_start(m);
}

static void image_failed(struct member *m) {
        m->state = m->end.set ? MEMBER_EXITED : MEMBER_WAITING;
        not_starting(m);
}

/* Could not be made: reason and text are set by who failed. Again after kubelet's back-off. */
static void create_failed(struct member *m) {
        m->state = m->end.set ? MEMBER_EXITED : MEMBER_WAITING;
        m->retry_at = worker_now(m->worker) + WORKER_RETRY_MS;
        not_starting(m);
}

static bool has_exited(struct member *m) {
        struct cri_container_info info;

        return m->id && m->worker->node->ops->container_get(m->worker->node->data, m->id, &info) == 0 &&
               info.state == CRI__CONTAINER_STATE__CONTAINER_EXITED;
}

static void runs(struct member *m) {
        member_set_waiting(m, NULL, "%s", "");
        m->worker->initialized |= m->role == MEMBER_MAIN && m->worker->state != WORKER_RESTARTING;
        if (has_exited(m)) {
                member_event(m, MEMBER_EVENT_EXITED);
                return;
        }
        if (m->stop_wanted) {
                not_starting(m);
                m->state = MEMBER_RUNNING;
                member_event(m, MEMBER_EVENT_STOP);
                return;
        }
        probers_begin(m, worker_now(m->worker), false);
        member_post_start(m);
}

/* StartContainer failed: the container is there and counts as one that ended. */
static void start_failed(struct member *m) {
        struct cri_container_info info;

        not_starting(m);
        if (m->worker->node->ops->container_get(m->worker->node->data, m->id, &info) == 0 &&
            info.state == CRI__CONTAINER_STATE__CONTAINER_EXITED) {
                member_take_exit(m, &info);
        } else {
                m->end = (struct ending){
                        .set = true,
                        .id = strdup(m->id),
                        .reason = strdup("StartError"),
                        .message = strdup(m->waiting_message ? m->waiting_message : ""),
                        .exit_code = 128,
                        .finished_at = worker_now(m->worker),
                };
        }
}

static void hook_passed(struct member *m) {
        not_starting(m);
        m->started = m->probers[SCHEDULE_STARTUP].spec == NULL;
}

/* It gets its whole grace period and its preStop hook; the others' starts wait for its end. */
static void hook_failed(struct member *m) {
        worker_say(m->worker, m, true, "FailedPostStartHook", "PostStartHook failed: %s", err_text(m->worker->failure));
        member_condemn(m, "FailedPostStartHook", worker_grace(m->worker));
        member_pre_stop(m);
}

static void stop_in_hook(struct member *m) {
        hook_cancel(m);
        not_starting(m);
        member_pre_stop(m);
}

static void await_turn(struct member *m) {
        if (!worker_others_need(m))
                member_event(m, MEMBER_EVENT_OK);
}

static void late_hook(struct member *m) {
        hook_cancel(m);
        await_turn(m);
}

static void late_post_start(struct member *m) {
        hook_cancel(m);
        hook_failed(m);
}

static void pre_stop_failed(struct member *m) {
        worker_say(m->worker, m, true, "FailedPreStopHook", "PreStopHook failed: %s", err_text(m->worker->failure));
        await_turn(m);
}

static void ended(struct member *m) {
        struct cri_container_info info;

        m->round++;
        hook_cancel(m);
        not_starting(m);
        probers_stop(m);
        m->started = m->ready = false;
        m->retry_at = 0;
        member_set_waiting(m, NULL, "%s", "");
        if (m->worker->node->ops->container_get(m->worker->node->data, m->id, &info) < 0)
                info = (struct cri_container_info){ .exit_code = 137, .reason = "ContainerStatusUnknown", .id = m->id };
        member_take_exit(m, &info);
}

/* StopContainer came back: the exit was heard before, or is there now. */
static void stop_done(struct member *m) {
        struct cri_container_info info;

        if (m->worker->node->ops->container_get(m->worker->node->data, m->id, &info) < 0 ||
            info.state == CRI__CONTAINER_STATE__CONTAINER_EXITED)
                member_event(m, MEMBER_EVENT_EXITED);
        else
                m->retry_at = worker_now(m->worker) + 1000;
}

static void stop_failed(struct member *m) {
        log_warning("pod %s/%s: container %s: cannot stop it, trying again: %s", m->worker->pod->metadata.namespace,
                    m->worker->pod->metadata.name, m->spec->name, err_text(m->worker->failure));
        m->retry_at = worker_now(m->worker) + WORKER_RETRY_MS;
}

/* -- the table --------------------------------------------------------------------------------------------- */

#define KEEP _MEMBER_STATES /* the action decides */

struct cell {
        void (*action)(struct member *m); /* NULL: the event means nothing here */
        enum member_state next;           /* set before the action, which may change it */
};

static const struct {
        const char *name;
        struct cell on[_MEMBER_EVENTS];
} table[_MEMBER_STATES] = {
        [MEMBER_WAITING] = { "waiting", { [MEMBER_EVENT_BEGIN] = { begin, MEMBER_IMAGE } } },
        [MEMBER_IMAGE] = { "image",
                           { [MEMBER_EVENT_OK] = { have_image, MEMBER_PREPARING },
                             [MEMBER_EVENT_FAILED] = { image_failed, MEMBER_WAITING },
                             [MEMBER_EVENT_STOP] = { abandon, MEMBER_WAITING } } },
        [MEMBER_PREPARING] = { "preparing",
                               { [MEMBER_EVENT_OK] = { prepared, MEMBER_CREATING },
                                 [MEMBER_EVENT_FAILED] = { create_failed, MEMBER_WAITING } } },
        [MEMBER_CREATING] = { "creating",
                              { [MEMBER_EVENT_OK] = { created, MEMBER_STARTING },
                                [MEMBER_EVENT_FAILED] = { create_failed, MEMBER_WAITING } } },
        [MEMBER_STARTING] = { "starting",
                              { [MEMBER_EVENT_OK] = { runs, MEMBER_POST_START },
                                [MEMBER_EVENT_FAILED] = { start_failed, MEMBER_EXITED } } },
        [MEMBER_POST_START] = { "postStart",
                                { [MEMBER_EVENT_OK] = { hook_passed, MEMBER_RUNNING },
                                  [MEMBER_EVENT_FAILED] = { hook_failed, MEMBER_PRE_STOP },
                                  [MEMBER_EVENT_LATE] = { late_post_start, MEMBER_PRE_STOP },
                                  [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED },
                                  [MEMBER_EVENT_STOP] = { stop_in_hook, MEMBER_PRE_STOP } } },
        [MEMBER_RUNNING] = { "running",
                             { [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED },
                               [MEMBER_EVENT_STOP] = { member_pre_stop, MEMBER_PRE_STOP } } },
        [MEMBER_PRE_STOP] = { "preStop",
                              { [MEMBER_EVENT_OK] = { await_turn, MEMBER_TURN },
                                [MEMBER_EVENT_FAILED] = { pre_stop_failed, MEMBER_TURN },
                                [MEMBER_EVENT_LATE] = { late_hook, MEMBER_TURN },
                                [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED } } },
        [MEMBER_TURN] = { "waiting for its turn to end",
                          { [MEMBER_EVENT_OK] = { member_stop, MEMBER_STOPPING },
                            [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED } } },
        [MEMBER_STOPPING] = { "stopping",
                              { [MEMBER_EVENT_OK] = { stop_done, KEEP },
                                [MEMBER_EVENT_FAILED] = { stop_failed, KEEP },
                                [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED } } },
        [MEMBER_EXITED] = { "exited", { [MEMBER_EVENT_BEGIN] = { begin, MEMBER_IMAGE } } },
};

void member_event(struct member *m, enum member_event event) {
        const struct cell *cell = &table[m->state].on[event];

        if (cell->action) {
                if (cell->next != KEEP)
                        m->state = cell->next;
                cell->action(m);
                log_debug("pod %s/%s: container %s: %s", m->worker->pod->metadata.namespace,
                          m->worker->pod->metadata.name, m->spec->name, table[m->state].name);
        }
        worker_step(m->worker);
}

/* StopContainer, RemoveContainer. */
#include <signal.h>

#include "cgroups/cgroup.h"
#include "cri/call/call.h"
#include "cri/call/handler.h"
#include "cri/call/handlers.h"
#include "cri/state/emit.h"
#include "cri/state/exits.h"
#include "cri/state/record.h"
#include "lib/log.h"
#include "runtime/runtime.h"

#define STOP_SECONDS_MAX (10 * 365 * 24 * 3600ll)

/* How long after SIGKILL StopContainer and RemoveContainer wait before they say that it does not work. */
#define KILL_SECONDS 120

/* A signal that found no shim (another is being started) is tried again after this. */
#define SIGNAL_RETRY_MS 200
#define SIGNAL_RETRIES_MAX (KILL_SECONDS * 1000 / SIGNAL_RETRY_MS)

/* Ending a container: a signal, the grace, SIGKILL. Nothing waits on a thread, and others may use the sandbox
 * meanwhile. */
struct end {
        struct cri_waiter waiter; /* first */
        struct cri_call *call;
        uv_timer_t timer;
        int64_t grace; /* seconds left before SIGKILL */
        int signal;
        bool killed; /* SIGKILL was sent */
        bool ended;  /* while a signal is on its way */
        bool sending;
        bool missed; /* there was no shim to send it, or no way to reach it: to be tried again */
        unsigned retries;
        void (*then)(struct cri_call *call);
};

static void end_timer_closed(uv_handle_t *handle) {
        struct end *end = handle->data;

        end->then(end->call);
}

static void end_finish(struct end *end) {
        uv_timer_stop(&end->timer);
        uv_close((uv_handle_t *)&end->timer, end_timer_closed);
}

static void end_came(struct cri_waiter *waiter) {
        struct end *end = (struct end *)waiter;

        end->ended = true;
        if (!end->sending)
                end_finish(end);
}

static int end_signal(struct cri_call *call, struct err **err) {
        struct end *end = call->state;
        int r = container_kill(call->cri->runtime, call->sandbox->id, call->container->id, end->signal, err);

        end->missed = r == -ENOENT || r == -RUNTIME_NO_SHIM;
        return r == -ESRCH || end->missed ? 0 : r; /* gone already: the end comes by itself */
}

static void end_send(struct cri_call *call, int signal);

static void end_timeout(uv_timer_t *timer) {
        struct end *end = timer->data;

        if (end->missed && end->retries++ < SIGNAL_RETRIES_MAX) {
                end_send(end->call, end->signal);
                return;
        }
        if (!end->killed) {
                end->killed = true;
                end_send(end->call, SIGKILL);
                return;
        }
        cri_container_unwait(end->call->container, &end->waiter);
        err_set(&end->call->err, ETIMEDOUT, "container \"%s\" did not end within %d s of SIGKILL",
                end->call->container->id, KILL_SECONDS);
        end->then = call_fail;
        end_finish(end);
}

static void end_sent(struct cri_call *call) {
        struct end *end = call->state;

        end->sending = false;
        call->err = err_free(call->err);
        if (end->ended)
                end_finish(end);
        else
                uv_timer_start(
                        &end->timer, end_timeout,
                        end->missed ? SIGNAL_RETRY_MS : (uint64_t)(end->killed ? KILL_SECONDS : end->grace) * 1000, 0);
}

static void end_not_sent(struct cri_call *call) {
        log_warning("container %s: %s", call->container->id, err_text(call->err));
        ((struct end *)call->state)->missed = true;
        end_sent(call);
}

static void end_send(struct cri_call *call, int signal) {
        struct end *end = call->state;

        end->signal = signal;
        end->sending = true;
        call->failed = end_not_sent;
        call_run(call, end_signal, end_sent);
}

/* Ends call->container within @grace seconds and goes on with @then; at once when it does not run. */
static void end_begin(struct cri_call *call, int64_t grace, void (*then)(struct cri_call *call)) {
        struct end *end = call_alloc(call, sizeof(*end));

        if (!end)
                return;
        call->state = end;
        *end = (struct end){ .waiter.ended = end_came, .call = call, .grace = grace, .then = then };
        if (!cri_container_wait(call->container, &end->waiter)) {
                then(call);
                return;
        }
        uv_timer_init(call->cri->loop, &end->timer);
        end->timer.data = end;
        end->killed = grace <= 0;
        end_send(call, end->killed ? SIGKILL : call->container->record->stop_signal);
}

static void stop_turn(struct cri_call *call) {
        const Cri__StopContainerRequest *request = (const Cri__StopContainerRequest *)call->request;
        int64_t grace = request->timeout > STOP_SECONDS_MAX ? STOP_SECONDS_MAX : request->timeout;

        call_give_turn(call);
        end_begin(call, grace, call_reply_empty);
}

void handle_stop_container(struct cri_call *call) {
        const Cri__StopContainerRequest *request = (const Cri__StopContainerRequest *)call->request;
        struct cri_container *container;

        if (cri_container_find(call->cri, request->container_id, &container, NULL) == -ENOENT)
                call_reply_empty(call);
        else if (call_find_container(call, request->container_id))
                call_take_turn(call, stop_turn);
}

static int remove_work(struct cri_call *call, struct err **err) {
        struct cri_container *container = call->container;
        struct cri *cri = call->cri;
        int r;

        if (call->sandbox->ready &&
            (r = SPAN_STEP(call->span, "container_delete",
                           container_delete(cri->runtime, call->sandbox->id, container->id, err), err)) < 0)
                return r;
        r = SPAN_STEP(call->span, "cgroup_remove", cgroup_remove(cri->cgroups, container->cgroup, err), err);
        return r < 0 ? r : record_remove(cri, RECORD_CONTAINER, container->id, err);
}

static void remove_done(struct cri_call *call) {
        cri_container_remove(call->container);
        emit_container(call->container, CRI_EVENT_CONTAINER_DELETED);
        call_reply_empty(call);
}

static void remove_ended(struct cri_call *call) {
        call->failed = NULL;
        call_run(call, remove_work, remove_done);
}

static void remove_turn(struct cri_call *call) {
        if (call->container->removed)
                call_reply_empty(call);
        else
                end_begin(call, 0, remove_ended);
}

void handle_remove_container(struct cri_call *call) {
        const Cri__RemoveContainerRequest *request = (const Cri__RemoveContainerRequest *)call->request;
        struct cri_container *container;

        if (cri_container_find(call->cri, request->container_id, &container, NULL) == -ENOENT)
                call_reply_empty(call);
        else if (call_find_container(call, request->container_id))
                call_take_turn(call, remove_turn);
}

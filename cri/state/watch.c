/* The connection to each sandbox's shim, and what happens when a shim dies. */

#include "cri/call/call.h"
#include "cri/state/emit.h"
#include "cri/state/exits.h"
#include "cri/state/record.h"
#include "cri/sandbox/sandbox.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "runtime/events.h"

static void on_changed(void *data, const struct container_state *state) {
        struct cri_sandbox *sandbox = data;
        struct cri_container *container =
                table_object(table_find(&sandbox->cri->containers, state->id), struct cri_container, by_id);

        if (!container || container->sandbox != sandbox)
                return;
        if (state->phase == CONTAINER_EXITED)
                cri_container_ended(container, state);
        else if (container->phase == CRI_PHASE_RUNNING || container->phase == CRI_PHASE_CREATED)
                cri_container_started(container, state);
}

/* A shim that dies within so many seconds of the last one's death is replaced at once for the first few times, and then
 * after a delay that doubles up to a maximum; containers go on meanwhile. Recoveries that fail are given up after so
 * many in a row. */
#define RECOVERY_SECONDS 10
#define RECOVERIES_AT_ONCE 5
#define RECOVERY_DELAY_MS 50
#define RECOVERY_DELAY_MAX_MS 3200
#define RECOVERY_FAILURES_MAX 20

/* How long after a shim was met dead its death is told at the latest. */
#define DEATH_SECONDS 5

struct recovery {
        struct pool_job job; /* first */
        uv_timer_t timer;
        struct cri_sandbox *sandbox;
        struct sandbox_info info;
        struct err *err;
        int result;
        unsigned failures;
        bool working;   /* on the pool */
        bool cancelled; /* the sandbox is to be taken apart */
};

static void recovery_work(struct pool_job *job) {
        struct recovery *recovery = (struct recovery *)job;
        struct cri_sandbox *sandbox = recovery->sandbox;
        _cleanup_arena_ struct arena *arena = arena_new();
        struct sandbox_spec spec;

        recovery->result = arena ? sandbox_fill_spec(sandbox, arena, &spec, &recovery->err) : -ENOMEM;
        if (recovery->result >= 0)
                recovery->result =
                        sandbox_recover(sandbox->cri->runtime, sandbox->id, &spec, &recovery->info, &recovery->err);
}

/* No shim, and none to be had: nobody knows how its containers end. */
static void lose(struct cri_sandbox *sandbox) {
        struct container_state unknown = { .exit_code = -1 };

        for (struct cri_container *c = sandbox->containers; c; c = c->next_in_sandbox)
                if (c->phase == CRI_PHASE_RUNNING)
                        cri_container_ended(c, &unknown);
        sandbox->ready = false;
        emit_sandbox(sandbox, CRI_EVENT_SANDBOX_NOTREADY);
}

static void on_timer_closed(uv_handle_t *handle) {
        struct recovery *recovery = handle->data;

        err_free(recovery->err);
        cri_sandbox_unref(recovery->sandbox);
        free(recovery);
}

static void recovery_end(struct recovery *recovery) {
        struct cri_sandbox *sandbox = recovery->sandbox;

        sandbox->recovery = NULL;
        call_all_go_on(sandbox->cri, &sandbox->awaiting);
        uv_close((uv_handle_t *)&recovery->timer, on_timer_closed);
}

static void recovery_begin(struct recovery *recovery);

static void on_delay_over(uv_timer_t *timer) {
        recovery_begin(timer->data);
}

static uint64_t recovery_delay(unsigned times) {
        unsigned doublings = times > RECOVERIES_AT_ONCE ? times - RECOVERIES_AT_ONCE : 0;
        uint64_t delay = doublings < 16 ? (uint64_t)RECOVERY_DELAY_MS << doublings : RECOVERY_DELAY_MAX_MS;

        if (times < RECOVERIES_AT_ONCE)
                return 0;
        return delay < RECOVERY_DELAY_MAX_MS ? delay : RECOVERY_DELAY_MAX_MS;
}

static void recovery_failed(struct recovery *recovery) {
        struct cri_sandbox *sandbox = recovery->sandbox;
        const Cri__PodSandboxMetadata *pod = sandbox->config->metadata;

        if (++recovery->failures < RECOVERY_FAILURES_MAX) {
                log_warning("pod %s/%s: no new shim yet: %s", pod->namespace_, pod->name, err_text(recovery->err));
                recovery->err = err_free(recovery->err);
                uv_timer_start(&recovery->timer, on_delay_over, recovery_delay(RECOVERIES_AT_ONCE + recovery->failures),
                               0);
                return;
        }
        log_error("pod %s/%s: no new shim, and it is given up: %s", pod->namespace_, pod->name,
                  err_text(recovery->err));
        lose(sandbox);
        recovery_end(recovery);
}

static void recovery_done(struct pool_job *job) {
        struct recovery *recovery = (struct recovery *)job;
        struct cri_sandbox *sandbox = recovery->sandbox;

        recovery->working = false;
        if (recovery->cancelled || !sandbox->ready || sandbox->removed) {
                recovery_end(recovery);
                return;
        }
        if (recovery->result >= 0)
                recovery->result = cri_sandbox_watch(sandbox, &recovery->err);
        if (recovery->result < 0) {
                recovery_failed(recovery);
                return;
        }
        sandbox->shim_pid = recovery->info.shim_pid;
        sandbox->cri->counters.shims_recovered++;
        log_info("pod %s/%s: its new shim is process %d", sandbox->config->metadata->namespace_,
                 sandbox->config->metadata->name, sandbox->shim_pid);
        recovery_end(recovery);
}

/* A start that met the dead shim ends soon; what it leaves of its container must be known by then. */
static void recovery_begin(struct recovery *recovery) {
        if (recovery->sandbox->starting)
                return;
        recovery->working = true;
        recovery->job = (struct pool_job){ .work = recovery_work, .done = recovery_done };
        pool_submit(recovery->sandbox->cri->pool, &recovery->job);
}

void cri_sandbox_start_ended(struct cri_sandbox *sandbox) {
        struct recovery *recovery = sandbox->recovery;

        sandbox->starting = false;
        if (recovery && !recovery->working && !uv_is_active((uv_handle_t *)&recovery->timer))
                recovery_begin(recovery);
}

/* Nobody told of a death: there was none, and nothing is coming that could be waited for. */
static void on_await_over(uv_timer_t *timer) {
        struct cri_sandbox *sandbox = timer->data;

        if (!sandbox->recovery)
                call_all_go_on(sandbox->cri, &sandbox->awaiting);
}

/* With a watch, the death is told to it yet. */
static bool await_death(struct cri_sandbox *sandbox, pid_t met) {
        if (!sandbox->watch || sandbox->shim_pid != met)
                return false;
        if (!sandbox->await_timer)
                sandbox->await_timer = handle_timer(sandbox->cri->loop, sandbox);
        if (!sandbox->await_timer)
                return false;
        if (!uv_is_active((uv_handle_t *)sandbox->await_timer))
                uv_timer_start(sandbox->await_timer, on_await_over, DEATH_SECONDS * 1000, 0);
        return true;
}

void cri_sandbox_await_shim(struct cri_call *call, pid_t met, void (*then)(struct cri_call *call)) {
        struct cri_sandbox *sandbox = call->sandbox;

        if (sandbox->recovery || await_death(sandbox, met))
                call_await(call, &sandbox->awaiting, then);
        else
                then(call);
}

void cri_sandbox_end_recovery(struct cri_call *call, void (*then)(struct cri_call *call)) {
        struct recovery *recovery = call->sandbox->recovery;

        cri_sandbox_unwatch(call->sandbox);
        if (!recovery) {
                then(call);
                return;
        }
        recovery->cancelled = true;
        call_await(call, &call->sandbox->awaiting, then);
        if (recovery->working)
                return;
        uv_timer_stop(&recovery->timer);
        recovery_end(recovery);
}

static void on_gone(void *data) {
        struct cri_sandbox *sandbox = data;
        struct recovery *recovery;

        sandbox->watch = shim_watch_free(sandbox->watch);
        if (!sandbox->ready || sandbox->removed || sandbox->recovery) {
                call_all_go_on(sandbox->cri, &sandbox->awaiting);
                return;
        }
        log_warning("pod %s/%s: its shim died; starting another", sandbox->config->metadata->namespace_,
                    sandbox->config->metadata->name);
        sandbox->recoveries =
                uv_now(sandbox->cri->loop) - sandbox->recovered < RECOVERY_SECONDS * 1000 ? sandbox->recoveries + 1 : 0;
        sandbox->recovered = uv_now(sandbox->cri->loop);
        recovery = calloc(1, sizeof(*recovery));
        if (!recovery) {
                log_error("pod %s/%s: no memory to start another shim; it is given up",
                          sandbox->config->metadata->namespace_, sandbox->config->metadata->name);
                lose(sandbox);
                call_all_go_on(sandbox->cri, &sandbox->awaiting);
                return;
        }
        sandbox->recovery = recovery;
        recovery->sandbox = cri_sandbox_ref(sandbox);
        uv_timer_init(sandbox->cri->loop, &recovery->timer);
        recovery->timer.data = recovery;
        uv_timer_start(&recovery->timer, on_delay_over, recovery_delay(sandbox->recoveries), 0);
}

int cri_sandbox_watch(struct cri_sandbox *sandbox, struct err **err) {
        const struct shim_watch_callbacks callbacks = { .changed = on_changed, .gone = on_gone, .data = sandbox };

        return shim_watch_new(sandbox->cri->loop, sandbox->cri->runtime, sandbox->id, &callbacks, &sandbox->watch, err);
}

void cri_sandbox_unwatch(struct cri_sandbox *sandbox) {
        sandbox->watch = shim_watch_free(sandbox->watch);
        if (!sandbox->recovery)
                call_all_go_on(sandbox->cri, &sandbox->awaiting);
}

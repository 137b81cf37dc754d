/* The connection to each sandbox's shim, and what happens when a shim dies. */
#include <string.h>

#include "cri/call.h"
#include "cri/emit.h"
#include "cri/exits.h"
#include "cri/record.h"
#include "cri/sandbox.h"
#include "lib/log.h"
#include "runtime/events.h"

static void on_changed(void *data, const struct container_state *state) {
        struct cri_sandbox *sandbox = data;
        struct cri_container *container =
                table_object(table_find(&sandbox->cri->containers, state->id), struct cri_container, by_id);

        if (!container || container->sandbox != sandbox)
                return;
        if (state->phase == CONTAINER_EXITED)
                container_ended(container, state);
        else if (container->phase == PHASE_RUNNING || container->phase == PHASE_CREATED)
                container_started(container, state);
}

/* Shims that die so many times in a row, each within so many seconds of its start, are given up. */
#define RECOVERIES_MAX 20
#define RECOVERY_SECONDS 10

struct recovery {
        struct pool_job job; /* first */
        struct cri_sandbox *sandbox;
        struct sandbox_info info;
        struct err *err;
        int result;
};

static void recovery_work(struct pool_job *job) {
        struct recovery *recovery = (struct recovery *)job;
        struct cri_sandbox *sandbox = recovery->sandbox;
        _cleanup_arena_ struct arena *arena = arena_new();
        struct sandbox_spec spec;

        recovery->result = arena ? sandbox_fill_spec(sandbox, arena, &spec, &recovery->err) : -ENOMEM;
        if (recovery->result >= 0)
                recovery->result = sandbox_recover(sandbox->cri->runtime, sandbox->id, &spec, &recovery->info, &recovery->err);
}

/* No shim, and none to be had: nobody knows how its containers end. */
static void lose(struct cri_sandbox *sandbox) {
        struct container_state unknown = { .exit_code = -1 };

        for (struct cri_container *c = sandbox->containers; c; c = c->next_in_sandbox)
                if (c->phase == PHASE_RUNNING)
                        container_ended(c, &unknown);
        sandbox->ready = false;
        emit_sandbox(sandbox, CRI_EVENT_SANDBOX_NOTREADY);
}

static void recovery_done(struct pool_job *job) {
        struct recovery *recovery = (struct recovery *)job;
        struct cri_sandbox *sandbox = recovery->sandbox;

        sandbox->recovering = false;
        if (recovery->result >= 0 && sandbox->ready && !sandbox->removed)
                recovery->result = sandbox_watch(sandbox, &recovery->err);
        if (recovery->result >= 0) {
                sandbox->shim_pid = recovery->info.shim_pid;
                sandbox->cri->counters.shims_recovered++;
                log_info("pod %s/%s: its new shim is process %d", sandbox->config->metadata->namespace_,
                         sandbox->config->metadata->name, sandbox->shim_pid);
        } else if (sandbox->ready) {
                log_error("pod %s/%s: no new shim: %s", sandbox->config->metadata->namespace_,
                          sandbox->config->metadata->name, err_text(recovery->err));
                lose(sandbox);
        }
        err_free(recovery->err);
        sandbox_unref(sandbox);
        free(recovery);
}

static void on_gone(void *data) {
        struct cri_sandbox *sandbox = data;
        struct recovery *recovery;

        sandbox_unwatch(sandbox);
        if (!sandbox->ready || sandbox->removed || sandbox->recovering)
                return;
        log_warning("pod %s/%s: its shim died; starting another", sandbox->config->metadata->namespace_,
                    sandbox->config->metadata->name);
        sandbox->recoveries = uv_now(sandbox->cri->loop) - sandbox->recovered < RECOVERY_SECONDS * 1000 ? sandbox->recoveries + 1 : 0;
        sandbox->recovered = uv_now(sandbox->cri->loop);
        recovery = sandbox->recoveries < RECOVERIES_MAX ? calloc(1, sizeof(*recovery)) : NULL;
        if (!recovery) {
                log_error("pod %s/%s: its shims keep dying; it is given up", sandbox->config->metadata->namespace_,
                          sandbox->config->metadata->name);
                lose(sandbox);
                return;
        }
        sandbox->recovering = true;
        recovery->job = (struct pool_job){ .work = recovery_work, .done = recovery_done };
        recovery->sandbox = sandbox_ref(sandbox);
        pool_submit(sandbox->cri->pool, &recovery->job);
}

int sandbox_watch(struct cri_sandbox *sandbox, struct err **err) {
        static const struct shim_watch_callbacks callbacks = { .changed = on_changed, .gone = on_gone };

        return shim_watch_new(sandbox->cri->loop, sandbox->cri->runtime, sandbox->id, &callbacks, sandbox, &sandbox->watch,
                              err);
}

void sandbox_unwatch(struct cri_sandbox *sandbox) {
        sandbox->watch = shim_watch_free(sandbox->watch);
}

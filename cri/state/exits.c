#include "cri/state/exits.h"

#include <assert.h>
#include <string.h>

#include "cgroups/cgroup.h"
#include "cgroups/limits.h"
#include "cgroups/oom.h"
#include "cri/call/call.h"
#include "cri/state/emit.h"
#include "cri/state/record.h"
#include "cri/sandbox/sandbox.h"
#include "cri/state/sync.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "runtime/events.h"

static const char *const reasons[] = { "Completed", "Error", "OOMKilled", "StartError", "Unknown" };

/* The constant for a reason from a record. */
static const char *exit_reason(const char *text) {
        for (size_t i = 0; i < ELEMENTS(reasons); i++)
                if (strcmp(reasons[i], text) == 0)
                        return reasons[i];
        return "";
}

void cri_container_take_exit(struct cri_container *container, const Record__Exit *exit) {
        container->phase = CRI_PHASE_EXITED;
        container->started_at = exit->started_at;
        container->finished_at = exit->finished_at;
        container->exit_code = exit->exit_code;
        container->reason = exit_reason(exit->reason);
        free(container->message);
        container->message = text_empty(exit->message) ? NULL : strdup(exit->message);
}

static const char *pod_name(const struct cri_container *container, char text[512]) {
        const Cri__PodSandboxMetadata *pod = container->sandbox->config->metadata;

        snprintf(text, 512, "%s/%s", pod->namespace_, pod->name);
        return text;
}

/* Tells of kills that are new. */
static void take_oom(struct cri_container *container, const struct cgroup_oom_state *state) {
        char text[OOM_TEXT_MAX], pod[512];

        if (state->kills <= container->oom_kills)
                return;
        container->sandbox->cri->counters.oom_kills += state->kills - container->oom_kills;
        container->oom_kills = state->kills;
        log_warning("pod %s: container %s: killed for its memory: %s", pod_name(container, pod),
                    container->config->metadata->name, cgroup_oom_explain(state, text));
        emit_oom(container, state);
}

/* The cgroup stays until the container is removed; on v1 no quota above it could go below its own meanwhile. */
static void lift_quota(const struct cgroups *cgroups, const char *cgroup) {
        const struct cgroup_limits none = { .cpu_quota_us = CGROUP_UNLIMITED };

        if (cgroups_mode(cgroups) != CGROUP_V2)
                cgroup_apply(cgroups, cgroup, &none, NULL);
}

void exits_end_rest(const struct cri_container *container) {
        const struct cgroups *cgroups = container->sandbox->cri->cgroups;
        _cleanup_err_ struct err *err = NULL;

        if (cgroup_end(cgroups, container->cgroup, &err) < 0)
                log_warning("container %s: %s", container->id, err_text(err));
        else
                lift_quota(cgroups, container->cgroup);
}

static void watch_memory(struct cri_container *container) {
        struct cri *cri = container->sandbox->cri;
        _cleanup_err_ struct err *err = NULL;

        if (!cri->oom || container->watched)
                return;
        if (cgroup_oom_watcher_add(cri->oom, container->cgroup, container, &err) < 0)
                log_warning("container %s: OOM kills that it survives will not be seen: %s", container->id,
                            err_text(err));
        else
                container->watched = true;
}

static void unwatch_memory(struct cri_container *container) {
        if (!container->watched)
                return;
        container->watched = false;
        cgroup_oom_watcher_remove(container->sandbox->cri->oom, container);
}

/* There is one from the container's beginning, since an end cannot be put off. */
struct end_job {
        struct pool_job job; /* first */
        struct cri_container *container;
        struct cgroup_oom_state oom;
        bool oom_known;
        Record__Exit exit;
};

static void end_work(struct pool_job *job) {
        struct end_job *end = (struct end_job *)job;
        struct cri_container *container = end->container;
        struct cri *cri = container->sandbox->cri;
        _cleanup_err_ struct err *err = NULL;
        char text[OOM_TEXT_MAX], *message;

        end->oom_known = cgroup_oom_read(cri->cgroups, container->cgroup, &end->oom, NULL) >= 0;
        if (end->oom_known && end->oom.kills > 0 && end->exit.exit_code != 0 && !*container->reason) {
                end->exit.reason = (char *)(uintptr_t) "OOMKilled";
                if (asprintf(&message, "killed for its memory: %s", cgroup_oom_explain(&end->oom, text)) >= 0)
                        end->exit.message = message;
        }
        exits_end_rest(container);
        if (record_write(cri, RECORD_EXIT, container->id, &end->exit.base, &err) < 0)
                log_warning("container %s: its exit code is not on disk: %s", container->id, err_text(err));
}

static void tell_waiters(struct cri_container *container) {
        struct cri_waiter *waiter;

        while ((waiter = cri_waiters_pop(&container->waiters)))
                waiter->ended(waiter);
}

static void end_done(struct pool_job *job) {
        struct end_job *end = (struct end_job *)job;
        struct cri_container *container = end->container;

        if (end->oom_known)
                take_oom(container, &end->oom);
        container->ending = false;
        container->phase = CRI_PHASE_EXITED;
        container->reason = exit_reason(end->exit.reason);
        if (!text_empty(end->exit.message) && end->exit.message != container->message) {
                free(container->message);
                container->message = end->exit.message;
        }
        container->pid = 0;
        unwatch_memory(container);
        if (!container->removed) {
                sync_later(container->sandbox->cri, RECORD_EXIT, container->id);
                emit_container(container, CRI_EVENT_CONTAINER_STOPPED);
        }
        tell_waiters(container);
        cri_container_unref(container);
}

struct end_job *exits_end_job(struct arena *arena) {
        return arena_alloc(arena, sizeof(struct end_job));
}

static void write_end(struct cri_container *container) {
        struct end_job *end = container->end_job;

        assert(!container->ending);
        container->ending = true;
        *end = (struct end_job){ .job = { .work = end_work, .done = end_done } };
        end->container = cri_container_ref(container);
        record__exit__init(&end->exit);
        end->exit.started_at = container->started_at;
        end->exit.finished_at = container->finished_at;
        end->exit.exit_code = container->exit_code;
        end->exit.reason = (char *)(uintptr_t)container->reason;
        if (container->message)
                end->exit.message = container->message;
        if (container->sandbox->cri->restoring) {
                end_work(&end->job);
                end_done(&end->job);
        } else
                pool_submit(container->sandbox->cri->pool, &end->job);
}

void cri_container_started(struct cri_container *container, const struct container_state *state) {
        if (container->phase == CRI_PHASE_EXITED || container->ending)
                return;
        container->pid = state->pid;
        container->started_at = (int64_t)state->started_at;
        if (container->phase == CRI_PHASE_RUNNING)
                return;
        container->phase = CRI_PHASE_RUNNING;
        if (!container->sandbox->cri->restoring) {
                container->sandbox->cri->counters.started++;
                container->sandbox->cri->counters.restarts += container->config->metadata->attempt > 0;
        }
        watch_memory(container);
        emit_container(container, CRI_EVENT_CONTAINER_STARTED);
        if (container->exit_known)
                write_end(container);
}

void cri_container_ended(struct cri_container *container, const struct container_state *state) {
        if (container->phase == CRI_PHASE_EXITED || container->ending || container->exit_known)
                return;
        if (state->started_at)
                container->started_at = (int64_t)state->started_at;
        container->finished_at = state->exited_at ? (int64_t)state->exited_at : cri_now();
        container->exit_code = state->exit_code;
        container->reason = "";
        if (state->exit_code < 0) {
                container->exit_code = EXIT_CODE_UNKNOWN;
                container->reason = "Unknown";
        }
        if (container->phase == CRI_PHASE_STARTING)
                container->exit_known = true; /* cri_container_started() goes on */
        else
                write_end(container);
}

void cri_container_start_failed(struct cri_container *container, const struct err *err) {
        container->finished_at = cri_now();
        container->exit_code = EXIT_CODE_START_ERROR;
        container->reason = "StartError";
        free(container->message);
        container->message = strdup(err_text(err));
        container->exit_known = false;
        write_end(container);
}

bool cri_container_wait(struct cri_container *container, struct cri_waiter *waiter) {
        if (container->phase != CRI_PHASE_RUNNING && !container->ending)
                return false;
        cri_waiters_append(&container->waiters, waiter);
        return true;
}

void cri_container_unwait(struct cri_container *container, struct cri_waiter *waiter) {
        if (cri_waiters_contains(waiter))
                cri_waiters_remove(waiter);
}

struct oom_job {
        struct pool_job job; /* first */
        struct cri_container *container;
        struct cgroup_oom_state state;
        int result;
};

static void oom_work(struct pool_job *job) {
        struct oom_job *oom = (struct oom_job *)job;
        struct cri_container *container = oom->container;

        oom->result = cgroup_oom_read(container->sandbox->cri->cgroups, container->cgroup, &oom->state, NULL);
}

static void oom_done(struct pool_job *job) {
        struct oom_job *oom = (struct oom_job *)job;

        if (oom->result >= 0 && !oom->container->removed)
                take_oom(oom->container, &oom->state);
        cri_container_unref(oom->container);
        free(oom);
}

static void on_oom(uv_poll_t *poll, int status, int events) {
        struct cri *cri = poll->data;
        struct cri_container *container;
        struct oom_job *job;

        (void)events;
        if (status < 0)
                return;
        while ((container = cgroup_oom_watcher_next(cri->oom))) {
                job = calloc(1, sizeof(*job));
                if (!job)
                        continue;
                job->job = (struct pool_job){ .work = oom_work, .done = oom_done };
                job->container = cri_container_ref(container);
                pool_submit(cri->pool, &job->job);
        }
}

int exits_open(struct cri *cri, struct err **err) {
        int r = cgroup_oom_watcher_new(cri->cgroups, &cri->oom, err);

        if (r < 0)
                return r;
        cri->oom_poll = calloc(1, sizeof(*cri->oom_poll));
        if (!cri->oom_poll)
                return err_set(err, ENOMEM, "out of memory");
        r = uv_poll_init(cri->loop, cri->oom_poll, cgroup_oom_watcher_fd(cri->oom));
        if (r < 0) {
                free(TAKE_PTR(cri->oom_poll));
                return err_errno(err, -r, "watch for OOM kills");
        }
        cri->oom_poll->data = cri;
        uv_poll_start(cri->oom_poll, UV_READABLE, on_oom);
        uv_unref((uv_handle_t *)cri->oom_poll);
        return 0;
}

void exits_close(struct cri *cri) {
        handle_free(TAKE_PTR(cri->oom_poll));
        cgroup_oom_watcher_free(TAKE_PTR(cri->oom));
}

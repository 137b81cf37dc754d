/* RunPodSandbox, StopPodSandbox, RemovePodSandbox. */
#include <string.h>

#include "cgroups/cgroup.h"
#include "cgroups/limits.h"
#include "cri/call/call.h"
#include "cri/state/emit.h"
#include "cri/state/exits.h"
#include "cri/call/handler.h"
#include "cri/call/handlers.h"
#include "cri/state/record.h"
#include "cri/container/resources.h"
#include "cri/sandbox/sandbox.h"
#include "cri/state/sync.h"
#include "cri/container/user.h"
#include "lib/files.h"
#include "lib/handle.h"
#include "lib/log.h"

struct run {
        struct sandbox_made made;
        Record__Sandbox *record;
};

static int check_linux(const struct cri *cri, const Cri__LinuxPodSandboxConfig *config, struct err **err) {
        char path[CGROUP_PATH_MAX];
        int r = 0;

        if (config->security_context)
                r = user_check_sandbox(config->security_context, err);
        if (r >= 0 && !text_empty(config->cgroup_parent))
                r = cgroup_full_path(cri->cgroups, config->cgroup_parent, path, err);
        return r;
}

static int check_config(const struct cri *cri, const Cri__RunPodSandboxRequest *request, struct err **err) {
        const Cri__PodSandboxConfig *config = request->config;
        int r = 0;

        if (!config || !config->metadata)
                return err_set(err, EINVAL, "sandbox config must include metadata");
        if (text_empty(config->metadata->name) || text_empty(config->metadata->namespace_) ||
            text_empty(config->metadata->uid))
                return err_set(err, EINVAL, "sandbox metadata must include name, namespace and uid");
        if (config->linux)
                r = check_linux(cri, config->linux, err);
        return r < 0 ? r : handler_check(cri, request->runtime_handler, config, err);
}

/* The pod's cgroup: the one that is asked for, or one of ours, named by the id. */
static int run_record(struct cri_call *call, const char *id, Record__Sandbox *record) {
        const Cri__RunPodSandboxRequest *request = (const Cri__RunPodSandboxRequest *)call->request;
        const char *parent = request->config->linux ? request->config->linux->cgroup_parent : "";

        record->id = arena_strdup(call->arena, id);
        record->created_at = cri_creation_time(call->cri);
        record->runtime_handler = request->runtime_handler;
        record->owns_cgroup = text_empty(parent);
        record->cgroup = record->owns_cgroup ? record->id : arena_strdup(call->arena, parent);
        if (!record->id || !record->cgroup)
                return -ENOMEM;
        return pack_into(call->arena, &request->config->base, &record->config);
}

static int run_cgroup(const struct cri_sandbox *sandbox, struct err **err) {
        struct cgroup_limits limits = { 0 };
        struct cri *cri = sandbox->cri;
        _cleanup_arena_ struct arena *arena = NULL;
        int r;

        if (!sandbox->record->owns_cgroup)
                return 0;
        arena = arena_new();
        r = cgroup_create_above(cri->cgroups, sandbox->cgroup, err);
        if (r >= 0 && sandbox->config->linux && sandbox->config->linux->resources) {
                r = arena ? resources_to_limits(arena, sandbox->config->linux->resources, &limits, err) : -ENOMEM;
                if (r >= 0)
                        r = cgroup_apply(cri->cgroups, sandbox->cgroup, &limits, err);
        }
        return r;
}

/* The pod's cgroup, which its first container needs, made while the rest is. */
struct run_cgroup {
        struct pool_side side; /* first */
        const struct cri_sandbox *sandbox;
        int r;
        struct err *err;
};

static void run_cgroup_beside(struct pool_side *side) {
        struct run_cgroup *cgroup = (struct run_cgroup *)side;

        cgroup->r = run_cgroup(cgroup->sandbox, &cgroup->err);
}

/* The first failure of the two is told. */
static int run_make(struct cri_call *call, struct err **err) {
        struct run_cgroup cgroup = { .side.work = run_cgroup_beside, .sandbox = call->sandbox };
        struct span *step = span_child(call->span, "cgroup_create");
        struct run *run = call->state;
        int r;

        pool_side_begin(call->cri->pool, &cgroup.side);
        r = sandbox_make(call->sandbox, call->span, &run->made, err);
        pool_side_end(call->cri->pool, &cgroup.side);
        span_done(step, cgroup.r, &cgroup.err);
        if (r >= 0 && cgroup.r < 0) {
                sandbox_unmake(call->sandbox, NULL, NULL);
                return err_move(err, cgroup.err);
        }
        err_free(cgroup.err);
        return r;
}

static int run_work(struct cri_call *call, struct err **err) {
        struct cri_sandbox *sandbox = call->sandbox;
        struct run *run = call->state;
        int r = record_begin(call->cri, RECORD_SANDBOX, sandbox->id, err);

        if (r >= 0 && !text_empty(sandbox->config->log_directory))
                r = files_make_dirs(sandbox->config->log_directory, 0755, err);
        if (r >= 0)
                r = run_make(call, err);
        if (r < 0)
                goto fail;
        run->record->ips = (char **)sandbox_ips(call->arena, &run->made.network);
        run->record->n_ips = run->record->ips ? run->made.network.n_addresses : 0;
        r = SPAN_STEP(call->span, "record_write",
                      record_write(call->cri, RECORD_SANDBOX, sandbox->id, &run->record->base, err), err);
        if (r < 0) {
                sandbox_unmake(sandbox, NULL, NULL);
                goto fail;
        }
        return 0;
fail:
        if (sandbox->record->owns_cgroup)
                cgroup_remove(call->cri->cgroups, sandbox->cgroup, NULL);
        record_remove(call->cri, RECORD_SANDBOX, sandbox->id, NULL);
        return r;
}

static void run_failed(struct cri_call *call) {
        sandbox_remove(call->sandbox);
        call_fail(call);
}

static int run_undo(struct cri_call *call, struct err **err) {
        (void)err;
        sandbox_unmake(call->sandbox, call->span, NULL);
        if (call->sandbox->record->owns_cgroup)
                cgroup_remove(call->cri->cgroups, call->sandbox->cgroup, NULL);
        record_remove(call->cri, RECORD_SANDBOX, call->sandbox->id, NULL);
        return 0;
}

static void run_done(struct cri_call *call) {
        Cri__RunPodSandboxResponse *response;
        struct cri_sandbox *sandbox = call->sandbox;
        struct run *run = call->state;

        if (sandbox_watch(sandbox, &call->err) < 0) {
                call_run(call, run_undo, run_failed);
                return;
        }
        sandbox->shim_pid = run->made.info.shim_pid;
        sandbox->ips = sandbox_ips(sandbox->arena, &run->made.network);
        sandbox->n_ips = sandbox->ips ? run->made.network.n_addresses : 0;
        sandbox->ready = true;
        sandbox->hidden = false;
        sync_later(call->cri, RECORD_SANDBOX, sandbox->id);
        emit_sandbox(sandbox, CRI_EVENT_SANDBOX_READY);
        response = call_message(call, &cri__run_pod_sandbox_response__descriptor);
        if (!response)
                return;
        response->pod_sandbox_id = (char *)(uintptr_t)sandbox->id;
        call_reply(call, &response->base);
}

static void run_start(struct cri_call *call) {
        call->failed = run_failed;
        call_run(call, run_work, run_done);
}

void handle_run_pod_sandbox(struct cri_call *call) {
        const Cri__RunPodSandboxRequest *request = (const Cri__RunPodSandboxRequest *)call->request;
        char id[CRI_ID_LENGTH + 1];
        struct cri_sandbox *sandbox;
        struct run *run = call_alloc(call, sizeof(*run));

        if (!run)
                return;
        call->state = run;
        if (check_config(call->cri, request, &call->err) < 0) {
                call_fail(call);
                return;
        }
        if (call->cri->sandboxes.n >= CRI_SANDBOXES_MAX) {
                call_refuse(call, ENOSPC, "there are %d sandboxes already", CRI_SANDBOXES_MAX);
                return;
        }
        cri_random_id(id);
        run->record = call_message(call, &record__sandbox__descriptor);
        if (!run->record)
                return;
        if (run_record(call, id, run->record) < 0) {
                call_refuse(call, ENOMEM, "out of memory");
                return;
        }
        if (sandbox_new(call->cri, run->record, &sandbox, &call->err) < 0) {
                call_fail(call);
                return;
        }
        sandbox->hidden = true;
        call->sandbox = sandbox_ref(sandbox);
        call_take_turn(call, run_start);
}

/* Stopping: the containers are killed while the network goes, then what held them. */
struct stop {
        struct cri_waiter waiter; /* of one container at a time; first */
        struct cri_call *call;
        struct cri_container *waits_for;
        const char **running, **cgroups; /* ids, NULL-terminated, and their cgroups */
        uv_timer_t *timer;
        void (*then)(struct cri_call *call);
};

static int stop_kill(struct cri_call *call, struct err **err) {
        struct cri_sandbox *sandbox = call->sandbox;
        struct cri *cri = call->cri;
        struct stop *stop = call->state;
        char path[SANDBOX_PATH_MAX];
        int r;

        for (size_t i = 0; stop->running[i]; i++) {
                _cleanup_err_ struct err *why = NULL;

                r = container_kill(cri->runtime, sandbox->id, stop->running[i], 9, &why);
                if (r < 0 && r != -ESRCH && r != -ENOENT)
                        r = cgroup_kill(cri->cgroups, stop->cgroups[i], NULL);
                if (r < 0 && r != -ESRCH && r != -ENOENT)
                        log_warning("container %s: %s", stop->running[i], err_text(why));
        }
        if (sandbox_host_network(sandbox))
                return 0;
        sandbox_netns_path(cri->runtime, sandbox->id, path);
        return SPAN_STEP(call->span, "network_detach", network_detach(cri->network, sandbox->id, path, err), err);
}

static void stop_wait(struct cri_call *call);

static void stop_ended(struct cri_waiter *waiter) {
        struct stop *stop = (struct stop *)waiter;

        stop->waits_for = NULL;
        stop_wait(stop->call);
}

static int stop_unmake(struct cri_call *call, struct err **err) {
        struct cri_sandbox *sandbox = call->sandbox;
        _cleanup_arena_ struct arena *arena = arena_new();
        Record__Sandbox *record = arena ? record_of_sandbox(arena, sandbox) : NULL;
        _cleanup_err_ struct err *unwritten = NULL;
        int r = sandbox_unmake(sandbox, call->span, err);

        if (!record)
                return err_set(err, ENOMEM, "out of memory");
        record->stopped = true;
        /* On a full disk a pod can be stopped all the same: at the next start its shim is not there, which says it too.
         */
        if (r >= 0 && call->method != CRI_REMOVE_POD_SANDBOX &&
            record_write(call->cri, RECORD_SANDBOX, sandbox->id, &record->base, &unwritten) < 0)
                log_warning("sandbox %s: that it is stopped is not on disk: %s", sandbox->id, err_text(unwritten));
        return r;
}

static void stop_done(struct cri_call *call) {
        struct stop *stop = call->state;

        if (call->sandbox->ready) {
                call->sandbox->ready = false;
                sync_later(call->cri, RECORD_SANDBOX, call->sandbox->id);
                emit_sandbox(call->sandbox, CRI_EVENT_SANDBOX_NOTREADY);
        }
        stop->then(call);
}

/* The ends that never came: the sandbox goes anyway, and takes them with it. */
static void stop_force(uv_timer_t *timer) {
        struct stop *stop = timer->data;
        struct container_state killed = { .exit_code = EXIT_CODE_KILLED, .signal = 9 };
        struct cri_container *container = stop->waits_for;

        log_warning("container %s: not dead %d s after SIGKILL; its sandbox is taken apart around it", container->id,
                    SANDBOX_KILL_SECONDS);
        container_ended(container, &killed);
}

static void stop_unmake_begin(struct cri_call *call) {
        call_run(call, stop_unmake, stop_done);
}

static void stop_wait(struct cri_call *call) {
        struct stop *stop = call->state;

        for (struct cri_container *c = call->sandbox->containers; c; c = c->next_in_sandbox) {
                if (!container_wait(c, &stop->waiter))
                        continue;
                stop->waits_for = c;
                if (!stop->timer)
                        stop->timer = handle_timer(call->cri->loop, stop);
                if (stop->timer)
                        uv_timer_start(stop->timer, stop_force, SANDBOX_KILL_SECONDS * 1000, 0);
                return;
        }
        handle_free(TAKE_PTR(stop->timer));
        sandbox_end_recovery(call, stop_unmake_begin);
}

/* Stops the sandbox, whose turn the call has, and goes on with @then. */
static void stop_begin(struct cri_call *call, void (*then)(struct cri_call *call)) {
        struct stop *stop = call_alloc(call, sizeof(*stop));
        size_t n = 0;

        if (!stop)
                return;
        call->state = stop;
        stop->call = call;
        stop->then = then;
        stop->waiter.ended = stop_ended;
        for (struct cri_container *c = call->sandbox->containers; c; c = c->next_in_sandbox)
                n++;
        stop->running = call_alloc(call, (n + 1) * sizeof(*stop->running));
        if (!stop->running)
                return;
        stop->cgroups = call_alloc(call, (n + 1) * sizeof(*stop->cgroups));
        if (!stop->cgroups)
                return;
        n = 0;
        for (struct cri_container *c = call->sandbox->containers; c; c = c->next_in_sandbox)
                if (c->phase == CRI_PHASE_RUNNING && !c->ending) {
                        stop->cgroups[n] = c->cgroup;
                        stop->running[n++] = c->id;
                }
        call_run(call, stop_kill, stop_wait);
}

static void stop_turn(struct cri_call *call) {
        if (call->sandbox->removed || !call->sandbox->ready)
                call_reply_empty(call);
        else
                stop_begin(call, call_reply_empty);
}

void handle_stop_pod_sandbox(struct cri_call *call) {
        const Cri__StopPodSandboxRequest *request = (const Cri__StopPodSandboxRequest *)call->request;
        struct cri_sandbox *sandbox;

        if (sandbox_find(call->cri, request->pod_sandbox_id, &sandbox, NULL) == -ENOENT) {
                call_reply_empty(call);
                return;
        }
        if (call_find_sandbox(call, request->pod_sandbox_id))
                call_take_turn(call, stop_turn);
}

static int remove_work(struct cri_call *call, struct err **err) {
        struct cri_sandbox *sandbox = call->sandbox;
        struct cri *cri = call->cri;
        int r = 0;

        for (struct cri_container *c = sandbox->containers; c && r >= 0; c = c->next_in_sandbox) {
                r = cgroup_remove(cri->cgroups, c->cgroup, err);
                if (r >= 0)
                        r = record_remove(cri, RECORD_CONTAINER, c->id, err);
        }
        if (r >= 0 && sandbox->record->owns_cgroup)
                r = cgroup_remove(cri->cgroups, sandbox->cgroup, err);
        if (r >= 0)
                r = sandbox_unmake(sandbox, call->span, err);
        if (r >= 0)
                r = record_remove(cri, RECORD_SANDBOX, sandbox->id, err);
        return r;
}

static void remove_done(struct cri_call *call) {
        struct cri_sandbox *sandbox = call->sandbox;
        struct cri_container *container;

        while ((container = sandbox->containers)) {
                container_ref(container);
                container_remove(container);
                emit_container(container, CRI_EVENT_CONTAINER_DELETED);
                container_unref(container);
        }
        sandbox_remove(sandbox);
        emit_sandbox(sandbox, CRI_EVENT_SANDBOX_DELETED);
        call_reply_empty(call);
}

static void remove_stopped(struct cri_call *call) {
        call_run(call, remove_work, remove_done);
}

static void remove_turn(struct cri_call *call) {
        if (call->sandbox->removed)
                call_reply_empty(call);
        else if (call->sandbox->ready)
                stop_begin(call, remove_stopped);
        else
                remove_stopped(call);
}

void handle_remove_pod_sandbox(struct cri_call *call) {
        const Cri__RemovePodSandboxRequest *request = (const Cri__RemovePodSandboxRequest *)call->request;
        struct cri_sandbox *sandbox;

        if (sandbox_find(call->cri, request->pod_sandbox_id, &sandbox, NULL) == -ENOENT) {
                call_reply_empty(call);
                return;
        }
        if (call_find_sandbox(call, request->pod_sandbox_id))
                call_take_turn(call, remove_turn);
}

/* RunPodSandbox, StopPodSandbox, RemovePodSandbox. */

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
#include "lib/pool.h"

struct run {
        struct sandbox_made made;
        Record__Sandbox *record;
        Cri__RunPodSandboxResponse *response;
};

static int check_linux(const struct cri *cri, const Cri__LinuxPodSandboxConfig *config, struct err **err) {
        char path[CGROUP_PATH_MAX];
        int r;

        if (config->security_context && (r = user_check_sandbox(config->security_context, err)) < 0)
                return r;
        return text_empty(config->cgroup_parent) ? 0 : cgroup_full_path(cri->cgroups, config->cgroup_parent, path, err);
}

static int check_config(const struct cri *cri, const Cri__RunPodSandboxRequest *request, struct err **err) {
        const Cri__PodSandboxConfig *config = request->config;
        int r;

        if (!config || !config->metadata)
                return err_set(err, EINVAL, "sandbox config must include metadata");
        if (text_empty(config->metadata->name) || text_empty(config->metadata->namespace_) ||
            text_empty(config->metadata->uid))
                return err_set(err, EINVAL, "sandbox metadata must include name, namespace and uid");
        if (config->linux && (r = check_linux(cri, config->linux, err)) < 0)
                return r;
        return handler_check(cri, request->runtime_handler, config, err);
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
        return message_pack(call->arena, &request->config->base, &record->config);
}

static int run_cgroup(const struct cri_sandbox *sandbox, struct err **err) {
        const Cri__LinuxPodSandboxConfig *config = sandbox->config->linux;
        struct cri *cri = sandbox->cri;
        _cleanup_arena_ struct arena *arena = NULL;
        struct cgroup_limits limits;
        int r;

        if (!sandbox->record->owns_cgroup)
                return 0;
        if ((r = cgroup_create_above(cri->cgroups, sandbox->cgroup, err)) < 0 || !config || !config->resources)
                return r;
        if (!(arena = arena_new()))
                return err_set(err, ENOMEM, "out of memory");
        if ((r = resources_to_limits(arena, config->resources, &limits, err)) < 0)
                return r;
        return cgroup_apply(cri->cgroups, sandbox->cgroup, &limits, err);
}

/* What was made of the sandbox goes; what of it cannot be taken away now is swept at the next start. */
static void run_take_back(const struct cri_sandbox *sandbox) {
        if (sandbox->record->owns_cgroup)
                cgroup_remove(sandbox->cri->cgroups, sandbox->cgroup, NULL);
        record_remove(sandbox->cri, RECORD_SANDBOX, sandbox->id, NULL);
}

/* Its addresses, and that it is there, after a power cut too. */
static int run_write(struct cri_call *call, struct err **err) {
        struct cri_sandbox *sandbox = call->sandbox;
        struct run *run = call->state;
        const char **ips = sandbox_ips(sandbox->arena, &run->made.network);

        if (!ips)
                return err_set(err, ENOMEM, "out of memory");
        sandbox->ips = ips;
        sandbox->n_ips = run->made.network.n_addresses;
        run->record->ips = (char **)ips;
        run->record->n_ips = sandbox->n_ips;
        return SPAN_STEP(call->span, "record_write",
                         record_write(call->cri, RECORD_SANDBOX, sandbox->id, &run->record->base, err), err);
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
static int run_make_all(struct cri_call *call, struct err **err) {
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

static int run_make(struct cri_call *call, struct err **err) {
        struct cri_sandbox *sandbox = call->sandbox;
        int r = record_begin(call->cri, RECORD_SANDBOX, sandbox->id, err);

        if (r < 0)
                return r;
        if (!text_empty(sandbox->config->log_directory) &&
            (r = files_make_dirs(sandbox->config->log_directory, 0755, err)) < 0)
                return r;
        if ((r = run_make_all(call, err)) < 0)
                return r;
        if ((r = run_write(call, err)) < 0)
                sandbox_unmake(sandbox, NULL, NULL);
        return r;
}

static int run_work(struct cri_call *call, struct err **err) {
        int r = run_make(call, err);

        if (r < 0)
                run_take_back(call->sandbox);
        return r;
}

static void run_failed(struct cri_call *call) {
        cri_sandbox_remove(call->sandbox);
        call_fail(call);
}

static int run_undo(struct cri_call *call, struct err **err) {
        (void)err;
        sandbox_unmake(call->sandbox, call->span, NULL);
        run_take_back(call->sandbox);
        return 0;
}

static void run_done(struct cri_call *call) {
        struct cri_sandbox *sandbox = call->sandbox;
        struct run *run = call->state;

        if (cri_sandbox_watch(sandbox, &call->err) < 0) {
                call_run(call, run_undo, run_failed);
                return;
        }
        sandbox->shim_pid = run->made.info.shim_pid;
        sandbox->ready = true;
        sandbox->hidden = false;
        sync_later(call->cri, RECORD_SANDBOX, sandbox->id);
        emit_sandbox(sandbox, CRI_EVENT_SANDBOX_READY);
        run->response->pod_sandbox_id = (char *)(uintptr_t)sandbox->id;
        call_reply(call, &run->response->base);
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
        /* All that the answer takes is there before anything is made. */
        if (!(run->record = call_message(call, &record__sandbox__descriptor)) ||
            !(run->response = call_message(call, &cri__run_pod_sandbox_response__descriptor)))
                return;
        if (run_record(call, id, run->record) < 0) {
                call_refuse(call, ENOMEM, "out of memory");
                return;
        }
        if (cri_sandbox_new(call->cri, run->record, &sandbox, &call->err) < 0) {
                call_fail(call);
                return;
        }
        sandbox->hidden = true;
        call->sandbox = cri_sandbox_ref(sandbox);
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
        if (cri_sandbox_host_network(sandbox))
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
        cri_container_ended(container, &killed);
}

static void stop_unmake_begin(struct cri_call *call) {
        call_run(call, stop_unmake, stop_done);
}

static void stop_wait(struct cri_call *call) {
        struct stop *stop = call->state;

        for (struct cri_container *c = call->sandbox->containers; c; c = c->next_in_sandbox) {
                if (!cri_container_wait(c, &stop->waiter))
                        continue;
                stop->waits_for = c;
                uv_timer_start(stop->timer, stop_force, SANDBOX_KILL_SECONDS * 1000, 0);
                return;
        }
        handle_free(TAKE_PTR(stop->timer));
        cri_sandbox_end_recovery(call, stop_unmake_begin);
}

/* Those that run now; false when the call was failed instead. */
static bool stop_list(struct cri_call *call, struct stop *stop) {
        size_t n = 0;

        for (struct cri_container *c = call->sandbox->containers; c; c = c->next_in_sandbox)
                n++;
        if (!(stop->running = call_alloc(call, (n + 1) * sizeof(*stop->running))) ||
            !(stop->cgroups = call_alloc(call, (n + 1) * sizeof(*stop->cgroups))))
                return false;
        n = 0;
        for (struct cri_container *c = call->sandbox->containers; c; c = c->next_in_sandbox)
                if (c->phase == CRI_PHASE_RUNNING && !c->ending) {
                        stop->cgroups[n] = c->cgroup;
                        stop->running[n++] = c->id;
                }
        return true;
}

static void stop_release(struct cri_call *call) {
        struct stop *stop = call->state;

        handle_free(stop->timer);
}

/* Stops the sandbox, whose turn the call has, and goes on with @then. */
static void stop_begin(struct cri_call *call, void (*then)(struct cri_call *call)) {
        struct stop *stop = call_alloc(call, sizeof(*stop));

        if (!stop || !stop_list(call, stop))
                return;
        call->state = stop;
        stop->call = call;
        stop->then = then;
        stop->waiter.ended = stop_ended;
        call->release = stop_release;
        if ((stop->timer = handle_timer(call->cri->loop, stop)))
                call_run(call, stop_kill, stop_wait);
        else
                call_refuse(call, ENOMEM, "out of memory");
}

/* One that is not there is stopped, and removed. */
static void take_turn_if_there(struct cri_call *call, const char *id, void (*then)(struct cri_call *call)) {
        struct cri_sandbox *sandbox;

        if (cri_sandbox_find(call->cri, id, &sandbox, NULL) == -ENOENT)
                call_reply_empty(call);
        else if (call_find_sandbox(call, id))
                call_take_turn(call, then);
}

static void stop_turn(struct cri_call *call) {
        if (call->sandbox->removed || !call->sandbox->ready)
                call_reply_empty(call);
        else
                stop_begin(call, call_reply_empty);
}

void handle_stop_pod_sandbox(struct cri_call *call) {
        const Cri__StopPodSandboxRequest *request = (const Cri__StopPodSandboxRequest *)call->request;

        take_turn_if_there(call, request->pod_sandbox_id, stop_turn);
}

static int remove_work(struct cri_call *call, struct err **err) {
        struct cri_sandbox *sandbox = call->sandbox;
        struct cri *cri = call->cri;
        int r;

        for (struct cri_container *c = sandbox->containers; c; c = c->next_in_sandbox)
                if ((r = cgroup_remove(cri->cgroups, c->cgroup, err)) < 0 ||
                    (r = record_remove(cri, RECORD_CONTAINER, c->id, err)) < 0)
                        return r;
        if (sandbox->record->owns_cgroup && (r = cgroup_remove(cri->cgroups, sandbox->cgroup, err)) < 0)
                return r;
        if ((r = sandbox_unmake(sandbox, call->span, err)) < 0)
                return r;
        return record_remove(cri, RECORD_SANDBOX, sandbox->id, err);
}

static void remove_done(struct cri_call *call) {
        struct cri_sandbox *sandbox = call->sandbox;
        struct cri_container *container;

        while ((container = sandbox->containers)) {
                cri_container_ref(container);
                cri_container_remove(container);
                emit_container(container, CRI_EVENT_CONTAINER_DELETED);
                cri_container_unref(container);
        }
        cri_sandbox_remove(sandbox);
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

        take_turn_if_there(call, request->pod_sandbox_id, remove_turn);
}

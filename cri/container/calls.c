/* StartContainer, UpdateContainerResources, ReopenContainerLog. */
#include <assert.h>

#include "cgroups/cgroup.h"
#include "cri/call/call.h"
#include "cri/state/exits.h"
#include "cri/call/handler.h"
#include "cri/call/handlers.h"
#include "cri/state/record.h"
#include "cri/container/resources.h"
#include "cri/sandbox/sandbox.h"
#include "cri/container/spec.h"
#include "cri/state/sync.h"
#include "cri/container/writable.h"
#include "lib/pool.h"
#include "runtime/plan/overlay.h"

/* Shims that may die under one start. */
#define START_ATTEMPTS_MAX 10

/* Making a container takes about 200 KiB of the kernel's memory. */
#define SMALL_MEMORY (2 << 20)

static const char *const state_names[] = { "CONTAINER_CREATED", "CONTAINER_RUNNING", "CONTAINER_EXITED",
                                           "CONTAINER_UNKNOWN" };

/* What the container sees at /sys/fs/cgroup: its own cgroup. */
static int show_cgroup(struct cri_container *container, struct arena *arena, struct container_spec *spec,
                       struct err **err) {
        struct cgroup_mount *mounts = arena_alloc_array(arena, CGROUP_HIERARCHIES_MAX, sizeof(*mounts));

        if (!mounts)
                return err_errno(err, ENOMEM, "container %s", container->id);
        spec->cgroup_mounts = mounts;
        return cgroup_mounts(container->sandbox->cri->cgroups, container->cgroup, mounts, &spec->n_cgroup_mounts, err);
}

/* The cgroup with its limits and devices, opened for the process to be. */
static int start_cgroup(struct cri_container *container, struct arena *arena, struct container_spec *spec,
                        struct cgroup_join *ret_join, struct err **err) {
        struct cri *cri = container->sandbox->cri;
        struct cgroup_limits limits = { 0 };
        struct cgroup_device *rules;
        size_t n_rules;
        int r;

        if ((r = spec_fill_devices(container, arena, spec, &rules, &n_rules, err)) < 0 ||
            (container->resources && (r = resources_to_limits(arena, container->resources, &limits, err)) < 0) ||
            (r = cgroup_create(cri->cgroups, container->cgroup, err)) < 0 ||
            (container->resources && (r = cgroup_apply(cri->cgroups, container->cgroup, &limits, err)) < 0) ||
            (r = cgroup_set_devices(cri->cgroups, container->cgroup, rules, n_rules, err)) < 0 ||
            (r = show_cgroup(container, arena, spec, err)) < 0 ||
            (r = handler_fill(container, arena, rules, n_rules, spec, err)) < 0)
                return r;
        return cgroup_join_open(cri->cgroups, container->cgroup, ret_join, err);
}

struct start {
        struct container_state state; /* first */
        pid_t shim_pid;               /* that was there when it began */
        unsigned attempts;
};

/* Memory is charged to a container from its execve() on where that costs nothing; moving a process within cgroup2 takes
 * the kernel milliseconds, which only a limit is worth that making a container would eat up. */
static int late_cgroup(const struct cri_container *container, const struct cgroup_join *join) {
        int64_t limit = container->resources ? container->resources->memory_limit_in_bytes : 0;

        if (join->memory >= 0)
                return join->memory;
        return join->n_tasks == 0 && limit > 0 && limit < SMALL_MEMORY ? 0 : -1;
}

/* The container's root, mounted while its cgroup is made. */
struct start_root {
        struct pool_side side; /* first */
        const struct rootfs_spec *spec;
        int mount;
        int r;
        struct err *err;
};

static void start_mount_root(struct pool_side *side) {
        struct start_root *root = (struct start_root *)side;

        root->r = overlay_mount(root->spec, -EBADF, &root->mount, &root->err);
}

/* The first failure of the two is told. In a user namespace the layers' ids are mapped by what the start makes. */
static int start_surroundings(struct cri_call *call, struct container_spec *spec, struct cgroup_join *join,
                              int *ret_root, struct err **err) {
        struct start_root root = { .side.work = start_mount_root, .spec = &spec->root, .mount = -EBADF };
        bool beside = spec->mappings.n_uids == 0 && spec->root.n_lowers > 0;
        int r;

        if (beside)
                pool_side_begin(call->cri->pool, &root.side);
        r = SPAN_STEP(call->span, "cgroup_create", start_cgroup(call->container, call->arena, spec, join, err), err);
        if (beside)
                pool_side_end(call->cri->pool, &root.side);
        if (r >= 0 && root.r < 0)
                return err_move(err, root.err);
        err_free(root.err);
        *ret_root = root.mount;
        return r;
}

/* With @spec, which the caller closes, and @join likewise. */
static int start_with(struct cri_call *call, struct container_spec *spec, struct cgroup_join *join, struct err **err) {
        struct cri_container *container = call->container;
        const struct container_at at = { call->cri->runtime, call->sandbox->id, container->id };
        struct container_state *state = &((struct start *)call->state)->state;
        _cleanup_close_ int root = -EBADF;
        struct container_io io;
        int r;

        if ((r = spec_fill(container, call->arena, spec, err)) < 0 ||
            (r = spec_fill_io(container, call->arena, &io, err)) < 0 ||
            (r = start_surroundings(call, spec, join, &root, err)) < 0)
                return r;
        spec->root_fd = root;
        spec->cgroup_fd = join->dir_fd;
        spec->cgroup_procs_fds = join->tasks;
        spec->n_cgroup_procs_fds = join->n_tasks;
        spec->late_cgroup = late_cgroup(container, join);
        return SPAN_STEP(call->span, "container_start", container_start(&at, spec, &io, state, err), err);
}

static int start_work(struct cri_call *call, struct err **err) {
        char *dir = record_dir(call->cri, call->arena, RECORD_CONTAINER, call->container->id);
        struct cgroup_join join = CGROUP_JOIN_NONE;
        struct container_spec spec;
        int r;

        assert(call->has_turn && call->container->phase == CRI_PHASE_STARTING);
        if (!dir)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = writable_renew(call->sandbox, call->arena, dir, err)) < 0)
                return r;
        r = start_with(call, &spec, &join, err);
        cgroup_join_close(&join);
        spec_close(&spec);
        if (r < 0)
                cgroup_remove(call->cri->cgroups, call->container->cgroup, NULL);
        return r;
}

static void start_turn(struct cri_call *call);

static void start_done(struct cri_call *call) {
        cri_container_started(call->container, call->state);
        cri_sandbox_start_ended(call->sandbox);
        call_reply_empty(call);
}

/* What a shim that died had made of the container is gone with its cgroup: the next shim begins anew. */
static void start_failed(struct cri_call *call) {
        struct start *start = call->state;

        if (call->result == -RUNTIME_NO_SHIM && ++start->attempts < START_ATTEMPTS_MAX && call->sandbox->ready) {
                call->container->phase = CRI_PHASE_CREATED;
                call->err = err_free(call->err);
                cri_sandbox_start_ended(call->sandbox);
                cri_sandbox_await_shim(call, start->shim_pid, start_turn);
                return;
        }
        cri_container_start_failed(call->container, call->err);
        cri_sandbox_start_ended(call->sandbox);
        call_fail(call);
}

static void start_turn(struct cri_call *call) {
        struct start *start = call->state;
        struct cri_container *container = call->container;

        if (container->removed || container->phase != CRI_PHASE_CREATED) {
                call_refuse(call, EINVAL, "container \"%s\" is in %s state", container->id,
                            state_names[cri_container_state(container)]);
                return;
        }
        if (!call->sandbox->ready) {
                call_refuse(call, EINVAL, "sandbox container \"%s\" is not running", call->sandbox->id);
                return;
        }
        if (call->sandbox->recovery) {
                cri_sandbox_await_shim(call, 0, start_turn);
                return;
        }
        if (!start && !(call->state = start = call_alloc(call, sizeof(*start))))
                return;
        start->shim_pid = call->sandbox->shim_pid;
        call->sandbox->starting = true;
        container->phase = CRI_PHASE_STARTING;
        call->failed = start_failed;
        call_run(call, start_work, start_done);
}

void handle_start_container(struct cri_call *call) {
        const Cri__StartContainerRequest *request = (const Cri__StartContainerRequest *)call->request;

        if (call_find_container(call, request->container_id))
                call_take_turn(call, start_turn);
}

/* What is wanted now, and the copy that the container keeps of it once it is so. */
struct update {
        const Cri__LinuxContainerResources *merged, *kept;
        struct arena *arena; /* of @kept */
};

static void update_release(struct cri_call *call) {
        struct update *update = call->state;

        arena_free(update->arena);
}

static int update_work(struct cri_call *call, struct err **err) {
        struct cri_container *container = call->container;
        const struct update *update = call->state;
        _cleanup_arena_ struct arena *arena = arena_new();
        struct cgroup_limits limits;
        Record__Container *record;
        int r;

        if (!arena || !(record = record_of_container(arena, container)) ||
            message_pack(arena, &update->merged->base, &record->resources) < 0)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = resources_to_limits(arena, update->merged, &limits, err)) < 0)
                return r;
        if (container->phase == CRI_PHASE_RUNNING &&
            (r = cgroup_update(call->cri->cgroups, container->cgroup, &limits, err)) < 0)
                return r;
        return record_write(call->cri, RECORD_CONTAINER, container->id, &record->base, err);
}

static void update_done(struct cri_call *call) {
        struct cri_container *container = call->container;
        struct update *update = call->state;

        arena_free(container->resources_arena);
        container->resources_arena = TAKE_PTR(update->arena);
        container->resources = update->kept;
        sync_later(call->cri, RECORD_CONTAINER, call->container->id);
        call_reply_empty(call);
}

/* The copy is made before anything is changed, since what has changed cannot fail any more. */
static void update_begin(struct cri_call *call, const Cri__LinuxContainerResources *wanted) {
        struct update *update = call_alloc(call, sizeof(*update));

        if (!update)
                return;
        call->state = update;
        call->release = update_release;
        update->arena = arena_new();
        if (!update->arena || !(update->merged = resources_merge(call->arena, call->container->resources, wanted)) ||
            !(update->kept = message_copy(update->arena, &update->merged->base)))
                call_refuse(call, ENOMEM, "out of memory");
        else
                call_run(call, update_work, update_done);
}

static void update_turn(struct cri_call *call) {
        const Cri__UpdateContainerResourcesRequest *request =
                (const Cri__UpdateContainerResourcesRequest *)call->request;

        if (call->container->removed || call->container->phase == CRI_PHASE_EXITED) {
                call_refuse(call, EINVAL, "container \"%s\" is in %s state", call->container->id,
                            state_names[cri_container_state(call->container)]);
                return;
        }
        if (request->linux)
                update_begin(call, request->linux);
        else
                call_reply_empty(call);
}

void handle_update_container_resources(struct cri_call *call) {
        const Cri__UpdateContainerResourcesRequest *request =
                (const Cri__UpdateContainerResourcesRequest *)call->request;

        if (call_find_container(call, request->container_id))
                call_take_turn(call, update_turn);
}

static int reopen_work(struct cri_call *call, struct err **err) {
        return container_reopen_log(call->cri->runtime, call->sandbox->id, call->container->id, err);
}

void handle_reopen_container_log(struct cri_call *call) {
        const Cri__ReopenContainerLogRequest *request = (const Cri__ReopenContainerLogRequest *)call->request;

        if (!call_find_container(call, request->container_id))
                return;
        if (call->container->phase != CRI_PHASE_RUNNING) {
                call_refuse(call, EINVAL, "container is not running");
                return;
        }
        call_run(call, reopen_work, call_reply_empty);
}

#include "runtime/plan/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "cgroups/cgroup.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/plan/bind.h"
#include "runtime/plan/overlay.h"
#include "runtime/seccomp/seccomp.h"
#include "runtime/sys.h"
#include "runtime/plan/userns.h"

static uint32_t map_id(const struct id_mapping *map, size_t n, uint32_t id) {
        if (n == 0)
                return id;
        for (size_t i = 0; i < n; i++)
                if (id >= map[i].container && id - map[i].container < map[i].size)
                        return map[i].host + (id - map[i].container);
        return UINT32_MAX;
}

uint32_t prepare_host_uid(const struct id_mappings *mappings, uint32_t id) {
        return map_id(mappings->uids, mappings->n_uids, id);
}

uint32_t prepare_host_gid(const struct id_mappings *mappings, uint32_t id) {
        return map_id(mappings->gids, mappings->n_gids, id);
}

/* ---- namespaces and root ---- */

static const struct {
        enum namespace_type type;
        uint64_t flag;
} namespace_flags[] = {
        { NAMESPACE_USER, CLONE_NEWUSER }, { NAMESPACE_NET, CLONE_NEWNET },       { NAMESPACE_IPC, CLONE_NEWIPC },
        { NAMESPACE_UTS, CLONE_NEWUTS },   { NAMESPACE_CGROUP, CLONE_NEWCGROUP }, { NAMESPACE_TIME, CLONE_NEWTIME },
};

static bool joins_late(const struct container_spec *spec) {
        return spec->late_cgroup >= 0 && ((size_t)spec->late_cgroup < spec->n_cgroup_procs_fds || spec->cgroup_fd >= 0);
}

/* The mount and pid namespaces come with clone3(); the user namespace is entered last, when all is mounted. */
void prepare_namespaces(const struct container_spec *spec, struct plan *plan) {
        uint64_t unshared = 0;

        for (size_t i = 0; i < ELEMENTS(namespace_flags); i++) {
                const struct namespace_spec *ns = &spec->namespaces[namespace_flags[i].type];

                if (namespace_flags[i].type == NAMESPACE_USER ||
                    (namespace_flags[i].type == NAMESPACE_CGROUP && joins_late(spec)))
                        continue;
                if (ns->mode == NAMESPACE_NEW)
                        unshared |= namespace_flags[i].flag;
                else if (ns->mode == NAMESPACE_JOIN)
                        plan_add(plan, PLAN_JOIN, plan_dup_fd(plan, ns->fd), NULL, 0)->a = namespace_flags[i].flag;
        }
        if (unshared)
                plan_add(plan, PLAN_UNSHARE, -1, NULL, 0)->a = unshared;
        if (spec->hostname)
                plan_add_string(plan, PLAN_HOSTNAME, spec->hostname);
        if (spec->domainname)
                plan_add_string(plan, PLAN_DOMAINNAME, spec->domainname);
        if (!spec->no_new_keyring)
                plan_add(plan, PLAN_KEYRING, -1, NULL, 0);
}

int prepare_root(const struct container_spec *spec, int user_fd, int *ret_mount, struct err **err) {
        const struct mount_spec plain = { .source = spec->root.path,
                                          .source_fd = -EBADF,
                                          .destination = "/",
                                          .recursive = true,
                                          .idmap = user_fd >= 0 && !spec->root.owned,
                                          .propagation = MS_SLAVE | MS_REC };
        bool directory;

        if (spec->root_fd >= 0) {
                *ret_mount = fcntl(spec->root_fd, F_DUPFD_CLOEXEC, 3);
                return *ret_mount < 0 ? err_errno(err, errno, "the container's root") : 0;
        }
        return spec->root.n_lowers > 0 ? overlay_mount(&spec->root, user_fd, ret_mount, err) :
                                         bind_open(&plain, user_fd, ret_mount, &directory, err);
}

static int add_root(const struct container_spec *spec, int user_fd, struct plan *plan, struct err **err) {
        int mount = -EBADF, r = prepare_root(spec, user_fd, &mount, err);

        if (r < 0)
                return r;
        plan_add(plan, PLAN_ROOT, plan_take_fd(plan, mount), NULL, 0)->flags = spec->own_mounts ? PLAN_F_PRIVATE : 0;
        return 0;
}

/* ---- devices ---- */

static void add_devices(const struct container_spec *spec, struct plan *plan) {
        const struct id_mappings *map = &spec->mappings;

        if (spec->default_devices) {
                struct plan_step *step = plan_add(plan, PLAN_DEVICES, -1, NULL, 0);

                step->a = prepare_host_uid(map, 0);
                step->b = prepare_host_gid(map, 0);
        }
        for (size_t i = 0; i < spec->n_devices; i++) {
                const struct device_spec *device = &spec->devices[i];
                struct plan_step *step = plan_add_string(plan, PLAN_DEVICE, device->path);

                step->a = device->mode;
                step->b = (uint64_t)device->major << 32 | device->minor;
                step->c = (uint64_t)prepare_host_uid(map, device->uid) << 32 | prepare_host_gid(map, device->gid);
        }
}

static void add_strings_each(struct plan *plan, enum plan_step_kind kind, const char *const *strings) {
        for (; strings && *strings; strings++)
                plan_add_string(plan, kind, *strings);
}

/* ---- the process ---- */

static void add_limits(const struct process_spec *process, struct plan *plan) {
        if (process->set_oom_score_adj) {
                struct plan_step *step = plan_add(plan, PLAN_OOM_SCORE, -1, NULL, 0);

                step->a = (uint64_t)(int64_t)process->oom_score_adj;
                step->flags = PLAN_F_SOFT;
        }
        for (size_t i = 0; i < process->n_rlimits; i++) {
                struct plan_step *step = plan_add(plan, PLAN_RLIMIT, -1, NULL, 0);

                step->a = (uint64_t)process->rlimits[i].resource;
                step->b = process->rlimits[i].soft;
                step->c = process->rlimits[i].hard;
                step->flags = PLAN_F_SOFT;
        }
}

static size_t count(const char *const *strings) {
        size_t n = 0;

        while (strings && strings[n])
                n++;
        return n;
}

static void add_seccomp(const struct seccomp_filter *filter, struct plan *plan) {
        plan_add(plan, PLAN_SECCOMP, -1, filter->program, filter->size)->a = filter->flags;
}

static int add_hooks(const struct container_spec *spec, const struct hook_spec *hooks, size_t n, struct plan *plan) {
        for (size_t i = 0; i < n; i++) {
                size_t n_args = count(hooks[i].args), n_env = count(hooks[i].env);
                const char **strings = calloc(n_args + n_env + 2, sizeof(*strings));
                struct plan_step *step;

                if (!strings)
                        return -ENOMEM;
                strings[0] = hooks[i].path;
                strings[1] = spec->hook_state;
                memcpy(strings + 2, hooks[i].args, n_args * sizeof(*strings));
                if (n_env > 0)
                        memcpy(strings + 2 + n_args, hooks[i].env, n_env * sizeof(*strings));
                step = plan_add_strings(plan, PLAN_HOOK, -1, strings, n_args + n_env + 2);
                step->a = n_args;
                step->b = n_env;
                step->c = hooks[i].timeout;
                free(strings);
        }
        return 0;
}

static bool has_home(const char *const *env) {
        for (; env && *env; env++)
                if (strncmp(*env, "HOME=", 5) == 0 && (*env)[5] != '\0')
                        return true;
        return false;
}

static void add_command(const struct process_spec *process, struct plan *plan) {
        plan_add_strings(plan, PLAN_ARGS, -1, process->args, count(process->args));
        plan_add_strings(plan, PLAN_ENV, -1, process->env, count(process->env));
        if (process->fill_home && !has_home(process->env))
                plan_add(plan, PLAN_HOME, -1, NULL, 0)->a = process->uid;
}

/* The process is complete but for its rights: here it waits for `start`, when there is one. */
static void add_start(const struct container_spec *spec, struct plan *plan) {
        add_command(&spec->process, plan);
        if (spec->start_fd >= 0)
                plan_add(plan, PLAN_LOOKUP, -1, NULL, 0);
        if (spec->start_sync)
                plan_add(plan, PLAN_GO, -1, NULL, 0);
        if (spec->start_fd >= 0)
                plan_add(plan, PLAN_WAIT, plan_dup_fd(plan, spec->start_fd), NULL, 0);
        add_hooks(spec, spec->start_hooks, spec->n_start_hooks, plan);
}

/* From here memory is charged to the container; a cgroup namespace takes its root from where the process is. */
static void add_late_cgroup(const struct container_spec *spec, struct plan *plan) {
        const struct namespace_spec *ns = &spec->namespaces[NAMESPACE_CGROUP];
        int fd;

        if (!joins_late(spec))
                return;
        if ((size_t)spec->late_cgroup < spec->n_cgroup_procs_fds)
                fd = plan_dup_fd(plan, spec->cgroup_procs_fds[spec->late_cgroup]);
        else
                fd = plan_take_fd(plan, openat(spec->cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC));
        plan_add(plan, PLAN_CGROUP, fd, NULL, 0);
        if (ns->mode == NAMESPACE_NEW)
                plan_add(plan, PLAN_UNSHARE, -1, NULL, 0)->a = CLONE_NEWCGROUP;
        else if (ns->mode == NAMESPACE_JOIN)
                plan_add(plan, PLAN_JOIN, plan_dup_fd(plan, ns->fd), NULL, 0)->a = CLONE_NEWCGROUP;
}

/* From here the process loses its rights: the filter needs either them or no_new_privs. */
static void add_identity(const struct process_spec *process, struct plan *plan) {
        struct plan_step *step;

        if (process->apparmor)
                plan_add_string(plan, PLAN_APPARMOR, process->apparmor);
        if (process->selinux)
                plan_add_string(plan, PLAN_SELINUX, process->selinux);
        step = plan_add(plan, PLAN_IDENTITY, -1, process->groups, process->n_groups * sizeof(gid_t));
        step->a = process->uid;
        step->b = process->gid;
        step->c = process->umask;
        if (process->seccomp && !process->no_new_privileges)
                add_seccomp(process->seccomp, plan);
        plan_add(plan, PLAN_CAPABILITIES, -1, &process->capabilities, sizeof(process->capabilities));
        if (process->no_new_privileges)
                plan_add(plan, PLAN_NO_NEW_PRIVILEGES, -1, NULL, 0);
        if (process->seccomp && process->no_new_privileges)
                add_seccomp(process->seccomp, plan);
        plan_add(plan, PLAN_EXEC, -1, NULL, 0);
}

static void add_stdio(const struct prepare_stdio *stdio, struct plan *plan) {
        struct plan_step *step;
        int in = plan_dup_fd(plan, stdio->in), out = plan_dup_fd(plan, stdio->out),
            error = plan_dup_fd(plan, stdio->err);

        step = plan_add(plan, PLAN_STDIO, in, NULL, 0);
        step->a = (uint64_t)(int64_t)out;
        step->b = (uint64_t)(int64_t)error;
}

static struct plan_step *add_console(const struct process_spec *process, uint32_t owner, struct plan *plan) {
        struct plan_step *step = plan_add(plan, PLAN_CONSOLE, -1, NULL, 0);

        step->a = (uint64_t)process->rows << 16 | process->columns;
        step->b = owner;
        return step;
}

static void add_cwd(const struct process_spec *process, uint16_t flags, struct plan *plan) {
        plan_add_string(plan, PLAN_CWD, process->cwd && process->cwd[0] ? process->cwd : "/")->flags = flags;
}

static int finish(const struct plan *plan, struct err **err) {
        int r = plan_check(plan);

        return r < 0 ? err_errno(err, -r, "the container's plan") : 0;
}

/* Under a shim, what is inherited is the pod's, which decides about its sysctls itself; otherwise it is the host's. */
static uint64_t own_namespaces(const struct container_spec *spec) {
        static const struct {
                enum namespace_type type;
                uint64_t flag;
        } all[] = { { NAMESPACE_NET, CLONE_NEWNET }, { NAMESPACE_IPC, CLONE_NEWIPC }, { NAMESPACE_UTS, CLONE_NEWUTS } };
        uint64_t own = 0;

        for (size_t i = 0; i < ELEMENTS(all); i++)
                if (!spec->own_mounts || spec->namespaces[all[i].type].mode != NAMESPACE_INHERIT)
                        own |= all[i].flag;
        return own;
}

int prepare_container(const struct container_spec *spec, const struct prepare_stdio *stdio, struct plan *plan,
                      struct err **err) {
        _cleanup_userns_ struct userns users = USERNS_NONE;
        int r = 0;

        /* Idmapped mounts take their mapping from a user namespace: one like the container's. */
        if (spec->namespaces[NAMESPACE_USER].mode == NAMESPACE_JOIN)
                users.user_fd = fcntl(spec->namespaces[NAMESPACE_USER].fd, F_DUPFD_CLOEXEC, 3);
        else if (spec->mappings.n_uids > 0)
                r = userns_open(&spec->mappings, 0, &users, err);
        if (r < 0)
                return r;
        r = add_root(spec, users.user_fd, plan, err);
        if (r < 0 || (r = prepare_mounts(spec, users.user_fd, plan, err)) < 0 ||
            (r = prepare_sysctls(spec->sysctls, spec->n_sysctls, own_namespaces(spec), plan, err)) < 0)
                return r;
        add_devices(spec, plan);
        if (spec->process.terminal)
                add_console(&spec->process, prepare_host_uid(&spec->mappings, spec->process.uid), plan);
        else
                add_stdio(stdio, plan);
        add_strings_each(plan, PLAN_READONLY, spec->readonly_paths);
        add_strings_each(plan, PLAN_MASK, spec->masked_paths);
        add_limits(&spec->process, plan);
        if (spec->sync)
                plan_add(plan, PLAN_SYNC, -1, NULL, 0);
        r = add_hooks(spec, spec->create_hooks, spec->n_create_hooks, plan);
        if (r < 0)
                return err_errno(err, -r, "the hooks");
        plan_add(plan, PLAN_PIVOT, -1, NULL, 0)->a = spec->root.propagation;
        add_cwd(&spec->process, PLAN_F_DIRECTORY, plan);
        if (spec->root.readonly)
                plan_add(plan, PLAN_ROOT_READONLY, -1, NULL, 0);
        add_late_cgroup(spec, plan);
        if (spec->mappings.n_uids > 0)
                plan_add(plan, PLAN_USER, -1, NULL, 0);
        add_start(spec, plan);
        add_identity(&spec->process, plan);
        return finish(plan, err);
}

int prepare_exec(const struct process_spec *process, const struct prepare_stdio *stdio, int terminal_fd,
                 struct plan *plan, struct err **err) {
        add_limits(process, plan);
        if (terminal_fd >= 0)
                plan_add(plan, PLAN_TERMINAL, plan_dup_fd(plan, terminal_fd), NULL, 0);
        else if (process->terminal)
                add_console(process, process->uid, plan)->flags = PLAN_F_RUNNING;
        else
                add_stdio(stdio, plan);
        add_cwd(process, 0, plan);
        add_command(process, plan);
        add_identity(process, plan);
        return finish(plan, err);
}

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/init/init.h"
#include "runtime/oci/creation.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/prepare.h"
#include "runtime/sys.h"

#define SMALL_MEMORY (1024 * 1024)

int oci_creation_target(struct oci_call *call, const char *bundle, struct creation_options *o, struct err **err) {
        char path[PATH_MAX];

        if (optind != call->argc - 1)
                return err_set(err, EINVAL, "one container id is needed");
        o->id = call->argv[optind];
        if (!realpath(bundle, path))
                return err_errno(err, errno, "bundle %s", bundle);
        o->bundle = arena_strdup(call->oci->arena, path);
        return oci_check_id(o->id, err);
}

static int parse(struct oci_call *call, struct creation_options *o, struct err **err) {
        static const struct option long_options[] = {
                { "bundle", 1, NULL, 'b' },   { "console-socket", 1, NULL, 'c' }, { "pid-file", 1, NULL, 'p' },
                { "no-pivot", 0, NULL, 'n' }, { "no-new-keyring", 0, NULL, 'k' }, { "preserve-fds", 1, NULL, 'f' },
                { "detach", 0, NULL, 'd' },   { "keep", 0, NULL, 'e' },           { "no-subreaper", 0, NULL, 's' },
                { NULL, 0, NULL, 0 },
        };
        const char *bundle = ".";
        int64_t n;
        int c, r;

        *o = (struct creation_options){ 0 };
        optind = 0;
        while ((c = getopt_long(call->argc, call->argv, "+b:d", long_options, NULL)) >= 0) {
                switch (c) {
                case 'b':
                        bundle = optarg;
                        break;
                case 'c':
                        o->io.console_socket = optarg;
                        break;
                case 'p':
                        o->io.pid_file = optarg;
                        break;
                case 'k':
                        o->no_new_keyring = true;
                        break;
                case 'f':
                        r = oci_parse_number("preserve-fds", optarg, 0, OCI_PRESERVE_FDS_MAX, &n, err);
                        if (r < 0)
                                return r;
                        o->io.preserve_fds = (unsigned)n;
                        break;
                case 'd':
                        o->io.detach = true;
                        break;
                case 'e':
                        o->keep = true;
                        break;
                case 'n':
                        return err_set(err, ENOTSUP,
                                       "--no-pivot: not supported; it would leave the host's files in reach");
                case 's':
                        break;
                default:
                        return err_set(err, EINVAL, "unknown option; see nacelle-oci --help");
                }
        }
        return oci_creation_target(call, bundle, o, err);
}

/* ---- the pieces ---- */

static int make_directory(struct creation *c, struct err **err) {
        const char *path = arena_printf(c->oci->arena, "%s/%s", c->oci->root, c->options->id);
        int r = files_make_dirs(c->oci->root, 0700, err), fifo;

        if (r < 0)
                return r;
        if (mkdir(path, 0700) < 0)
                return errno == EEXIST ? err_set(err, EEXIST, "container with id exists: %s", c->options->id) :
                                         err_errno(err, errno, "%s", path);
        c->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c->dir >= 0 && symlinkat(c->config.cgroup, c->dir, OCI_CGROUP_LINK) < 0)
                return err_errno(err, errno, "%s/" OCI_CGROUP_LINK, path);
        if (c->dir >= 0 && c->runs)
                return 0;
        /* Whoever root is in the container writes to it; that nobody else does is the directory's matter. */
        if (c->dir < 0 || mkfifoat(c->dir, "exec.fifo", 0) < 0 || fchmodat(c->dir, "exec.fifo", 0622, 0) < 0)
                return err_errno(err, errno, "%s", path);
        fifo = openat(c->dir, "exec.fifo", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        c->config.spec.start_fd = fifo;
        return fifo < 0 ? err_errno(err, errno, "%s/exec.fifo", path) : 0;
}

/* A user who was given no cgroup to make others in has containers without, as long as they ask for no limits. */
static bool may_do_without(const struct creation *c, int r) {
        const struct value *resources = c->config.document.platform.resources_value;

        if (r != -EACCES && r != -EPERM && r != -EROFS)
                return false;
        for (uint32_t i = 0; i < value_count(resources); i++)
                if (strcmp(resources->members[i].key, "devices") != 0 && value_count(&resources->members[i].value) > 0)
                        return false;
        return oci_is_users();
}

static int make_cgroup(struct creation *c, struct err **err) {
        struct oci_config *config = &c->config;
        struct cgroup_mount *mounts = arena_alloc_array(c->oci->arena, CGROUP_HIERARCHIES_MAX, sizeof(*mounts));
        int r = oci_cgroups(c->oci, err);

        if (r < 0)
                return r;
        r = cgroup_create(c->oci->cgroups, config->cgroup, err);
        if (r < 0 && may_do_without(c, r)) {
                if (err)
                        *err = err_free(*err);
                config->cgroup = "";
                return 0;
        }
        if (r < 0)
                return r;
        c->cgroup_made = true;
        if ((r = cgroup_apply(c->oci->cgroups, config->cgroup, &config->limits, err)) < 0 ||
            (r = cgroup_join_open(c->oci->cgroups, config->cgroup, &c->join, err)) < 0)
                return r;
        config->spec.cgroup_mounts = mounts;
        return mounts ? cgroup_mounts(c->oci->cgroups, config->cgroup, mounts, &config->spec.n_cgroup_mounts, err) : 0;
}

/* Making a container takes memory of the kernel's that need not be charged to it: memory alone is joined last where it
 * is a hierarchy of its own. Else that would cost time, and is done for the sake of limits that would not hold it all.
 */
static int join_last(struct creation *c, struct oci_spawn *how, struct err **err) {
        struct container_spec *spec = &c->config.spec;
        int64_t limit = c->config.limits.memory_max;

        spec->late_cgroup = c->join.memory;
        spec->cgroup_procs_fds = c->join.tasks;
        spec->n_cgroup_procs_fds = c->join.n_tasks;
        if (!c->cgroup_made || c->join.n_tasks > 0 || limit <= 0 || limit >= SMALL_MEMORY)
                return 0;
        c->late_fd = openat(c->join.dir_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (c->late_fd < 0)
                return err_errno(err, errno, "cgroup %s", c->config.cgroup);
        how->cgroup_fd = -EBADF;
        spec->late_cgroup = 0;
        spec->cgroup_procs_fds = &c->late_fd;
        spec->n_cgroup_procs_fds = 1;
        return 0;
}

static const char *state_text(const struct creation *c, const char *status, pid_t pid) {
        return oci_state_text(c->oci, c->options->id, status, pid, c->options->bundle,
                              c->config.document.annotations_value);
}

int oci_creation_run_hooks(struct creation *c, pid_t pid, struct err **err) {
        /* The deprecated hook has another word for the same moment, as its users have come to expect. */
        int r = oci_run_hooks(&c->config.hooks.prestart, "prestart", state_text(c, "created", pid), err);

        return r < 0 ? r :
                       oci_run_hooks(&c->config.hooks.create_runtime, "createRuntime", state_text(c, "creating", pid),
                                     err);
}

int oci_creation_record(struct creation *c, pid_t pid, struct err **err) {
        const struct oci_record record = {
                .id = c->options->id,
                .bundle = c->options->bundle,
                .cgroup = c->config.cgroup,
                .pid = pid,
                .shares_pids = c->config.spec.namespaces[NAMESPACE_PID].mode != NAMESPACE_NEW,
                .annotations = c->config.document.annotations_value,
                .hooks = c->config.document.hooks_value,
        };
        int r = oci_state_write(c->oci, c->dir, &record, err);

        return r < 0 ? r : oci_write_pid(c->options->io.pid_file, pid, err);
}

static int run_hooks(void *data, pid_t pid, struct err **err) {
        return oci_creation_run_hooks(data, pid, err);
}

static int record(void *data, pid_t pid, struct err **err) {
        return oci_creation_record(data, pid, err);
}

/* The kernel takes its time to check the filter, and nothing of the container's runs before it is told to. */
int oci_creation_filter_devices(struct creation *c, struct err **err) {
        return !c->cgroup_made ? 0 :
                                 cgroup_set_devices(c->oci->cgroups, c->config.cgroup, c->config.devices,
                                                    c->config.n_devices, err);
}

static int filter_devices(void *data, struct err **err) {
        return oci_creation_filter_devices(data, err);
}

static int prepare(void *data, struct plan *plan, struct err **err) {
        static const struct prepare_stdio inherited = { -EBADF, -EBADF, -EBADF };
        struct creation *c = data;

        return prepare_container(&c->config.spec, &inherited, plan, err);
}

static int lead(void *data, struct plan *plan, struct err **err) {
        struct creation *c = data;
        const struct namespace_spec *mount = &c->config.spec.namespaces[NAMESPACE_MOUNT];
        int r = oci_ahead_take(&c->ahead, &c->config.spec, err);

        if (r < 0)
                return r;
        oci_add_cgroups(plan, &c->join, c->join.memory);
        if (mount->mode == NAMESPACE_JOIN)
                plan_add(plan, PLAN_JOIN, plan_dup_fd(plan, mount->fd), NULL, 0)->a = CLONE_NEWNS;
        prepare_namespaces(&c->config.spec, plan);
        return 0;
}

/* What of the spec this call alone knows. */
static void complete_spec(struct creation *c) {
        const struct oci_config *config = &c->config;
        struct container_spec *spec = &c->config.spec;

        if (config->hooks.create_container.n + config->hooks.start_container.n > 0)
                spec->hook_state = state_text(c, "creating", 0);
        spec->start_sync = true;
        spec->create_hooks = config->hooks.create_container.list;
        spec->n_create_hooks = config->hooks.create_container.n;
        spec->start_hooks = config->hooks.start_container.list;
        spec->n_start_hooks = config->hooks.start_container.n;
        spec->sync = config->hooks.prestart.n + config->hooks.create_runtime.n > 0;
        spec->no_new_keyring = c->options->no_new_keyring;
}

static int spawn_container(struct creation *c, pid_t *ret_pid, int *ret_master, struct err **err) {
        struct container_spec *spec = &c->config.spec;
        const struct namespace_spec *pid = &spec->namespaces[NAMESPACE_PID],
                                    *mount = &spec->namespaces[NAMESPACE_MOUNT];
        struct oci_spawn how = {
                .clone_flags = (mount->mode == NAMESPACE_NEW ? CLONE_NEWNS : 0) |
                               (pid->mode == NAMESPACE_NEW ? CLONE_NEWPID : 0),
                .pid_ns_fd = pid->mode == NAMESPACE_JOIN ? pid->fd : -EBADF,
                .cgroup_fd = c->join.dir_fd,
                .user_fd = c->userns.user_fd,
                .stdio_uid = spec->process.terminal ? UINT32_MAX : prepare_host_uid(&spec->mappings, spec->process.uid),
                .own_mounts = mount->mode != NAMESPACE_INHERIT,
                .lead = lead,
                .prepare = prepare,
                .beside = filter_devices,
                .start = record,
                .data = c,
        };
        int r;

        complete_spec(c);
        how.sync = spec->sync ? run_hooks : NULL;
        r = join_last(c, &how, err);
        if (r < 0)
                return r;
        r = oci_spawn(&how, &c->options->io, ret_pid, ret_master, err);
        if (r < 0)
                return r;
        r = oci_check_started(c->oci, c->options->id, c->config.cgroup, *ret_pid, err);
        if (r < 0) {
                kill(*ret_pid, SIGKILL);
                waitpid(*ret_pid, NULL, 0);
                *ret_master = close_fd(*ret_master);
        }
        return r;
}

void oci_creation_undo(struct creation *c) {
        if (c->cgroup_made)
                cgroup_remove(c->oci->cgroups, c->config.cgroup, NULL);
        if (c->dir >= 0)
                files_remove_tree(arena_printf(c->oci->arena, "%s/%s", c->oci->root, c->options->id), NULL);
}

static int check(const struct creation *c, struct err **err) {
        bool terminal = c->config.spec.process.terminal;

        if (terminal && c->options->io.detach && !c->options->io.console_socket)
                return err_set(err, EINVAL, "process.terminal needs --console-socket");
        if (!terminal && c->options->io.console_socket)
                return err_set(err, EINVAL, "--console-socket: the process has no terminal");
        return 0;
}

void oci_creation_done(struct creation *c) {
        oci_ahead_close(&c->ahead);
        cgroup_join_close(&c->join);
        userns_close(&c->userns);
        close_fd(c->dir);
        close_fd(c->late_fd);
}

int oci_creation_begin(struct creation *c, struct err **err) {
        int r = oci_config_load(c->oci, c->options->bundle, c->options->id, &c->config, err);

        if (r < 0 || (r = check(c, err)) < 0)
                return r;
        if (!c->restores)
                oci_ahead_start(&c->ahead, &c->config.spec);
        if ((r = make_directory(c, err)) < 0)
                return r;
        return make_cgroup(c, err);
}

static int create(struct creation *c, pid_t *ret_pid, int *ret_master, struct err **err) {
        int r = oci_creation_begin(c, err);

        if (r < 0 || (r = oci_user_namespace(c->oci, &c->config.spec, &c->userns, err)) < 0 ||
            (r = spawn_container(c, ret_pid, ret_master, err)) < 0)
                oci_creation_undo(c);
        return r;
}

int oci_create(struct oci_call *call, struct err **err) {
        struct creation_options options;
        struct creation c = CREATION(call, &options);
        pid_t pid;
        int master, r = parse(call, &options, err);

        options.io.detach = true;
        if (r == 0)
                r = create(&c, &pid, &master, err);
        oci_creation_done(&c);
        return r;
}

static int poststart(struct oci *oci, const struct oci_state *state, struct err **err) {
        struct oci_all_hooks hooks;
        int r = oci_state_hooks(oci, value_get(state->json, "hooks"), &hooks, err);

        if (r < 0 || hooks.poststart.n == 0)
                return r;
        return oci_run_hooks(&hooks.poststart, "poststart",
                             oci_state_text(oci, state->id, "running", state->pid, state->bundle,
                                            value_get(state->json, "annotations")),
                             err);
}

/* Lets the process go on that waits at the FIFO, and sees it become the container's program. */
static int release(struct oci *oci, const struct oci_state *state, struct err **err) {
        _cleanup_close_ int fifo = openat(state->dir, "exec.fifo", O_RDONLY | O_CLOEXEC);
        struct init_report report;
        ssize_t n;
        char byte;

        if (fifo < 0 || read(fifo, &byte, 1) < 0 || unlinkat(state->dir, "exec.fifo", 0) < 0)
                return err_errno(err, errno, "container %s: start", state->id);
        n = read(fifo, &report, sizeof(report));
        if (n == 0)
                return oci_check_started(oci, state->id, state->cgroup, state->pid, err);
        if (n != sizeof(report))
                return err_errno(err, n < 0 ? errno : EBADMSG, "container %s: its start", state->id);
        return err_set(err, report.code, "container %s: %.*s", state->id, INIT_TEXT_MAX, report.text);
}

int oci_start(struct oci_call *call, struct err **err) {
        struct oci_state state;
        int r;

        if (call->argc != 2)
                return err_set(err, EINVAL, "usage: nacelle-oci start ID");
        r = oci_state_open(call->oci, call->argv[1], &state, err);
        if (r < 0)
                return r;
        if (strcmp(state.status, "created") != 0)
                return err_set(err, EINVAL, "cannot start a container that is %s", state.status);
        r = release(call->oci, &state, err);
        return r < 0 ? r : poststart(call->oci, &state, err);
}

static int remove_container(struct creation *c, struct err **err) {
        return oci_remove(c->oci,
                          &(struct oci_removal){ .id = c->options->id,
                                                 .cgroup = c->config.cgroup,
                                                 .bundle = c->options->bundle,
                                                 .annotations = c->config.document.annotations_value,
                                                 .hooks = c->config.document.hooks_value },
                          err);
}

int oci_creation_wait(struct creation *c, pid_t pid, int master, struct err **err) {
        int code = oci_wait(pid, master, &c->options->io), r = 0;

        close_fd(master);
        if (code == 128 + SIGKILL)
                oci_warn_of_oom(c->oci, c->options->id, c->config.cgroup);
        if (!c->options->keep)
                r = remove_container(c, err);
        return r < 0 ? r : code;
}

static int run(struct creation *c, struct err **err) {
        int master = -EBADF, r;
        pid_t pid;

        c->runs = true;
        r = create(c, &pid, &master, err);
        if (r < 0)
                return r;
        if (c->config.hooks.poststart.n > 0)
                r = oci_run_hooks(&c->config.hooks.poststart, "poststart", state_text(c, "running", pid), err);
        if (r < 0) {
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                remove_container(c, NULL);
                return r;
        }
        return c->options->io.detach ? 0 : oci_creation_wait(c, pid, master, err);
}

int oci_run(struct oci_call *call, struct err **err) {
        struct creation_options options;
        struct creation c = CREATION(call, &options);
        int r = parse(call, &options, err);

        if (r == 0)
                r = run(&c, err);
        oci_creation_done(&c);
        return r;
}

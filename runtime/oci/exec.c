#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "runtime/capability.h"
#include "runtime/oci/oci.h"
#include "runtime/plan.h"
#include "runtime/prepare.h"
#include "runtime/sys.h"

struct options {
        const char *id, *process, *cwd, *user;
        const char *env[256];
        unsigned n_env;
        uint64_t capabilities;
        bool terminal, no_new_privileges;
        char **args;
        struct oci_io io;
};

static int parse(struct oci_call *call, struct options *o, struct err **err) {
        static const struct option long_options[] = {
                { "process", 1, NULL, 'p' },
                { "console-socket", 1, NULL, 'c' },
                { "pid-file", 1, NULL, 'P' },
                { "detach", 0, NULL, 'd' },
                { "tty", 0, NULL, 't' },
                { "cwd", 1, NULL, 'w' },
                { "env", 1, NULL, 'e' },
                { "user", 1, NULL, 'u' },
                { "cap", 1, NULL, 'C' },
                { "no-new-privs", 0, NULL, 'N' },
                { "preserve-fds", 1, NULL, 'f' },
                { "ignore-paused", 0, NULL, 'i' },
                { NULL, 0, NULL, 0 },
        };
        uint64_t mask;
        int c, r;

        *o = (struct options){ 0 };
        optind = 0;
        while ((c = getopt_long(call->argc, call->argv, "+p:dte:u:c:", long_options, NULL)) >= 0) {
                switch (c) {
                case 'p':
                        o->process = optarg;
                        break;
                case 'c':
                        o->io.console_socket = optarg;
                        break;
                case 'P':
                        o->io.pid_file = optarg;
                        break;
                case 'd':
                        o->io.detach = true;
                        break;
                case 't':
                        o->terminal = true;
                        break;
                case 'w':
                        o->cwd = optarg;
                        break;
                case 'e':
                        if (o->n_env < ELEMENTS(o->env) - 1)
                                o->env[o->n_env++] = optarg;
                        break;
                case 'u':
                        o->user = optarg;
                        break;
                case 'C':
                        r = capability_parse(optarg, &mask, err);
                        if (r < 0)
                                return r;
                        o->capabilities |= mask;
                        break;
                case 'N':
                        o->no_new_privileges = true;
                        break;
                case 'f':
                        o->io.preserve_fds = (unsigned)atoi(optarg);
                        break;
                case 'i':
                        break;
                default:
                        return err_set(err, EINVAL, "unknown option; see nacelle-oci --help");
                }
        }
        if (optind >= call->argc || (!o->process && optind + 1 >= call->argc))
                return err_set(err, EINVAL, "usage: nacelle-oci exec [OPTIONS] ID COMMAND [ARG...]");
        o->id = call->argv[optind];
        o->args = call->argv + optind + 1;
        return 0;
}

static int load(struct oci *oci, const char *path, const struct value **ret_json, struct err **err) {
        const struct value_options options = { .name = path };
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = files_read(path, OCI_CONFIG_MAX, &text, &size, err);

        return r < 0 ? r : json_parse(oci->arena, text, size, &options, ret_json, err);
}

/* The container's own process with what the options change, or all of --process. */
static int make_process(struct oci *oci, const struct oci_state *state, const struct options *o,
                        struct process_spec *process, struct err **err) {
        const struct value *config, *json;
        unsigned uid, gid;
        size_t n = 0;
        int r = load(oci, arena_printf(oci->arena, "%s/config.json", state->bundle), &config, err);

        if (r < 0)
                return r;
        json = value_get(config, "process");
        if (o->process)
                r = load(oci, o->process, &json, err);
        if (r == 0)
                r = oci_config_process(oci, json, value_find(config, "linux.seccomp"), process, err);
        if (r < 0 || o->process)
                return r;
        process->args = (const char *const *)(uintptr_t)o->args;
        process->terminal = o->terminal;
        process->cwd = o->cwd ? o->cwd : process->cwd;
        process->no_new_privileges |= o->no_new_privileges;
        if (o->user) {
                int fields = sscanf(o->user, "%u:%u", &uid, &gid);

                if (fields < 1)
                        return err_set(err, EINVAL, "--user %s: UID[:GID] is expected", o->user);
                process->uid = uid;
                process->gid = fields == 2 ? gid : process->gid;
        }
        process->capabilities.bounding |= o->capabilities;
        process->capabilities.effective |= o->capabilities;
        process->capabilities.permitted |= o->capabilities;
        if (o->n_env > 0) {
                const char **env;

                while (process->env[n])
                        n++;
                env = arena_alloc_array(oci->arena, n + o->n_env + 1, sizeof(*env));
                if (!env)
                        return err_set(err, ENOMEM, "out of memory");
                memcpy(env, process->env, n * sizeof(*env));
                memcpy(env + n, o->env, o->n_env * sizeof(*env));
                process->env = env;
        }
        return 0;
}

static bool differs(pid_t pid, const char *name) {
        struct stat own, other;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
        if (stat(path, &other) < 0)
                return false;
        snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
        return stat(path, &own) == 0 && own.st_ino != other.st_ino;
}

static int namespaces_of(pid_t pid) {
        static const struct {
                const char *name;
                int flag;
        } all[] = {
                { "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS },  { "net", CLONE_NEWNET },
                { "ipc", CLONE_NEWIPC },   { "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP },
        };
        int flags = 0;

        for (size_t i = 0; i < ELEMENTS(all); i++)
                if (differs(pid, all[i].name))
                        flags |= all[i].flag;
        return flags;
}

struct joining {
        struct process_spec process;
        struct cgroup_join cgroup;
        int pidfd, flags;
};

static int lead(void *data, struct plan *plan, struct err **err) {
        struct joining *j = data;

        (void)err;
        oci_add_cgroups(plan, &j->cgroup, -1);
        if (j->flags)
                plan_add(plan, PLAN_JOIN, plan_dup_fd(plan, j->pidfd), NULL, 0)->a = (uint64_t)j->flags;
        return 0;
}

static int prepare(void *data, struct plan *plan, struct err **err) {
        static const struct prepare_stdio inherited = { -EBADF, -EBADF, -EBADF };
        struct joining *j = data;

        return prepare_exec(&j->process, &inherited, -EBADF, plan, err);
}

static int spawn_process(struct joining *j, pid_t target, const struct oci_io *io, struct err **err) {
        struct oci_spawn how = {
                .pid_ns_fd = -EBADF,
                .cgroup_fd = j->cgroup.dir_fd,
                .user_fd = -EBADF,
                .lead = lead,
                .prepare = prepare,
                .data = j,
        };
        _cleanup_close_ int master = -EBADF;
        pid_t pid;
        int r;

        j->pidfd = sys_pidfd_open(target);
        j->flags = namespaces_of(target);
        if (j->pidfd < 0)
                return err_errno(err, errno, "the container's process");
        if (differs(target, "pid"))
                how.pid_ns_fd = j->pidfd;
        r = oci_spawn(&how, io, &pid, &master, err);
        if (r == 0)
                r = oci_write_pid(io->pid_file, pid, err);
        return r < 0 || io->detach ? r : oci_wait(pid, master);
}

int oci_exec(struct oci_call *call, struct err **err) {
        struct joining j = { .cgroup = CGROUP_JOIN_NONE, .pidfd = -EBADF };
        struct oci_state state;
        struct options o;
        int r = parse(call, &o, err);

        if (r == 0)
                r = oci_state_open(call->oci, o.id, &state, err);
        if (r < 0)
                return r;
        if (strcmp(state.status, "running") != 0)
                return err_set(err, EINVAL, "cannot exec in a container that is %s", state.status);
        r = make_process(call->oci, &state, &o, &j.process, err);
        if (r == 0 && state.cgroup[0])
                r = oci_cgroups(call->oci, err);
        if (r == 0 && state.cgroup[0])
                r = cgroup_join_open(call->oci->cgroups, state.cgroup, &j.cgroup, err);
        if (r == 0)
                r = spawn_process(&j, state.pid, &o.io, err);
        close_fd(j.pidfd);
        cgroup_join_close(&j.cgroup);
        return r;
}

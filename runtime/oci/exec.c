#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/id.h"
#include "runtime/oci/oci.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/prepare.h"
#include "runtime/sys.h"

struct options {
        const char *id, *process, *cwd, *user, *apparmor, *selinux, *cgroup;
        const char **env, **capabilities; /* as long as the command line; NULL behind the last */
        struct member_number *groups;
        size_t n_env, n_capabilities, n_groups;
        bool terminal, no_new_privileges, ignore_paused;
        char **args;
        struct oci_io io;
};

static int parse_group(struct options *o, const char *text, struct err **err) {
        int64_t gid;
        int r = oci_parse_number("additional-gids", text, 0, OCI_ID_LAST, &gid, err);

        if (r == 0)
                o->groups[o->n_groups++] = (struct member_number){ .set = true, .i = gid };
        return r;
}

static int parse_option(struct options *o, int c, struct err **err) {
        int64_t n;
        int r = 0;

        switch (c) {
        case 'p':
                o->process = optarg;
                break;
        case 'S':
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
                o->env[o->n_env++] = optarg;
                break;
        case 'u':
                o->user = optarg;
                break;
        case 'g':
                return parse_group(o, optarg, err);
        case 'c':
                o->capabilities[o->n_capabilities++] = optarg;
                break;
        case 'A':
                o->apparmor = optarg;
                break;
        case 'L':
                o->selinux = optarg;
                break;
        case 'N':
                o->no_new_privileges = true;
                break;
        case 'f':
                r = oci_parse_number("preserve-fds", optarg, 0, OCI_PRESERVE_FDS_MAX, &n, err);
                o->io.preserve_fds = r == 0 ? (unsigned)n : 0;
                break;
        case 'G':
                o->cgroup = optarg;
                break;
        case 'i':
                o->ignore_paused = true;
                break;
        default:
                return err_set(err, EINVAL, "unknown option; see nacelle-oci --help");
        }
        return r;
}

static int parse(struct oci_call *call, struct options *o, struct err **err) {
        static const struct option long_options[] = {
                { "process", 1, NULL, 'p' },
                { "console-socket", 1, NULL, 'S' },
                { "pid-file", 1, NULL, 'P' },
                { "detach", 0, NULL, 'd' },
                { "tty", 0, NULL, 't' },
                { "cwd", 1, NULL, 'w' },
                { "env", 1, NULL, 'e' },
                { "user", 1, NULL, 'u' },
                { "additional-gids", 1, NULL, 'g' },
                { "cap", 1, NULL, 'c' },
                { "apparmor", 1, NULL, 'A' },
                { "process-label", 1, NULL, 'L' },
                { "no-new-privs", 0, NULL, 'N' },
                { "preserve-fds", 1, NULL, 'f' },
                { "cgroup", 1, NULL, 'G' },
                { "ignore-paused", 0, NULL, 'i' },
                { NULL, 0, NULL, 0 },
        };
        size_t most = (size_t)call->argc + 1;
        int c, r = 0;

        *o = (struct options){
                .env = arena_alloc_array(call->oci->arena, most, sizeof(*o->env)),
                .capabilities = arena_alloc_array(call->oci->arena, most, sizeof(*o->capabilities)),
                .groups = arena_alloc_array(call->oci->arena, most, sizeof(*o->groups)),
        };
        if (!o->env || !o->capabilities || !o->groups)
                return err_set(err, ENOMEM, "out of memory");
        optind = 0;
        while (r == 0 && (c = getopt_long(call->argc, call->argv, "+p:dte:u:g:c:", long_options, NULL)) >= 0)
                r = parse_option(o, c, err);
        if (r < 0)
                return r;
        if (optind >= call->argc || (!o->process && optind + 1 >= call->argc))
                return err_set(err, EINVAL, "usage: nacelle-oci exec [OPTIONS] ID COMMAND [ARG...]");
        o->id = call->argv[optind];
        o->args = call->argv + optind + 1;
        return 0;
}

/* @list with what the options add behind it. */
static int append(struct oci *oci, struct member_list *list, size_t size, const void *more, size_t n,
                  struct err **err) {
        char *all = arena_alloc_array(oci->arena, list->n + n + 1, size);

        if (!all)
                return err_set(err, ENOMEM, "out of memory");
        if (list->n > 0)
                memcpy(all, list->items, list->n * size);
        memcpy(all + list->n * size, more, n * size);
        *list = (struct member_list){ all, list->n + n };
        return 0;
}

static int add_capabilities(struct oci *oci, const struct options *o, struct oci_document_capabilities *capabilities,
                            struct err **err) {
        struct member_list *sets[] = { &capabilities->bounding, &capabilities->effective, &capabilities->permitted };

        for (size_t i = 0; i < ELEMENTS(sets) && o->n_capabilities > 0; i++) {
                int r = append(oci, sets[i], sizeof(*o->capabilities), o->capabilities, o->n_capabilities, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* What the options change of the container's own process. */
static int change_process(struct oci *oci, const struct options *o, struct oci_document_process *process,
                          struct err **err) {
        int r = add_capabilities(oci, o, &process->capabilities, err);

        if (r < 0 || (r = append(oci, &process->env, sizeof(*o->env), o->env, o->n_env, err)) < 0 ||
            (r = append(oci, &process->user.groups, sizeof(*o->groups), o->groups, o->n_groups, err)) < 0)
                return r;
        process->args = (struct member_list){ o->args, 1 };
        process->terminal = o->terminal;
        process->cwd = o->cwd ?: process->cwd;
        process->apparmor = o->apparmor ?: process->apparmor;
        process->selinux = o->selinux ?: process->selinux;
        process->no_new_privileges |= o->no_new_privileges;
        return 0;
}

static int set_user(struct process_spec *process, const char *text, struct err **err) {
        uint32_t uid;
        int64_t gid;

        if (id_parse_pair(text, &uid, &gid) < 0)
                return err_set(err, EINVAL, "--user %s: UID[:GID] is expected, each from 0 to %u", text, ID_MAX);
        process->uid = uid;
        process->gid = gid < 0 ? process->gid : (uint32_t)gid;
        return 0;
}

/* The container's own process with what the options change, or all of --process. */
static int make_process(struct oci *oci, const struct oci_state *state, const struct options *o,
                        struct process_spec *process, struct err **err) {
        struct oci_document config = { 0 };
        struct oci_document_process given = { 0 };
        int r = oci_document_load(oci, arena_printf(oci->arena, "%s/config.json", state->bundle), "config.json",
                                  &oci_document, &config, err);

        if (r < 0)
                return r;
        r = o->process ? oci_document_load(oci, o->process, o->process, &oci_document_process, &given, err) :
                         change_process(oci, o, &config.process, err);
        if (r < 0)
                return r;
        r = oci_config_process(oci, o->process ? &given : &config.process, config.platform.seccomp, process, err);
        if (r < 0 || o->process)
                return r;
        return o->user ? set_user(process, o->user, err) : 0;
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

static int spawn_process(struct oci *oci, struct joining *j, pid_t target, struct oci_io *io, struct err **err) {
        struct oci_spawn how = {
                .pid_ns_fd = -EBADF,
                .cgroup_fd = j->cgroup.dir_fd,
                .user_fd = -EBADF,
                .stdio_uid = UINT32_MAX,
                .lead = lead,
                .prepare = prepare,
                .data = j,
        };
        struct id_mappings mappings = { 0 };
        _cleanup_close_ int master = -EBADF;
        pid_t pid;
        int r;

        if (!j->process.terminal && oci_mappings_of(oci, target, &mappings, NULL) == 0)
                how.stdio_uid = prepare_host_uid(&mappings, j->process.uid);
        j->pidfd = sys_pidfd_open(target);
        j->flags = namespaces_of(target);
        if (j->pidfd < 0)
                return err_errno(err, errno, "the container's process");
        if (differs(target, "pid"))
                how.pid_ns_fd = j->pidfd;
        r = oci_spawn(&how, io, &pid, &master, err);
        if (r == 0)
                r = oci_write_pid(io->pid_file, pid, err);
        return r < 0 || io->detach ? r : oci_wait(pid, master, io);
}

/* The container's cgroup, or one that was made below it. */
static int open_cgroup(struct oci *oci, const struct oci_state *state, const char *below, struct cgroup_join *join,
                       struct err **err) {
        const char *path = state->cgroup;
        int r = oci_own_cgroup(oci, state, err);

        below += strspn(below, "/");
        if (below[0] != '\0')
                path = arena_printf(oci->arena, "%s/%s", state->cgroup, below);
        if (r < 0)
                return r;
        if (strchr(below, ':'))
                return err_set(err, ENOTSUP, "--cgroup %s: one for all controllers is expected", below);
        if (!cgroup_exists(oci->cgroups, path))
                return err_set(err, ENOENT, "--cgroup %s: there is none below the container's", below);
        return cgroup_join_open(oci->cgroups, path, join, err);
}

static int join_container(struct oci *oci, struct joining *j, const struct oci_state *state, struct options *o,
                          struct err **err) {
        int r = make_process(oci, state, o, &j->process, err);

        if (r < 0 ||
            ((state->cgroup[0] || o->cgroup) && (r = open_cgroup(oci, state, o->cgroup ?: "", &j->cgroup, err)) < 0))
                return r;
        return spawn_process(oci, j, state->pid, &o->io, err);
}

int oci_exec(struct oci_call *call, struct err **err) {
        struct joining j = { .cgroup = CGROUP_JOIN_NONE, .pidfd = -EBADF };
        struct oci_state state;
        struct options o;
        int r = parse(call, &o, err);

        if (r < 0 || (r = oci_state_open(call->oci, o.id, &state, err)) < 0)
                return r;
        /* In a created one all is there but its program; in a paused one the process waits for its end. */
        if (state.pid == 0 || (strcmp(state.status, "paused") == 0 && !o.ignore_paused))
                return err_set(err, EINVAL, "cannot exec in a container that is %s", state.status);
        r = join_container(call->oci, &j, &state, &o, err);
        close_fd(j.pidfd);
        cgroup_join_close(&j.cgroup);
        return r;
}

/* A new shim for a pod whose shim was killed. What the pod's namespaces are, its living containers know. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "runtime/internal.h"
#include "runtime/sys.h"

#define CONTAINERS_MAX 512
#define CHILDREN_MAX (1024 * 1024) /* of the list of children, in bytes */
#define STRAY_MILLISECONDS 1000

struct survivor {
        char id[RUNTIME_ID_MAX];
        struct runtime_hint hint;
        int pidfd; /* of the process, also when it is a zombie of ours; -EBADF: gone */
};

struct survivors {
        struct survivor *list;
        size_t n;
};

static void survivors_clear(struct survivors *all) {
        for (size_t i = 0; i < all->n; i++) {
                hint_clear(&all->list[i].hint);
                close_fd(all->list[i].pidfd);
        }
        free(all->list);
}

static int open_process(const struct runtime_hint *hint) {
        _cleanup_close_ int fd = -EBADF;

        if (hint->start_ticks == 0)
                return -EBADF;
        fd = sys_pidfd_open(hint->pid);
        /* The number may have been given away; after opening, an equal start time proves that it was not. */
        if (fd < 0 || hint_start_ticks(hint->pid) != hint->start_ticks)
                return -EBADF;
        return TAKE_FD(fd);
}

static int find_survivors(int dir, struct survivors *all, struct err **err) {
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *list = open_dir(fd);
        struct dirent *entry;

        all->list = calloc(CONTAINERS_MAX, sizeof(*all->list));
        if (!list || !all->list)
                return err_errno(err, list ? ENOMEM : errno, "look for containers");
        while ((entry = readdir(list)) && all->n < CONTAINERS_MAX) {
                struct survivor *s = &all->list[all->n];
                _cleanup_err_ struct err *bad = NULL;

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || strlen(entry->d_name) >= RUNTIME_ID_MAX)
                        continue;
                if (hint_read(dir, entry->d_name, &s->hint, &bad) < 0) {
                        log_warning("%s", err_text(bad));
                        continue;
                }
                strcpy(s->id, entry->d_name);
                s->pidfd = open_process(&s->hint);
                all->n++;
        }
        return 0;
}

static bool is_alive(const struct survivor *s) {
        siginfo_t info = { 0 };

        if (s->pidfd < 0)
                return false;
        /* A zombie has no namespaces any more. ECHILD: somebody else's child, alive as far as we know. */
        return waitid((idtype_t)P_PIDFD, (id_t)s->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0;
}

static int open_namespace(pid_t pid, const char *name) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
        return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- the pod's /dev/shm, out of a container that has it ---- */

struct shm {
        int pidfd;
        int tree;
};

static void *take_shm(void *data) {
        const struct sys_open_how how = {
                .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        struct shm *shm = data;
        _cleanup_close_ int fd = -EBADF;
        struct statfs fs;

        if (unshare(CLONE_FS) < 0 || setns(shm->pidfd, CLONE_NEWNS) < 0)
                return NULL;
        fd = sys_openat2(AT_FDCWD, "/dev/shm", &how);
        if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC)
                shm->tree = sys_open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        return NULL;
}

static int find_shm(const struct survivor *s) {
        struct shm shm = { .pidfd = s->pidfd, .tree = -EBADF };
        pthread_t thread;

        if (pthread_create(&thread, NULL, take_shm, &shm) == 0)
                pthread_join(thread, NULL);
        return shm.tree < 0 ? -EBADF : shm.tree;
}

/* ---- the new shim ---- */

static int or_none(int fd) {
        return fd < 0 ? -EBADF : fd;
}

static void find_namespaces(struct runtime *runtime, const char *id, const struct sandbox_spec *spec, int dir,
                            const struct survivors *all, struct sandbox_join *join) {
        char path[SANDBOX_PATH_MAX];
        pid_t holder = sandbox_read_pid(dir, "holder");

        if (!spec->host_network)
                join->net_fd = or_none(open(sandbox_netns_path(runtime, id, path), O_RDONLY | O_CLOEXEC));
        if (spec->shared_pid && holder > 0)
                join->holder_fd = or_none(sys_pidfd_open(holder));
        if (spec->mappings.n_uids > 0 && join->net_fd >= 0)
                join->user_fd = or_none(ioctl(join->net_fd, NS_GET_USERNS));
        for (size_t i = 0; i < all->n; i++) {
                const struct survivor *s = &all->list[i];

                if (!is_alive(s))
                        continue;
                if (!spec->host_ipc && join->ipc_fd < 0) {
                        join->ipc_fd = or_none(open_namespace(s->hint.pid, "ipc"));
                        join->shm_fd = find_shm(s);
                }
                if (!spec->host_network && join->uts_fd < 0)
                        join->uts_fd = or_none(open_namespace(s->hint.pid, "uts"));
                if (spec->mappings.n_uids > 0 && join->user_fd < 0)
                        join->user_fd = or_none(open_namespace(s->hint.pid, "user"));
        }
}

static void close_join(struct sandbox_join *join) {
        close_fd(join->net_fd);
        close_fd(join->ipc_fd);
        close_fd(join->uts_fd);
        close_fd(join->user_fd);
        close_fd(join->shm_fd);
        close_fd(join->holder_fd);
}

static int open_log_dir(const struct runtime_hint *hint, struct wire_request *request) {
        char copy[PATH_MAX];
        const char *name = hint->log_path ? strrchr(hint->log_path, '/') : NULL;

        if (!name || snprintf(copy, sizeof(copy), "%s", hint->log_path) >= (int)sizeof(copy))
                return -EBADF;
        snprintf(request->log_name, sizeof(request->log_name), "%s", name + 1);
        request->log_max_size = hint->log_max_size;
        request->log_max_files = hint->log_max_files;
        return or_none(open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void add_tasks(const struct runtime_hint *hint, struct plan *plan, struct wire_request *request) {
        for (size_t i = 0; i < hint->n_tasks; i++) {
                int index = plan_take_fd(plan, open(hint->tasks[i], O_WRONLY | O_CLOEXEC));

                if (index < 0)
                        continue;
                if (request->n_tasks++ == 0)
                        request->tasks_fd = index;
        }
        if (hint->cgroup)
                request->cgroup_fd = plan_take_fd(plan, open(hint->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

static int adopt(struct runtime *runtime, const char *sandbox, int dir, const struct survivor *s, struct err **err) {
        _cleanup_plan_ struct plan plan = { 0 };
        struct wire_request request;
        int in = -EBADF, out = -EBADF, error = -EBADF, journal = -EBADF, relay,
            kept = runtime_kept(runtime, sandbox, s->id, KEPT_INPUT);

        client_request(&request, WIRE_ADOPT, s->id);
        runtime_keep_output(runtime, sandbox, dir, s->id);
        if (s->hint.terminal) {
                out = kept;
                request.flags = WIRE_F_TERMINAL;
                if (fifo_open(dir, s->id, "stdout", O_RDWR, &relay) == 0)
                        request.relay_fd = plan_take_fd(&plan, relay);
        } else {
                in = kept;
                fifo_open(dir, s->id, "stdout", O_RDONLY, &out);
                fifo_open(dir, s->id, "stderr", O_RDONLY, &error);
        }
        fifo_journal(dir, s->id, 0, &journal, NULL);
        request.journal_fd = plan_take_fd(&plan, journal);
        request.log_dir_fd = plan_take_fd(&plan, open_log_dir(&s->hint, &request));
        request.stdin_fd = plan_take_fd(&plan, in);
        request.stdout_fd = plan_take_fd(&plan, out);
        request.stderr_fd = plan_take_fd(&plan, error);
        request.pid_fd = plan_dup_fd(&plan, s->pidfd);
        add_tasks(&s->hint, &plan, &request);
        request.pid = s->hint.pid;
        request.pid_mode = s->hint.pid_mode;
        request.clone_flags = s->hint.join_flags;
        request.started_at = s->hint.started_at;
        /* Without a process nobody can say how it ended. */
        request.exit_code = -1;
        request.exited_at = (uint64_t)clock_ns(CLOCK_REALTIME);
        return client_call(runtime, sandbox, &(struct client_exchange){ .request = &request, .plan = &plan }, err);
}

/* The old one may have been told to stop, not to die, or be our zombie. */
static void end_old_shim(int dir) {
        pid_t old = sandbox_read_pid(dir, "pid");

        if (old > 0) {
                kill(old, SIGKILL);
                waitpid(old, NULL, 0);
        }
}

/* ---- execs of the old shim: nobody waits for them any more ---- */

static bool shares_mounts(pid_t pid, const struct survivors *all) {
        struct stat own, other;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
        if (stat(path, &own) < 0)
                return false;
        for (size_t i = 0; i < all->n; i++) {
                if (all->list[i].hint.pid == pid)
                        return false;
                snprintf(path, sizeof(path), "/proc/%d/ns/mnt", all->list[i].hint.pid);
                if (all->list[i].pidfd >= 0 && stat(path, &other) == 0 && other.st_ino == own.st_ino)
                        return true;
        }
        return false;
}

static void end_stray(pid_t pid, const struct survivors *all) {
        _cleanup_close_ int pidfd = sys_pidfd_open(pid);
        struct pollfd ended = { .fd = pidfd, .events = POLLIN };

        if (pidfd < 0 || !shares_mounts(pid, all))
                return;
        sys_pidfd_send_signal(pidfd, SIGKILL);
        poll(&ended, 1, STRAY_MILLISECONDS);
        waitid((idtype_t)P_PIDFD, (id_t)pidfd, NULL, WEXITED | WNOHANG);
}

/* They are this process's children now, and in a container's mount namespace without being its first process. */
static void end_strays(const struct survivors *all) {
        _cleanup_free_ char *text = NULL;
        char path[64], *save = NULL;

        snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
        if (files_read(path, CHILDREN_MAX, &text, NULL, NULL) < 0)
                return;
        for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save))
                if (atoi(p) > 0)
                        end_stray(atoi(p), all);
}

/* What a new shim takes up: the sandbox by its namespaces, then the containers. */
struct recovery {
        struct runtime *runtime;
        const char *id;
        const struct sandbox_spec *spec;
        int dir;
        struct survivors *all;
        struct sandbox_info *info;
};

static int recover(const struct recovery *of, struct err **err) {
        _cleanup_(close_join) struct sandbox_join join = SANDBOX_JOIN_NONE;
        struct sandbox_info *info = of->info;
        int r = find_survivors(of->dir, of->all, err);

        if (r < 0)
                return r;
        end_strays(of->all);
        find_namespaces(of->runtime, of->id, of->spec, of->dir, of->all, &join);
        if ((r = shim_process_start(of->runtime, of->id, of->dir, &info->shim_pid, err)) < 0 ||
            (r = sandbox_setup(of->runtime, of->id, of->spec, &join, info, err)) < 0 ||
            (!of->spec->host_network && join.net_fd < 0 &&
             (r = sandbox_pin_netns(of->runtime, of->id, info->shim_pid, err)) < 0))
                return r;
        for (size_t i = 0; i < of->all->n; i++)
                if ((r = adopt(of->runtime, of->id, of->dir, &of->all->list[i], err)) < 0)
                        return r;
        return 0;
}

int sandbox_recover(struct runtime *runtime, const char *id, const struct sandbox_spec *spec,
                    struct sandbox_info *ret_info, struct err **err) {
        _cleanup_(survivors_clear) struct survivors all = { 0 };
        struct sandbox_info info = { .started_at = (uint64_t)clock_ns(CLOCK_REALTIME) };
        _cleanup_close_ int dir = -EBADF;
        int r = runtime_open_sandbox(runtime, id, &dir, err);

        if (r < 0)
                return r;
        end_old_shim(dir);
        r = recover(&(struct recovery){ runtime, id, spec, dir, &all, &info }, err);
        if (r < 0) {
                if (info.shim_pid > 0)
                        shim_process_kill(info.shim_pid);
                return err_wrap(err, r, "sandbox %s: start a new shim", id);
        }
        *ret_info = info;
        return 0;
}

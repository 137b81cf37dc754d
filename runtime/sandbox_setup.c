#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/internal.h"
#include "runtime/plan/prepare.h"
#include "runtime/sys.h"
#include "runtime/plan/userns.h"

#define SHM_SIZE_DEFAULT (64u * 1024 * 1024)

static void join(struct plan *plan, int fd, uint64_t flag) {
        plan_add(plan, PLAN_JOIN, plan_dup_fd(plan, fd), NULL, 0)->a = flag;
}

/* With a user namespace, the others are made inside of it, so that it owns them. */
static int plan_namespaces(const struct sandbox_spec *spec, const struct sandbox_join *given, struct plan *plan,
                           int *ret_user, struct err **err) {
        _cleanup_userns_ struct userns ns = USERNS_NONE;
        uint64_t wanted = (spec->host_network || given->net_fd >= 0 ? 0 : CLONE_NEWNET) |
                          (spec->host_ipc || given->ipc_fd >= 0 ? 0 : CLONE_NEWIPC) |
                          (spec->host_network || given->uts_fd >= 0 ? 0 : CLONE_NEWUTS);
        const struct {
                int fd;
                uint64_t flag;
        } known[] = {
                { given->net_fd, CLONE_NEWNET },
                { given->ipc_fd, CLONE_NEWIPC },
                { given->uts_fd, CLONE_NEWUTS },
        };

        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (known[i].fd >= 0)
                        join(plan, known[i].fd, known[i].flag);
        if (spec->mappings.n_uids > 0 && given->user_fd < 0) {
                int r = userns_open(&spec->mappings, wanted, &ns, err);

                if (r < 0)
                        return r;
                if (ns.net_fd >= 0)
                        join(plan, ns.net_fd, CLONE_NEWNET);
                if (ns.ipc_fd >= 0)
                        join(plan, ns.ipc_fd, CLONE_NEWIPC);
                if (ns.uts_fd >= 0)
                        join(plan, ns.uts_fd, CLONE_NEWUTS);
                wanted = 0;
                *ret_user = plan_take_fd(plan, TAKE_FD(ns.user_fd));
        } else {
                *ret_user = plan_dup_fd(plan, given->user_fd);
        }
        plan_add(plan, PLAN_UNSHARE, -1, NULL, 0)->a = wanted | CLONE_NEWNS;
        if (spec->hostname && !spec->host_network && given->uts_fd < 0)
                plan_add_string(plan, PLAN_HOSTNAME, spec->hostname);
        return 0;
}

static int made(void *data, struct client_reply *reply) {
        *(struct wire_reply *)data = reply->head;
        return 0;
}

static int write_pid(int dir, const char *name, pid_t pid, struct err **err) {
        _cleanup_close_ int fd = openat(dir, name, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0 || dprintf(fd, "%d %llu\n", pid, (unsigned long long)hint_start_ticks(pid)) < 0)
                return err_errno(err, errno, "write the sandbox's %s file", name);
        return 0;
}

int sandbox_setup(struct runtime *runtime, const char *id, const struct sandbox_spec *spec,
                  const struct sandbox_join *given, struct sandbox_info *ret_info, struct err **err) {
        _cleanup_plan_ struct plan plan = { 0 };
        _cleanup_close_ int dir = -EBADF;
        struct wire_request request;
        struct wire_reply reply = { 0 };
        int user = -1, r;

        client_request(&request, WIRE_SETUP, "");
        for (size_t i = 0; i < spec->n_cgroup_procs_fds; i++)
                plan_add(&plan, PLAN_CGROUP, plan_dup_fd(&plan, spec->cgroup_procs_fds[i]), NULL, 0);
        if ((r = plan_namespaces(spec, given, &plan, &user, err)) < 0 ||
            (r = prepare_sysctls(spec->sysctls, spec->n_sysctls,
                                 (spec->host_network ? 0 : CLONE_NEWNET | CLONE_NEWUTS) |
                                         (spec->host_ipc ? 0 : CLONE_NEWIPC),
                                 &plan, err)) < 0)
                return r;
        request.user_fd = user;
        request.flags = (spec->host_ipc ? 0 : WIRE_F_SHM) | (spec->shared_pid ? WIRE_F_HOLDER : 0);
        request.shm_size = spec->shm_size ? spec->shm_size : SHM_SIZE_DEFAULT;
        request.shm_fd = plan_dup_fd(&plan, given->shm_fd);
        request.holder_fd = plan_dup_fd(&plan, given->holder_fd);
        r = plan_check(&plan);
        if (r < 0)
                return err_errno(err, -r, "the sandbox's plan");
        if ((r = client_call(
                     runtime, id,
                     &(struct client_exchange){ .request = &request, .plan = &plan, .state = made, .data = &reply },
                     err)) < 0 ||
            (r = runtime_open_sandbox(runtime, id, &dir, err)) < 0 || (r = write_pid(dir, "pid", reply.pid, err)) < 0 ||
            (reply.holder_pid > 0 && (r = write_pid(dir, "holder", reply.holder_pid, err)) < 0))
                return r;
        ret_info->shim_pid = reply.pid;
        return 0;
}

int sandbox_pin_netns(struct runtime *runtime, const char *id, pid_t pid, struct err **err) {
        char path[SANDBOX_PATH_MAX], source[64];
        int fd;

        sandbox_netns_path(runtime, id, path);
        snprintf(source, sizeof(source), "/proc/%d/ns/net", pid);
        fd = open(path, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0444);
        if (fd < 0)
                return err_errno(err, errno, "%s", path);
        close(fd);
        if (mount(source, path, NULL, MS_BIND, NULL) < 0) {
                int code = errno;

                unlink(path);
                return err_errno(err, code, "pin the network namespace at %s", path);
        }
        return 0;
}

pid_t sandbox_read_pid(int dir, const char *name) {
        _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        unsigned long long ticks;
        char text[64] = "";
        int pid;

        if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%d %llu", &pid, &ticks) != 2 || pid <= 0)
                return 0;
        return hint_start_ticks(pid) == ticks ? pid : 0;
}

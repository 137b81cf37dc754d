#include "runtime/plan/userns.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/sys.h"

#define LINE_MAX_SIZE 40

static int write_map(pid_t pid, const char *file, const struct id_mapping *map, size_t n, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *text = NULL;
        char path[64];
        size_t used = 0;

        if (n == 0 || n > USERNS_RANGES_MAX)
                return err_set(err, EINVAL, "%s: %zu ranges; 1 to %d are possible", file, n, USERNS_RANGES_MAX);
        text = malloc(n * LINE_MAX_SIZE);
        if (!text)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < n; i++)
                used += (size_t)snprintf(text + used, n * LINE_MAX_SIZE - used, "%u %u %u\n", map[i].container,
                                         map[i].host, map[i].size);
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, used) != (ssize_t)used)
                return err_errno(err, errno, "%s", file);
        return 0;
}

static int open_namespace(pid_t pid, const char *name, int *ret_fd, struct err **err) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
        *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
        return *ret_fd < 0 ? err_errno(err, errno, "namespace %s", name) : 0;
}

void userns_close(struct userns *userns) {
        close_fd(userns->user_fd);
        close_fd(userns->net_fd);
        close_fd(userns->ipc_fd);
        close_fd(userns->uts_fd);
        *userns = USERNS_NONE;
}

static int keep(pid_t pid, const struct id_mappings *mappings, uint64_t flags, struct userns *ns, struct err **err) {
        int r;

        if ((r = write_map(pid, "uid_map", mappings->uids, mappings->n_uids, err)) < 0 ||
            (r = write_map(pid, "gid_map", mappings->gids, mappings->n_gids, err)) < 0 ||
            (r = open_namespace(pid, "user", &ns->user_fd, err)) < 0 ||
            (flags & CLONE_NEWNET && (r = open_namespace(pid, "net", &ns->net_fd, err)) < 0) ||
            (flags & CLONE_NEWIPC && (r = open_namespace(pid, "ipc", &ns->ipc_fd, err)) < 0))
                return r;
        return flags & CLONE_NEWUTS ? open_namespace(pid, "uts", &ns->uts_fd, err) : 0;
}

int userns_open(const struct id_mappings *mappings, uint64_t flags, struct userns *ret_userns, struct err **err) {
        struct userns ns = USERNS_NONE;
        pid_t parent = getpid(), pid;
        int r;

        /* Only system calls in the child: other threads may have held any lock when it was cloned. */
        pid = sys_clone(CLONE_NEWUSER | flags, -EBADF, NULL);
        if (pid < 0)
                return err_errno(err, errno, "make a user namespace");
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
                if (getppid() != parent && getppid() != 0)
                        _exit(0); /* it was killed before; 0 is one outside of a pid namespace that was joined */
                for (;;)
                        pause();
        }
        r = keep(pid, mappings, flags, &ns, err);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (r < 0)
                userns_close(&ns);
        else
                *ret_userns = ns;
        return r;
}

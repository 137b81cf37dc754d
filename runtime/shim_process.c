#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/internal.h"
#include "runtime/sys.h"

#define CHILD_STACK (32 * 1024)
#define BACKLOG 2048 /* of execs that come at once; more than a shim serves */

struct start {
        const struct runtime *runtime;
        const char *id;
        int listen_fd;
        int null_fd;
        int code; /* of the failed step, for the parent: the memory is shared */
};

/* In a child that shares the agent's memory until it has become the shim: system calls only. */
static int child(void *data) {
        struct start *start = data;
        const char *args[] = { "nacelle-shim", start->id, NULL }, *env[] = { NULL };
        sigset_t none;

        /* The parent made all of these larger than the numbers they get. */
        if (dup2(start->null_fd, 0) < 0 || dup2(start->null_fd, 1) < 0 || dup2(start->null_fd, 2) < 0 ||
            dup2(start->listen_fd, 3) < 0 || dup2(start->runtime->proc_fd, 4) < 0)
                goto failed;
        if (setns(start->runtime->template_fd, CLONE_NEWNS) < 0)
                goto failed;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        syscall(SYS_execveat, start->runtime->shim_fd, "", args, env, AT_EMPTY_PATH);
failed:
        start->code = errno;
        _exit(127);
}

static int listen_in(int dir, int *ret_fd, struct err **err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int high;

        if (fd < 0)
                return err_errno(err, errno, "the shim's socket");
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/shim.sock", dir);
        unlinkat(dir, "shim.sock", 0);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || fchmodat(dir, "shim.sock", 0600, 0) < 0 ||
            listen(fd, BACKLOG) < 0)
                return err_errno(err, errno, "the shim's socket");
        high = fcntl(fd, F_DUPFD_CLOEXEC, 16);
        if (high < 0)
                return err_errno(err, errno, "the shim's socket");
        *ret_fd = high;
        return 0;
}

int shim_process_start(struct runtime *runtime, const char *id, int dir, pid_t *ret_pid, struct err **err) {
        _cleanup_close_ int listen_fd = -EBADF, null_fd = -EBADF, low = open("/dev/null", O_RDWR | O_CLOEXEC);
        struct start start = { .runtime = runtime, .id = id };
        _cleanup_free_ char *stack = NULL;
        sigset_t all, before;
        pid_t pid;
        int r;

        if (low < 0)
                return err_errno(err, errno, "start the shim: /dev/null");
        r = listen_in(dir, &listen_fd, err);
        if (r < 0)
                return r;
        null_fd = fcntl(low, F_DUPFD_CLOEXEC, 16);
        stack = aligned_alloc(16, CHILD_STACK);
        if (null_fd < 0 || !stack)
                return err_errno(err, stack ? errno : ENOMEM, "start the shim");
        start.listen_fd = listen_fd;
        start.null_fd = null_fd;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid = clone(child, stack + CHILD_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
        r = pid < 0 ? errno : start.code;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0) {
                if (pid > 0)
                        waitpid(pid, NULL, 0);
                return err_errno(err, r, "start nacelle-shim");
        }
        *ret_pid = pid;
        return 0;
}

void shim_process_kill(pid_t pid) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL); /* it may have no session yet */
        waitpid(pid, NULL, 0);
        while (waitpid(-pid, NULL, 0) > 0) /* what it left is ours now */
                ;
}

/* nacelle-shim ID: fd 3 is its listening socket, fd 4 the host's /proc. Started by the agent only. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "lib/cleanup.h"
#include "runtime/shim/shim.h"
#include "runtime/sys.h"

#define LISTEN_FD 3
#define PROC_FD 4

static struct shim shim;

int main(int argc, char **argv) {
        if (argc == 2 && strcmp(argv[1], "--version") == 0) {
                puts("nacelle-shim " NACELLE_VERSION);
                return 0;
        }
        if (argc != 2 || fcntl(LISTEN_FD, F_GETFD) < 0 || fcntl(PROC_FD, F_GETFD) < 0) {
                fputs("nacelle-shim is started by nacelle-agent, one for each pod\n", stderr);
                return 2;
        }
        prctl(PR_SET_NAME, "nacelle-shim", 0, 0, 0);
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        init_signals(~UINT64_C(0));
        signal(SIGPIPE, SIG_IGN);
        setsid();
        sys_close_range(PROC_FD + 1, ~0U, 0);
        for (int fd = LISTEN_FD; fd <= PROC_FD; fd++)
                fcntl(fd, F_SETFD, FD_CLOEXEC);

        shim = (struct shim){
                .proc_fd = PROC_FD,
                .user_fd = -EBADF,
                .holder_fd = -EBADF,
                .spare_fd = -EBADF,
                .listener = { .fd = -EBADF, .ready = shim_connection_accept },
                .signals = { .fd = -EBADF },
        };
        shim.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        shim.own_pid_fd = openat(PROC_FD, "self/ns/pid", O_RDONLY | O_CLOEXEC);
        shim.spare_fd = fcntl(PROC_FD, F_DUPFD_CLOEXEC, PROC_FD + 1);
        if (shim.epoll_fd < 0 || shim.own_pid_fd < 0 || shim_source_add(&shim, &shim.listener, LISTEN_FD, EPOLLIN) < 0)
                return 1;
        return shim_run(&shim) < 0;
}

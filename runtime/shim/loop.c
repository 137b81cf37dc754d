#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "runtime/shim/shim.h"

#define EVENTS_MAX 16

int shim_source_add(struct shim *shim, struct shim_source *source, int fd, uint32_t events) {
        struct epoll_event event = { .events = events, .data.ptr = source };

        if (epoll_ctl(shim->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                return -errno;
        source->fd = fd;
        return 0;
}

void shim_source_rearm(struct shim *shim, struct shim_source *source, uint32_t events) {
        struct epoll_event event = { .events = events, .data.ptr = source };

        epoll_ctl(shim->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

void shim_source_close(struct shim *shim, struct shim_source *source) {
        if (source->fd < 0)
                return;
        epoll_ctl(shim->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
        source->fd = close_fd(source->fd);
}

void *shim_map(size_t size) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return p == MAP_FAILED ? NULL : p;
}

void shim_unmap(void *p, size_t size) {
        if (p)
                munmap(p, size);
}

uint64_t shim_now(void) {
        return (uint64_t)clock_ns(CLOCK_REALTIME);
}

/* Each is collected only when its end was told: a shim that is killed in between leaves it to the agent. */
void shim_reap(struct shim *shim) {
        for (;;) {
                siginfo_t info = { 0 };
                struct container *container;
                int status;

                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
                        shim->quit = shim->quitting;
                        return;
                }
                if (info.si_pid == 0)
                        return;
                status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
                container = shim_container_find_pid(shim, info.si_pid);
                if (container)
                        shim_container_exited(container, status);
                else
                        shim_exec_exited(shim, info.si_pid, status);
                waitpid(info.si_pid, NULL, 0);
        }
}

static void signal_ready(struct shim_source *source, uint32_t events) {
        struct shim *shim = (struct shim *)((char *)source - offsetof(struct shim, signals));
        struct signalfd_siginfo info;

        (void)events;
        while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
                ;
        shim_reap(shim);
}

static int listen_signals(struct shim *shim) {
        sigset_t set;
        int fd;

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        shim->signals.ready = signal_ready;
        return shim_source_add(shim, &shim->signals, fd, EPOLLIN);
}

int shim_run(struct shim *shim) {
        struct epoll_event events[EVENTS_MAX];
        int n = listen_signals(shim);

        if (n < 0)
                return n;
        while (!shim->quit) {
                n = epoll_wait(shim->epoll_fd, events, EVENTS_MAX, 0);
                if (n == 0) {
                        logs_arena_release(&shim->arena);
                        shim_stack_release();
                        n = epoll_wait(shim->epoll_fd, events, EVENTS_MAX,
                                       shim->quitting ? SHIM_QUIT_SECONDS * 1000 : -1);
                        if (n == 0)
                                break;
                }
                if (n < 0 && errno != EINTR)
                        return -errno;
                for (int i = 0; i < n; i++) {
                        struct shim_source *source = events[i].data.ptr;

                        /* An earlier event of this turn may have closed it; its memory is there until the sweep. */
                        if (source->fd >= 0)
                                source->ready(source, events[i].events);
                }
                shim_connection_sweep(shim);
        }
        if (shim->quitter)
                shim_connection_answer(shim->quitter, 0, NULL);
        return 0;
}

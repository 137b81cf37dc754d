#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "runtime/init/init.h"
#include "runtime/init/part.h"
#include "runtime/wire.h"

/* Static: pages that are not touched cost nothing. */
static struct {
        struct init init;
        struct init_part head;
        char packet[WIRE_PACKET_MAX];
        int fds[PLAN_FDS_MAX];
} serve;

/* Sets init's plan and descriptors to those of the next part. */
static int receive(struct init *init) {
        const struct init_part *head = &serve.head;
        size_t n_fds = 0, behind;

        do {
                ssize_t n = wire_receive(init->report_fd, serve.packet, sizeof(serve.packet), serve.fds, PLAN_FDS_MAX,
                                         &n_fds);

                if (n < (ssize_t)sizeof(*head))
                        return init_fail(init, n < 0 ? (int)-n : ECANCELED, "the runtime gave up");
                memcpy(&serve.head, serve.packet, sizeof(*head));
                behind = (size_t)n - sizeof(*head);
        } while (head->plan_size == 0);
        init->fds = serve.fds;
        init->n_fds = n_fds;
        init->plan = serve.packet + sizeof(*head);
        init->plan_size = head->plan_size;
        if (head->plan_fd < 0)
                return head->plan_size == behind ? 0 : init_fail(init, EBADMSG, "the plan is malformed");
        init->plan = head->plan_size <= PLAN_SIZE_MAX ? mmap(NULL, head->plan_size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
                                                             init_fd(init, head->plan_fd), 0) :
                                                        MAP_FAILED;
        return init->plan == MAP_FAILED ? init_fail(init, errno, "the plan") : 0;
}

/* By its path in the mount namespace that was made or joined: a descriptor of another one's could not be cloned. */
static int find_null(struct init *init) {
        if (init->null_fd >= 0)
                return 0;
        init->null_fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (!init_is_null(init->null_fd))
                return init_fail(init, ENODEV, "/dev/null of the mount namespace");
        return 0;
}

static int serve_first(struct init *init) {
        int r = receive(init);

        if (r < 0)
                return r;
        init->proc_fd = init_fd(init, serve.head.proc_fd);
        init->null_fd = init_fd(init, serve.head.null_fd);
        init->user_fd = init_fd(init, serve.head.user_fd);
        init->preserve_fds = serve.head.preserve_fds;
        r = init_walk(init);
        return r < 0 ? r : find_null(init);
}

/* Returns in the child. */
static int enter(struct init *init, int pid_ns) {
        struct init_report child = { .kind = INIT_CHILD };

        if (setns(pid_ns, CLONE_NEWPID) < 0)
                return init_fail(init, errno, "join the pid namespace");
        child.code = (int32_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
        if (child.code < 0)
                return init_fail(init, errno, "make the container's process");
        close(pid_ns);
        if (child.code == 0)
                return 0;
        send(init->report_fd, &child, sizeof(child), MSG_NOSIGNAL);
        _exit(0);
}

_Noreturn void init_serve(const char *number, const char *pid_ns) {
        struct init *init = &serve.init;

        init_hide();
        prctl(PR_SET_NAME, INIT_PROGRAM, 0, 0, 0);
        init_prepare(init, NULL, 0, NULL, 0);
        init->report_fd = atoi(number);
        fcntl(init->report_fd, F_SETFD, FD_CLOEXEC);
        if ((pid_ns && enter(init, atoi(pid_ns)) < 0) || serve_first(init) < 0)
                init_give_up(init);
        while (receive(init) == 0 && init_walk(init) == 0)
                ;
        init_give_up(init);
}

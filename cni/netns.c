#include "cni/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* What runs on the thread: some buffers of netlink, no recursion. */
#define NETNS_STACK_SIZE (256 * 1024) /* address space only; libraries keep some of it for thread-local data */

/* One visit to a namespace: the thread's input and result. */
struct visit {
        int netns_fd; /* -EBADF: a new namespace */
        int (*call)(void *data, struct err **err);
        void *data;
        struct err *err;
        int result;
};

static void *visit_thread(void *argument) {
        struct visit *visit = argument;
        int r = visit->netns_fd >= 0 ? setns(visit->netns_fd, CLONE_NEWNET) : unshare(CLONE_NEWNET);

        visit->result = r < 0 ? err_errno(&visit->err, errno, visit->netns_fd >= 0 ? "enter the network namespace"
                                                                                 : "make a network namespace")
                              : visit->call(visit->data, &visit->err);
        return NULL;
}

static int visit_run(struct visit *visit, struct err **err) {
        pthread_attr_t attributes;
        sigset_t all, before;
        pthread_t thread;
        int r;

        r = pthread_attr_init(&attributes);
        if (r == 0)
                r = pthread_attr_setstacksize(&attributes, NETNS_STACK_SIZE);
        if (r != 0)
                return err_errno(err, r, "thread for a network namespace");

        /* Signals are the loop's: the thread must not take one. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&thread, &attributes, visit_thread, visit);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
        if (r != 0)
                return err_errno(err, r, "thread for a network namespace");
        pthread_join(thread, NULL);
        if (visit->result < 0)
                err_move(err, TAKE_PTR(visit->err));
        return visit->result;
}

int netns_run(int netns_fd, int (*call)(void *data, struct err **err), void *data, struct err **err) {
        struct visit visit = { .netns_fd = netns_fd, .call = call, .data = data };

        if (netns_fd < 0)
                return err_set(err, EBADF, "no network namespace given");
        return visit_run(&visit, err);
}

static int bind_mount(const char *source, const char *path, struct err **err) {
        int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);

        if (fd < 0)
                return err_errno(err, errno, "create %s", path);
        close(fd);
        if (mount(source, path, NULL, MS_BIND, NULL) < 0) {
                int r = err_errno(err, errno, "pin network namespace %s at %s", source, path);

                unlink(path);
                return r;
        }
        /* Else a bind mount of the directory above would copy the pin, and the namespace would outlive it. */
        mount(NULL, path, NULL, MS_PRIVATE, NULL);
        return 0;
}

static int loopback_up(struct err **err) {
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                return err_errno(err, errno, "bring up lo");
        return 0;
}

static int loopback_inside(void *data, struct err **err) {
        return loopback_up(err);
}

int netns_loopback_up(int netns_fd, struct err **err) {
        return netns_run(netns_fd, loopback_inside, NULL, err);
}

static int create_inside(void *data, struct err **err) {
        int r = loopback_up(err);

        return r < 0 ? r : bind_mount("/proc/thread-self/ns/net", data, err);
}

int netns_create(const char *path, struct err **err) {
        struct visit visit = { .netns_fd = -EBADF, .call = create_inside, .data = (void *)path };

        return visit_run(&visit, err);
}

int netns_pin(const char *source, const char *path, struct err **err) {
        return bind_mount(source, path, err);
}

int netns_open(const char *path, int *ret_fd, struct err **err) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd < 0)
                return err_errno(err, errno, "network namespace %s", path);
        if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
                return err_set(err, EINVAL, "%s is not a network namespace", path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int netns_remove(const char *path, struct err **err) {
        /* EINVAL: not a mount point; a crash may have come between file and mount. */
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
                return err_errno(err, errno, "unpin network namespace %s", path);
        if (unlink(path) < 0 && errno != ENOENT)
                return err_errno(err, errno, "remove %s", path);
        return 0;
}

#include "cni/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

/* Tries to come back from a namespace, a millisecond apart: setns(2) only fails for want of memory. */
#define RETURN_TRIES 1000

/* The calling thread's own namespace again. There is no going on without: a pool thread that stayed would do the next
 * pod's work inside this one's namespace. The agent's end costs no container its life. */
static void return_home(int home) {
        for (int i = 0; i < RETURN_TRIES; i++) {
                if (setns(home, CLONE_NEWNET) == 0)
                        return;
                usleep(1000);
        }
        log_error("cannot return from a network namespace: %s", strerror(errno));
        abort();
}

/* Runs @call inside @netns_fd, or inside a new namespace for -EBADF. */
static int visit(int netns_fd, int (*call)(void *data, struct err **err), void *data, struct err **err) {
        _cleanup_close_ int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        int r;

        if (home < 0)
                return err_errno(err, errno, "own network namespace");
        if (netns_fd < 0 && unshare(CLONE_NEWNET) < 0)
                return err_errno(err, errno, "make a network namespace");
        if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) < 0)
                return err_errno(err, errno, "enter the network namespace");
        r = call(data, err);
        return_home(home);
        return r;
}

int cni_netns_run(int netns_fd, int (*call)(void *data, struct err **err), void *data, struct err **err) {
        return netns_fd < 0 ? err_set(err, EBADF, "no network namespace given") : visit(netns_fd, call, data, err);
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

int cni_netns_loopback_up(int netns_fd, struct err **err) {
        return cni_netns_run(netns_fd, loopback_inside, NULL, err);
}

static int create_inside(void *data, struct err **err) {
        int r = loopback_up(err);

        return r < 0 ? r : bind_mount("/proc/thread-self/ns/net", data, err);
}

int cni_netns_create(const char *path, struct err **err) {
        return visit(-EBADF, create_inside, (void *)path, err);
}

int cni_netns_pin(const char *source, const char *path, struct err **err) {
        return bind_mount(source, path, err);
}

int cni_netns_open(const char *path, int *ret_fd, struct err **err) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd < 0)
                return err_errno(err, errno, "network namespace %s", path);
        if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
                return err_set(err, EINVAL, "%s is not a network namespace", path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int cni_netns_remove(const char *path, struct err **err) {
        /* EINVAL: not a mount point; a crash may have come between file and mount. */
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
                return err_errno(err, errno, "unpin network namespace %s", path);
        if (unlink(path) < 0 && errno != ENOENT)
                return err_errno(err, errno, "remove %s", path);
        return 0;
}

/* Terminals of execs: made in the container's own devpts, as a login's in a container would be, so that tty(1) names a
 * file that is there and what opens that file (tmux, screen, gpg) gets the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <termios.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/delegate/delegate.h"
#include "runtime/exec.h"
#include "runtime/internal.h"
#include "runtime/sys.h"

#define LOOKUPS_MAX 16 /* while mounts and names change beside it */

/* The lookup never leaves the kernel's cache, where mount points always are: what a container mounts at /dev (FUSE, a
 * server that is gone) cannot hold up the loop. */
static int find_devpts(int root) {
        const struct sys_open_how how = {
                .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED,
        };
        int fd = -EBADF;

        for (unsigned i = 0; i < LOOKUPS_MAX; i++) {
                fd = sys_openat2(root, "dev/pts", &how);
                if (fd >= 0 || errno != EAGAIN)
                        break;
        }
        return fd;
}

/* A devpts holds what the kernel made alone; what somebody mounted upon its ptmx is not opened. */
static int open_master_of(struct runtime *runtime, pid_t pid) {
        const struct sys_open_how how = {
                .flags = O_RDWR | O_NOCTTY | O_CLOEXEC,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
        };
        _cleanup_close_ int root = -EBADF, devpts = -EBADF;
        struct statfs fs;
        char path[32];

        snprintf(path, sizeof(path), "%d/root", pid);
        root = openat(runtime->proc_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        devpts = root < 0 ? -EBADF : find_devpts(root);
        if (devpts < 0 || fstatfs(devpts, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
                return -ENXIO;
        return sys_openat2(devpts, "ptmx", &how);
}

/* In a container without a devpts, and for another runtime's program, which makes the container's itself: the host's.
 */
static int open_master(const struct container_at *at, pid_t pid) {
        char name[2 * RUNTIME_ID_MAX];
        int fd = -EBADF;

        snprintf(name, sizeof(name), "%s/%s", at->sandbox, at->id);
        if (pid > 0 && !delegate_is(at->runtime->sandboxes_fd, name))
                fd = open_master_of(at->runtime, pid);
        return fd < 0 ? posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC) : fd;
}

int exec_open_terminal(const struct container_at *at, const struct exec_terminal *terminal, int *ret_master,
                       int *ret_slave, struct err **err) {
        struct winsize size = { .ws_row = terminal->rows, .ws_col = terminal->columns };
        _cleanup_close_ int master = open_master(at, terminal->pid), slave = -EBADF;
        int unlocked = 0;

        if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0)
                return err_errno(err, errno, "open a terminal");
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0 || fchown(slave, terminal->uid, (gid_t)-1) < 0 || fchmod(slave, 0620) < 0)
                return err_errno(err, errno, "open a terminal");
        if (size.ws_row && size.ws_col)
                ioctl(slave, TIOCSWINSZ, &size);
        *ret_master = TAKE_FD(master);
        *ret_slave = TAKE_FD(slave);
        return 0;
}

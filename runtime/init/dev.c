#include "runtime/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#include "lib/cleanup.h"
#include "runtime/sys.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

bool init_is_null(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static const struct {
        const char *name;
        unsigned minor, major;
} nodes[] = {
        { "null", 3, 1 }, { "zero", 5, 1 }, { "full", 7, 1 }, { "random", 8, 1 }, { "urandom", 9, 1 }, { "tty", 0, 5 },
};

static const struct {
        const char *name, *target;
} links[] = {
        { "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
        { "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },         { "core", "/proc/kcore" },
};

/* Where a device filter or a lack of rights forbids making the node: the host's, when that is the same device. */
static int bind_node(int dir, const char *name, mode_t mode, dev_t device) {
        _cleanup_close_ int file = -EBADF, target = -EBADF, tree = -EBADF;
        char path[NAME_MAX + 8];
        struct stat st;

        snprintf(path, sizeof(path), "/dev/%s", name);
        tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
        if (tree < 0 || fstat(tree, &st) < 0 || (st.st_mode & S_IFMT) != (mode & S_IFMT) || st.st_rdev != device)
                return -EPERM;
        file = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (file < 0)
                return -errno;
        target = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return target < 0 || sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
                                       0 ?
                       -errno :
                       0;
}

struct node {
        const char *name; /* in the directory */
        mode_t mode;
        dev_t device;
        uid_t uid;
        gid_t gid;
};

static int make_node(struct init *init, int dir, const struct node *node) {
        struct stat st;

        if (mknodat(dir, node->name, node->mode, node->device) < 0) {
                int code = errno;

                if (code == EPERM && bind_node(dir, node->name, node->mode, node->device) == 0)
                        return 0;

                if (code == EEXIST && fstatat(dir, node->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                    (st.st_mode & S_IFMT) == (node->mode & S_IFMT) && st.st_rdev == node->device)
                        return 0;
                return init_fail(init, code, "device %s", node->name);
        }
        if ((node->uid != 0 || node->gid != 0) &&
            fchownat(dir, node->name, node->uid, node->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return init_fail(init, errno, "owner of device %s", node->name);
        return 0;
}

int init_devices(struct init *init, const struct plan_step *step) {
        _cleanup_close_ int dir = init_open_target(init, "/dev", true, false);

        if (dir < 0)
                return init_fail(init, -dir, "open /dev");
        for (size_t i = 0; i < ELEMENTS(nodes); i++) {
                int r = make_node(init, dir,
                                  &(struct node){ .name = nodes[i].name,
                                                  .mode = S_IFCHR | 0666,
                                                  .device = makedev(nodes[i].major, nodes[i].minor),
                                                  .uid = (uid_t)step->a,
                                                  .gid = (gid_t)step->b });

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTS(links); i++)
                if (symlinkat(links[i].target, dir, links[i].name) < 0 && errno != EEXIST)
                        return init_fail(init, errno, "link /dev/%s", links[i].name);
        return 0;
}

int init_device(struct init *init, const struct plan_step *step) {
        const char *path = plan_string(step, 0), *name = strrchr(path, '/');
        _cleanup_close_ int dir = -EBADF;
        char parent[4096];

        if (!name || name[1] == '\0' || strcmp(name + 1, "..") == 0 || (size_t)(name - path) >= sizeof(parent))
                return init_fail(init, EINVAL, "device path %s", path);
        memcpy(parent, path, (size_t)(name - path));
        parent[name - path] = '\0';
        dir = init_open_target(init, parent[0] ? parent : "/", true, false);
        if (dir < 0)
                return init_fail(init, -dir, "open %s", parent);
        return make_node(init, dir,
                         &(struct node){ .name = name + 1,
                                         .mode = (mode_t)step->a,
                                         .device = makedev((unsigned)(step->b >> 32), (unsigned)step->b),
                                         .uid = (uid_t)(step->c >> 32),
                                         .gid = (gid_t)step->c });
}

static int send_console(int socket, int fd) {
        struct init_report report = { .kind = INIT_CONSOLE };
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct iovec iov = { .iov_base = &report, .iov_len = sizeof(report) };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
        return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int open_terminal(struct init *init, const struct plan_step *step, int *ret_master, int *ret_slave) {
        struct winsize size = { .ws_row = (unsigned short)(step->a >> 16), .ws_col = (unsigned short)step->a };
        _cleanup_close_ int master = -EBADF, slave = -EBADF;
        struct statfs fs;
        int unlocked = 0;

        master = openat(init->devpts_fd, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
        if (master < 0 || fstatfs(master, &fs) < 0)
                return init_fail(init, errno, "open a terminal");
        if (fs.f_type != DEVPTS_SUPER_MAGIC)
                return init_fail(init, EXDEV, "open a terminal");
        if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
                return init_fail(init, errno, "unlock the terminal");
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0)
                return init_fail(init, errno, "open the terminal's other side");
        if (fchown(slave, (uid_t)step->b, (gid_t)-1) < 0)
                return init_fail(init, errno, "own the terminal");
        if (step->a)
                ioctl(slave, TIOCSWINSZ, &size);
        *ret_master = TAKE_FD(master);
        *ret_slave = TAKE_FD(slave);
        return 0;
}

static int mount_console(struct init *init, int slave) {
        _cleanup_close_ int target = init_open_target(init, "/dev/console", false, true);
        _cleanup_close_ int tree = sys_open_tree(slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

        if (target < 0 || tree < 0)
                return init_fail(init, target < 0 ? -target : errno, "make /dev/console");
        if (sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return init_fail(init, errno, "mount /dev/console");
        return 0;
}

static int become_terminal(struct init *init, int fd) {
        if (setsid() < 0 || ioctl(fd, TIOCSCTTY, 0) < 0)
                return init_fail(init, errno, "take the terminal");
        for (int i = 0; i <= 2; i++)
                if (dup2(fd, i) < 0)
                        return init_fail(init, errno, "descriptor %d", i);
        return 0;
}

/* The terminal is made in the devpts that we mounted, by its descriptor: what the image has at /dev/ptmx, /dev/pts or
 * /dev/console has no say (CVE-2025-52565). In a container that runs, what stands at /dev/pts must at least be a
 * devpts. */
int init_console(struct init *init, const struct plan_step *step) {
        _cleanup_close_ int master = -EBADF, slave = -EBADF;
        int r;

        if (step->flags & PLAN_F_RUNNING)
                init->devpts_fd = init_open(init, "/dev/pts", true);
        if (init->devpts_fd < 0)
                return init_fail(init, ENXIO, "a terminal needs a devpts at /dev/pts");
        if ((r = open_terminal(init, step, &master, &slave)) < 0 ||
            (!(step->flags & PLAN_F_RUNNING) && (r = mount_console(init, slave)) < 0))
                return r;
        r = send_console(init->report_fd, master);
        if (r < 0)
                return init_fail(init, -r, "hand the terminal over");
        return become_terminal(init, slave);
}

int init_terminal(struct init *init, const struct plan_step *step) {
        return become_terminal(init, init_fd(init, step->fd));
}

int init_stdio(struct init *init, const struct plan_step *step) {
        int fds[3] = { init_fd(init, step->fd), init_fd(init, (int64_t)step->a), init_fd(init, (int64_t)step->b) };

        /* What is not given stays the null device that 0, 1 and 2 are already. */
        for (int i = 0; i <= 2; i++)
                if (fds[i] >= 0 && dup2(fds[i], i) < 0)
                        return init_fail(init, errno, "descriptor %d", i);
        setsid();
        return 0;
}

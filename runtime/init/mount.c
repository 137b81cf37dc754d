#include "runtime/init/init.h"

#include <errno.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "lib/cleanup.h"
#include "runtime/sys.h"

#define OPTION_MAX 4096

/* Files of /proc that resource views (lxcfs) replace; nothing else below /proc can be mounted over, since security
 * settings go through it. */
static const char *const proc_files[] = {
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/uptime",
        "/proc/loadavg",
        "/proc/slabinfo",
        "/proc/net/dev",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
};

static bool is_on(int fd, unsigned long magic) {
        struct statfs fs;

        return fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == magic;
}

/* What the kernel says in a file system context about the last failure; "" when nothing. */
static void context_message(int fs, char *text, size_t size) {
        ssize_t n = read(fs, text, size - 1);

        text[n > 0 ? n : 0] = '\0';
        for (ssize_t i = 0; i < n; i++)
                if (text[i] == '\n')
                        text[i] = '\0';
}

int init_root(struct init *init, const struct plan_step *step) {
        int fd = init_fd(init, step->fd);

        if (step->flags & PLAN_F_PRIVATE && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return init_fail(init, errno, "make the mounts private");
        /* On top of "/": the old root stays what absolute paths mean until the pivot. */
        if (sys_move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return init_fail(init, errno, "attach the root file system");
        init->root_fd = fd;
        return 0;
}

/* The kernel's EINVAL for a directory on a file, or a file on a directory, by its own name. */
static int mount_error(int error, int tree, int target) {
        struct stat source, place;

        if (error != EINVAL || fstat(tree, &source) < 0 || fstat(target, &place) < 0 ||
            S_ISDIR(source.st_mode) == S_ISDIR(place.st_mode))
                return error;
        return S_ISDIR(source.st_mode) ? ENOTDIR : EISDIR;
}

static int attach(struct init *init, int tree, const char *destination, unsigned flags) {
        _cleanup_close_ int target = -EBADF;
        char clean[PATH_MAX];
        bool proc = false;

        target = init_open_target(init, destination, flags & PLAN_F_DIRECTORY, flags & PLAN_F_NOFOLLOW);
        if (target < 0)
                return init_fail(init, -target, "mount point %s", destination);
        if (is_on(target, PROC_SUPER_MAGIC) && !is_on(tree, PROC_SUPER_MAGIC)) {
                init_clean(destination, clean);
                for (size_t i = 0; i < ELEMENTS(proc_files); i++)
                        proc |= strcmp(clean, proc_files[i]) == 0;
                if (!proc)
                        return init_fail(init, EPERM, "mount point %s lies inside /proc", destination);
        }
        if (sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return init_fail(init, mount_error(errno, tree, target), "mount at %s", destination);
        return 0;
}

/* In a file system of our own nothing stands in the way, and no path needs to be walked. */
static int attach_held(struct init *init, int tree, const char *destination) {
        const char *slash = strrchr(destination, '/'), *name = slash ? slash + 1 : destination;

        if (mkdirat(init->held_fd, name, 0755) < 0 ||
            sys_move_mount(tree, "", init->held_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return init_fail(init, errno, "mount at %s", destination);
        return 0;
}

int init_mount(struct init *init, const struct plan_step *step) {
        if (step->flags & PLAN_F_HELD && init->held_fd >= 0)
                return attach_held(init, init_fd(init, step->fd), plan_string(step, 0));
        return attach(init, init_fd(init, step->fd), plan_string(step, 0), step->flags);
}

static int configure(struct init *init, int fs, const char *type, const char *options) {
        char option[OPTION_MAX], message[256];

        for (const char *p = options; *p != '\0'; p += strspn(p, ",")) {
                size_t n = strcspn(p, ",");
                char *value;
                int r;

                if (n == 0)
                        continue;
                if (n >= sizeof(option))
                        return init_fail(init, E2BIG, "%s option", type);
                memcpy(option, p, n);
                option[n] = '\0';
                p += n;
                value = strchr(option, '=');
                if (value)
                        *value++ = '\0';
                r = sys_fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option, value, 0);
                if (r < 0) {
                        int code = errno;

                        context_message(fs, message, sizeof(message));
                        return init_fail(init, code, "%s option %s%s%s %s", type, option, value ? "=" : "",
                                         value ? value : "", message);
                }
        }
        return 0;
}

/* A detached mount of a new file system; negative errno with init->error set. */
static int make_mount(struct init *init, const char *type, const char *source, const char *options,
                      uint64_t attributes) {
        _cleanup_close_ int fs = -EBADF;
        char message[256];
        int mount, r;

        fs = sys_fsopen(type, FSOPEN_CLOEXEC);
        if (fs < 0)
                return init_fail(init, errno, "file system type %s", type);
        if (*source != '\0' && sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
                return init_fail(init, errno, "%s source %s", type, source);
        r = configure(init, fs, type, options);
        if (r < 0)
                return r;
        if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
                int code = errno;

                context_message(fs, message, sizeof(message));
                return init_fail(init, code, "make %s (%s) %s", type, options, message);
        }
        mount = sys_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
        return mount < 0 ? init_fail(init, errno, "mount %s", type) : mount;
}

/* A tmpfs is as open as the directory that it hides, unless its options say otherwise, and may begin with what that
 * holds. */
static int adopt(struct init *init, int tree, const char *destination, const char *options,
                 const struct plan_step *step) {
        struct sys_mount_attr attr = { .attr_set = step->a & MOUNT_ATTR_RDONLY };
        _cleanup_close_ int target = init_open(init, destination, false);
        struct stat st;
        int r = 0;

        if (target >= 0 && fstat(target, &st) == 0 && S_ISDIR(st.st_mode)) {
                if (!strstr(options, "mode=") && fchmodat(tree, ".", st.st_mode & 07777, 0) < 0)
                        return init_fail(init, errno, "mode of %s", destination);
                if (step->flags & PLAN_F_COPY_UP)
                        r = init_copy_up(init, target, tree, destination);
        }
        if (r == 0 && attr.attr_set && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
                return init_fail(init, errno, "make %s read-only", destination);
        return r;
}

int init_mount_new(struct init *init, const struct plan_step *step) {
        const char *destination = plan_string(step, 0), *type = plan_string(step, 1);
        bool security = strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0, tmpfs = strcmp(type, "tmpfs") == 0;
        _cleanup_close_ int tree = -EBADF;
        int r;

        tree = make_mount(init, type, plan_string(step, 2), plan_string(step, 3),
                          tmpfs ? step->a & ~(uint64_t)MOUNT_ATTR_RDONLY : step->a);
        if (tree < 0)
                return tree;
        if (tmpfs) {
                r = adopt(init, tree, destination, plan_string(step, 3), step);
                if (r < 0)
                        return r;
        }
        if (step->b) {
                struct sys_mount_attr attr = { .propagation = step->b & ~(uint64_t)MS_REC };

                if (sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
                        return init_fail(init, errno, "propagation of %s", destination);
        }
        /* A link in the image at /proc would put it where the image can look different to us (CVE-2019-19921). */
        r = attach(init, tree, destination, PLAN_F_DIRECTORY | (security ? PLAN_F_NOFOLLOW : 0) | step->flags);
        if (r < 0)
                return r;
        if (strcmp(type, "devpts") == 0)
                init->devpts_fd = TAKE_FD(tree);
        else if (step->flags & PLAN_F_HOLD)
                init->held_fd = TAKE_FD(tree);
        return 0;
}

int init_mount_shm(struct init *init, const struct plan_step *step) {
        struct sys_mount_attr attr = { .attr_set = step->a };
        _cleanup_close_ int tree = -EBADF;

        tree = sys_open_tree(init->shm_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
                return init_fail(init, errno, "take the pod's shared memory");
        return attach(init, tree, plan_string(step, 0), PLAN_F_DIRECTORY);
}

/* The mask comes from outside of the root: an image's own /dev/null proves nothing (CVE-2025-31133). */
static int open_mask(struct init *init, bool directory) {
        struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
        _cleanup_close_ int tree = -EBADF;

        if (directory && init->empty_fd < 0)
                tree = make_mount(init, "tmpfs", "tmpfs", "size=0,mode=555", 0);
        else
                tree = sys_open_tree(directory ? init->empty_fd : init->null_fd, "",
                                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (tree < 0 || (directory && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0))
                return -errno;
        return TAKE_FD(tree);
}

int init_mask(struct init *init, const struct plan_step *step) {
        const char *path = plan_string(step, 0);
        _cleanup_close_ int target = -EBADF, tree = -EBADF;
        struct stat st;

        target = init_open(init, path, false);
        if (target == -ENOENT || target == -ENOTDIR)
                return 0;
        if (target < 0 || fstat(target, &st) < 0)
                return init_fail(init, target < 0 ? -target : errno, "mask %s", path);
        tree = open_mask(init, S_ISDIR(st.st_mode));
        if (tree < 0 || sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return init_fail(init, tree < 0 ? -tree : errno, "mask %s", path);
        /* The first, now that it has its place, is what others are copied from. */
        if (S_ISDIR(st.st_mode) && init->empty_fd < 0)
                init->empty_fd = TAKE_FD(tree);
        return 0;
}

static bool is_mount_root(int fd) {
        struct statx st;

        /* Not every C library has a wrapper. */
        return syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0, &st) == 0 && st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

int init_link(struct init *init, const struct plan_step *step) {
        const char *directory = plan_string(step, 0), *name = plan_string(step, 1);
        _cleanup_close_ int dir = init_open(init, directory, false);

        if (dir < 0 || symlinkat(plan_string(step, 2), dir, name) < 0)
                return init_fail(init, dir < 0 ? -dir : errno, "make the link %s/%s", directory, name);
        return 0;
}

int init_readonly(struct init *init, const struct plan_step *step) {
        const char *path = plan_string(step, 0);
        _cleanup_close_ int target = -EBADF, tree = -EBADF;
        struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

        target = init_open(init, path, false);
        if (target == -ENOENT || target == -ENOTDIR)
                return 0;
        if (target < 0)
                return init_fail(init, -target, "make %s read-only", path);
        if (is_mount_root(target)) {
                if (sys_mount_setattr(target, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0)
                        return init_fail(init, errno, "make %s read-only", path);
                return 0;
        }
        tree = sys_open_tree(target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
        if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0 ||
            sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return init_fail(init, errno, "make %s read-only", path);
        return 0;
}

int init_pivot(struct init *init, const struct plan_step *step) {
        struct sys_mount_attr attr = { .propagation = step->a & ~(uint64_t)MS_REC };
        unsigned recursive = step->a & MS_REC ? AT_RECURSIVE : 0;

        if (fchdir(init->root_fd) < 0 || sys_pivot_root(".", ".") < 0)
                return init_fail(init, errno, "change the root");
        /* The old root now lies on top of the new one, and the working directory in it. */
        if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return init_fail(init, errno, "leave the old root");
        if (step->a && sys_mount_setattr(AT_FDCWD, "/", recursive, &attr) < 0)
                return init_fail(init, errno, "propagation of the root");
        return 0;
}

int init_root_readonly(struct init *init, const struct plan_step *step) {
        struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

        if (sys_mount_setattr(init->root_fd, "", AT_EMPTY_PATH, &attr) < 0)
                return init_fail(init, errno, "make the root read-only");
        return 0;
}

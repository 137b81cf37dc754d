#include "agent/volumes/subpath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/volumes/tree.h"
#include "lib/cleanup.h"

static int open_beneath(int dir, const char *path, uint64_t flags) {
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC | flags,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
        };
        int fd;

        /* EAGAIN: someone renames under the walk, which only the kernel can tell from an escape. */
        for (int tries = 0; tries < 100; tries++) {
                fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
                if (fd >= 0 || errno != EAGAIN)
                        break;
        }
        return fd < 0 ? -errno : fd;
}

static int escape(const char *subpath, struct err **err) {
        return err_set(err, EXDEV, "subPath \"%s\" leads out of its volume", subpath);
}

/* Makes the folders of @subpath that are missing, each in the descriptor of the one before it. */
static int make_beneath(int volume, const char *subpath, mode_t mode, int *ret_fd, struct err **err) {
        _cleanup_free_ char *copy = strdup(subpath);
        _cleanup_close_ int at = dup(volume);
        char *rest = copy, *name;

        if (!copy || at < 0)
                return err_set(err, ENOMEM, "out of memory");
        while ((name = strsep(&rest, "/"))) {
                int fd;

                if (!name[0] || strcmp(name, ".") == 0)
                        continue;
                if (strcmp(name, "..") == 0)
                        return escape(subpath, err);
                fd = open_beneath(at, name, O_DIRECTORY);
                if (fd == -ENOENT) {
                        if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
                                return err_errno(err, errno, "cannot create subPath \"%s\"", subpath);
                        fd = open_beneath(at, name, O_DIRECTORY | O_NOFOLLOW);
                        if (fd >= 0) {
                                char proc[64];

                                snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
                                if (chmod(proc, mode) < 0)
                                        return close_fd(fd),
                                               err_errno(err, errno, "cannot set the mode of subPath \"%s\"", subpath);
                        }
                }
                if (fd == -EXDEV)
                        return escape(subpath, err);
                if (fd < 0)
                        return err_errno(err, -fd, "subPath \"%s\"", subpath);
                close_fd(at);
                at = fd;
        }
        *ret_fd = TAKE_FD(at);
        return 0;
}

static int make_target(const char *target, bool directory, struct err **err) {
        _cleanup_free_ char *parent = strdup(target);
        char *slash = parent ? strrchr(parent, '/') : NULL;
        int fd, r;

        if (!slash)
                return err_set(err, ENOMEM, "out of memory");
        /* A mount of before (the container restarts) may be stale: what it shows was resolved then. */
        while (umount2(target, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
                ;
        if (directory)
                return pod_tree_make(target, 0750, err);
        *slash = '\0';
        if ((r = pod_tree_make(parent, 0750, err)) < 0)
                return r;
        fd = open(target, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (fd < 0)
                return err_errno(err, errno, "cannot create %s", target);
        close(fd);
        return 0;
}

static int mount_fd(int fd, const char *target, struct err **err) {
        _cleanup_close_ int tree =
                open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

        if (tree < 0)
                return err_errno(err, errno, "cannot take the subPath as a mount");
        if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return err_errno(err, errno, "cannot mount the subPath at %s", target);
        return 0;
}

int subpath_mount(const char *volume, const char *subpath, const char *target, struct err **err) {
        _cleanup_close_ int dir = open(volume, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;
        struct stat st;
        int r;

        if (dir < 0 || fstat(dir, &st) < 0)
                return err_errno(err, errno, "cannot open the volume");
        fd = open_beneath(dir, subpath, 0);
        if (fd == -EXDEV)
                return escape(subpath, err);
        if (fd == -ENOENT && (r = make_beneath(dir, subpath, st.st_mode & 07777, &fd, err)) < 0)
                return r;
        if (fd < 0)
                return err_errno(err, -fd, "subPath \"%s\"", subpath);
        if (fstat(fd, &st) < 0)
                return err_errno(err, errno, "subPath \"%s\"", subpath);
        if ((r = make_target(target, S_ISDIR(st.st_mode), err)) < 0)
                return r;
        return mount_fd(fd, target, err);
}

#include "runtime/init/init.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "lib/cleanup.h"
#include "runtime/sys.h"

/* As many links as the kernel follows in one path. */
#define LINKS_MAX 40

static int open_in_root(int root, const char *path, uint64_t flags, uint64_t resolve) {
        struct sys_open_how how = {
                .flags = O_PATH | O_CLOEXEC | flags,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
        };
        int fd;

        /* EAGAIN: something was renamed or mounted meanwhile, so that the kernel could not be sure of "..". */
        for (int i = 0; i < 100; i++) {
                fd = sys_openat2(root, path, &how);
                if (fd >= 0 || errno != EAGAIN)
                        break;
        }
        return fd < 0 ? -errno : fd;
}

int init_open(struct init *init, const char *path, bool nofollow) {
        return open_in_root(init->root_fd, path, 0, nofollow ? RESOLVE_NO_SYMLINKS : 0);
}

/* @ret_path becomes where the link @name, found in the directory that is the first @parent bytes of @path, leads to,
 * with
 * @rest behind it. */
static int follow(int dir, const char *name, const char *path, size_t parent, const char *rest,
                  char ret_path[PATH_MAX]) {
        const char *slash = *rest ? "/" : "";
        char link[PATH_MAX];
        ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);
        int length;

        if (n < 0)
                return -EEXIST; /* not a link: somebody made it between two looks */
        link[n] = '\0';
        if (link[0] == '/')
                length = snprintf(ret_path, PATH_MAX, "%s%s%s", link, slash, rest);
        else
                length = snprintf(ret_path, PATH_MAX, "%.*s/%s%s%s", (int)parent, path, link, slash, rest);
        return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Makes @name in @dir. 0, -EEXIST, or another errno. */
static int make(int dir, const char *name, bool directory) {
        int fd;

        if (directory)
                return mkdirat(dir, name, 0755) < 0 ? -errno : 0;
        fd = openat(dir, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        close(fd);
        return 0;
}

/* Nothing can be made in /proc, but looking there opens descriptors, which then are there to be followed. */
static bool is_proc(int dir) {
        struct statfs fs;

        return fstatfs(dir, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Makes the last part of @path, a clean one, where only that is missing, as mostly it is. What is odd is an error, and
 * make_missing()'s to look at. */
static int make_last(int root, const char *path, bool directory) {
        const char *name = strrchr(path, '/') + 1;
        _cleanup_close_ int dir = -EBADF;
        char parent[PATH_MAX];

        snprintf(parent, sizeof(parent), "%.*s", (int)(name - path), path);
        dir = open_in_root(root, parent, O_DIRECTORY, 0);
        if (dir < 0)
                return dir;
        return is_proc(dir) ? -ENOENT : make(dir, name, directory);
}

/* Makes what is missing of @path. 1 when a link was met whose end is missing: @path is then where it leads. */
static int make_missing(int root, char path[PATH_MAX], bool directory) {
        char next[PATH_MAX], prefix[PATH_MAX], name[NAME_MAX + 1];
        const char *p = path;

        for (;;) {
                _cleanup_close_ int dir = -EBADF;
                size_t parent, n;
                int fd, r;

                p += strspn(p, "/");
                n = strcspn(p, "/");
                if (n == 0)
                        return 0;
                if (n > NAME_MAX)
                        return -ENAMETOOLONG;
                parent = (size_t)(p - path);
                memcpy(name, p, n);
                name[n] = '\0';
                p += n;

                snprintf(prefix, sizeof(prefix), "%.*s", (int)(p - path), path);
                fd = open_in_root(root, prefix, 0, 0);
                if (fd >= 0) {
                        close(fd);
                        continue;
                }
                if (fd != -ENOENT)
                        return fd;
                snprintf(prefix, sizeof(prefix), "%.*s", (int)parent, path);
                dir = open_in_root(root, parent > 0 ? prefix : "/", O_DIRECTORY, 0);
                if (dir < 0)
                        return dir;
                if (is_proc(dir))
                        return -ENOENT;
                r = make(dir, name, directory || p[strspn(p, "/")] != '\0');
                if (r == -EEXIST) {
                        r = follow(dir, name, path, parent, p + strspn(p, "/"), next);
                        if (r < 0)
                                return r;
                        memcpy(path, next, PATH_MAX);
                        return 1;
                }
                if (r < 0)
                        return r;
        }
}

int init_clean(const char *path, char ret_path[PATH_MAX]) {
        size_t used = 0;

        for (size_t n; path += strspn(path, "/"), n = strcspn(path, "/"), n > 0; path += n) {
                if (n == 1 && path[0] == '.')
                        continue;
                if (used + 1 + n >= PATH_MAX)
                        return -ENAMETOOLONG;
                ret_path[used++] = '/';
                memcpy(ret_path + used, path, n);
                used += n;
        }
        strcpy(ret_path + used, used > 0 ? "" : "/");
        return 0;
}

int init_open_target(struct init *init, const char *path, bool directory, bool nofollow) {
        char work[PATH_MAX];
        int r = init_clean(path, work), fd;

        if (r < 0)
                return r;
        fd = init_open(init, work, nofollow);
        if (fd != -ENOENT)
                return fd;
        if (make_last(init->root_fd, work, directory) == 0)
                return init_open(init, work, nofollow);
        for (int links = 0; links < LINKS_MAX; links++) {
                r = make_missing(init->root_fd, work, directory);
                if (r < 0)
                        return r;
                if (r == 0)
                        return init_open(init, work, nofollow);
                if (nofollow)
                        return -ELOOP;
        }
        return -ELOOP;
}

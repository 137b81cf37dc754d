/* `tmpcopyup`: what a directory of the root holds, copied into the file system that is about to hide it. */
#include "runtime/init/init.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "runtime/sys.h"

#define DEPTH_MAX 64
#define ENTRIES_MAX 100000

struct entry {
        uint64_t inode;
        int64_t offset;
        uint16_t size;
        uint8_t type;
        char name[];
};

struct copy {
        unsigned depth, entries;
};

static int copy_directory(struct copy *copy, int from, int to);

static int set_owner(int fd, const struct stat *st) {
        const struct timespec times[2] = { st->st_atim, st->st_mtim };

        return fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode & 07777) < 0 ||
                               futimens(fd, times) < 0 ?
                       -errno :
                       0;
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st) {
        _cleanup_close_ int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        _cleanup_close_ int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        ssize_t n;

        if (from < 0 || to < 0)
                return -errno;
        while ((n = sendfile(to, from, NULL, 1 << 20)) > 0)
                ;
        return n < 0 ? -errno : set_owner(to, st);
}

static int copy_tree(struct copy *copy, int from_dir, int to_dir, const char *name, const struct stat *st) {
        _cleanup_close_ int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int to = -EBADF;
        int r;

        if (from < 0 || mkdirat(to_dir, name, 0700) < 0)
                return -errno;
        to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (to < 0)
                return -errno;
        r = copy_directory(copy, from, to);
        return r < 0 ? r : set_owner(to, st);
}

static int copy_link(int from_dir, int to_dir, const char *name) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        return symlinkat(target, to_dir, name) < 0 ? -errno : 0;
}

static int copy_entry(struct copy *copy, int from, int to, const char *name) {
        struct stat st;

        if (++copy->entries > ENTRIES_MAX)
                return -E2BIG;
        if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        switch (st.st_mode & S_IFMT) {
        case S_IFREG:
                return copy_file(from, to, name, &st);
        case S_IFDIR:
                return copy_tree(copy, from, to, name, &st);
        case S_IFSOCK: /* nobody listens there any more */
                return 0;
        case S_IFLNK: {
                int r = copy_link(from, to, name);

                if (r < 0)
                        return r;
                break;
        }
        default:
                if (mknodat(to, name, st.st_mode, st.st_rdev) < 0)
                        return -errno;
        }
        return fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_directory(struct copy *copy, int from, int to) {
        union {
                struct entry first;
                char data[2048];
        } buffer;
        long n;

        if (++copy->depth > DEPTH_MAX)
                return -ELOOP;
        while ((n = syscall(SYS_getdents64, from, &buffer, sizeof(buffer))) > 0) {
                const struct entry *e;

                for (long at = 0; at < n; at += e->size) {
                        int r;

                        e = (const struct entry *)(const void *)(buffer.data + at);
                        if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
                                continue;
                        r = copy_entry(copy, from, to, e->name);
                        if (r < 0)
                                return r;
                }
        }
        copy->depth--;
        return n < 0 ? -errno : 0;
}

int init_copy_up(struct init *init, int target, int tree, const char *destination) {
        _cleanup_close_ int from = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int to = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct copy copy = { 0 };
        int r = from < 0 || to < 0 ? -errno : copy_directory(&copy, from, to);

        return r < 0 ? init_fail(init, -r, "copy what %s holds", destination) : 0;
}

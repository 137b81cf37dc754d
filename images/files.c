#include "images/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/files.h"

/* Below this depth directories are moved up before they are emptied, so that neither stack nor descriptors run out. */
#define REMOVE_DEPTH_MAX 32

int image_file_read(int dir, const char *name, size_t max, char **ret_text, size_t *ret_n, struct err **err) {
        _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct stat st;
        int r;

        if (fd < 0)
                return err_errno(err, errno, "open %s", name);
        if (fstat(fd, &st) < 0)
                return err_errno(err, errno, "stat %s", name);
        if (!S_ISREG(st.st_mode))
                return err_set(err, EINVAL, "%s is not a regular file", name);
        if ((uint64_t)st.st_size > max)
                return err_set(err, E2BIG, "%s has %lld bytes; at most %zu are read", name, (long long)st.st_size, max);
        r = files_read_all(fd, max, ret_text, ret_n);
        return r < 0 ? err_errno(err, -r, "read %s", name) : 0;
}

const char *image_file_temporary_name(const char *prefix, char ret_name[FILE_TEMPORARY_MAX]) {
        static atomic_uint count;

        /* what a dead process left behind may have our number, so the time is in it too */
        snprintf(ret_name, FILE_TEMPORARY_MAX, "%.20s.%d.%" PRIx64 ".%u", prefix, (int)getpid(),
                 (uint64_t)clock_ns(CLOCK_REALTIME), atomic_fetch_add(&count, 1));
        return ret_name;
}

int image_file_write(int dir, const char *name, const void *text, size_t n, struct err **err) {
        char temporary[FILE_TEMPORARY_MAX];
        _cleanup_close_ int fd = -EBADF;
        int r;

        image_file_temporary_name(".tmp", temporary);
        fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return err_errno(err, errno, "create %s", name);
        if ((r = files_write_all(fd, text, n)) < 0 || (fsync(fd) < 0 && (r = -errno) < 0) ||
            (renameat(dir, temporary, dir, name) < 0 && (r = -errno) < 0)) {
                unlinkat(dir, temporary, 0);
                return err_errno(err, -r, "write %s", name);
        }
        if (fsync(dir) < 0)
                return err_errno(err, errno, "fsync the directory of %s", name);
        return 0;
}

int image_directory_open(int dir, const char *name, int *ret_fd, struct err **err) {
        int fd;

        if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
                return err_errno(err, errno, "make directory %s", name);
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return err_errno(err, errno, "open directory %s", name);
        *ret_fd = fd;
        return 0;
}

static bool is_dots(const char *name) {
        return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static int empty_directory(int top, int fd, unsigned depth);

static int remove_entry(int top, int dir, const char *name, unsigned char type, unsigned depth) {
        char temporary[FILE_TEMPORARY_MAX];
        int fd;

        if (type != DT_DIR && unlinkat(dir, name, 0) == 0)
                return 0;
        if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
                return -errno;
        if (depth >= REMOVE_DEPTH_MAX) {
                image_file_temporary_name(".deep", temporary);
                return renameat(dir, name, top, temporary) < 0 ? -errno : 0;
        }
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        int r = empty_directory(top, fd, depth + 1);
        if (r < 0)
                return r;
        if (unlinkat(dir, name, AT_REMOVEDIR) < 0)
                return -errno;
        return 0;
}

/* Takes @fd over. */
static int empty_directory(int top, int fd, unsigned depth) {
        _cleanup_closedir_ DIR *d = fdopendir(fd);
        const struct dirent *e;
        int r = 0;

        if (!d) {
                r = -errno;
                close(fd);
                return r;
        }
        while (r == 0 && (e = readdir(d)))
                if (!is_dots(e->d_name))
                        r = remove_entry(top, fd, e->d_name, e->d_type, depth);
        return r;
}

/* Directories that were moved up are found by another round. */
static int remove_rounds(int dir, const char *name) {
        for (;;) {
                _cleanup_close_ int top = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                int fd, r;

                if (top < 0)
                        return errno == ENOENT ? 0 : -errno;
                fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0)
                        return -errno;
                r = empty_directory(top, fd, 0);
                if (r < 0)
                        return r;
                if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                        return 0;
                if (errno != ENOTEMPTY && errno != EEXIST)
                        return -errno;
        }
}

int image_tree_remove(int dir, const char *name, struct err **err) {
        int r;

        if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return err_errno(err, errno, "remove %s", name);
        r = remove_rounds(dir, name);
        return r < 0 ? err_errno(err, -r, "remove %s", name) : 0;
}

static int usage_of_directory(int fd, unsigned depth, uint64_t *bytes, uint64_t *inodes) {
        _cleanup_closedir_ DIR *d = fdopendir(fd);
        const struct dirent *e;

        if (!d) {
                close_fd(fd);
                return -ENOMEM;
        }
        while ((e = readdir(d))) {
                struct stat st;

                if (is_dots(e->d_name) || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (S_ISDIR(st.st_mode) && depth < REMOVE_DEPTH_MAX) {
                        int sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

                        if (sub >= 0)
                                usage_of_directory(sub, depth + 1, bytes, inodes);
                }
                *bytes += (uint64_t)st.st_blocks * 512;
                ++*inodes;
        }
        return 0;
}

int image_tree_usage(int dir, const char *name, uint64_t *bytes, uint64_t *inodes) {
        int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? -errno : usage_of_directory(fd, 0, bytes, inodes);
}

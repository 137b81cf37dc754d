#include "lib/files.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"

#define READ_MIN 4096

int files_make_dirs(const char *path, mode_t mode, struct err **err) {
        char part[PATH_MAX];
        struct stat st;
        size_t n = strlen(path);

        if (n >= sizeof(part))
                return err_set(err, ENAMETOOLONG, "make %s: the path is too long", path);
        if (mkdir(path, mode) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
                return 0;
        memcpy(part, path, n + 1);
        for (char *p = part + 1; *p; p++) {
                if (*p != '/')
                        continue;
                *p = '\0';
                if (mkdir(part, mode) < 0 && errno != EEXIST)
                        return err_errno(err, errno, "make %s", part);
                *p = '/';
        }
        if (mkdir(path, mode) < 0 && errno != EEXIST)
                return err_errno(err, errno, "make %s", path);
        if (stat(path, &st) < 0)
                return err_errno(err, errno, "make %s", path);
        return S_ISDIR(st.st_mode) ? 0 : err_errno(err, ENOTDIR, "make %s", path);
}

int files_make_private(const char *path, struct err **err) {
        char parent[PATH_MAX];
        _cleanup_close_ int fd = -EBADF;
        const char *slash;
        struct stat st;
        int r = 0;

        if (mkdir(path, 0700) == 0)
                return 0;
        if (errno == ENOENT && (slash = strrchr(path, '/')) && slash > path && slash - path < PATH_MAX) {
                memcpy(parent, path, (size_t)(slash - path));
                parent[slash - path] = '\0';
                r = files_make_dirs(parent, 0755, err);
                if (r == 0 && mkdir(path, 0700) == 0)
                        return 0;
        }
        if (r < 0)
                return r;
        if (errno != EEXIST)
                return err_errno(err, errno, "make %s", path);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, errno, "open %s", path);
        if ((st.st_mode & 077) && fchmod(fd, st.st_mode & 0700) < 0)
                return err_errno(err, errno, "close %s to everybody but root", path);
        return 0;
}

/* What the first read may bring, with a byte beyond it that tells the end and one for the NUL: regular files are read
 * by one call and one for the end. The kernel's own say that they have no bytes. */
static size_t first_room(int fd, size_t max) {
        size_t room = READ_MIN;
        struct stat st;

        if (fstat(fd, &st) == 0 && st.st_size > READ_MIN - 2)
                room = (size_t)st.st_size + 2;
        return room < max + 2 ? room : max + 2;
}

int files_read_all(int fd, size_t max, char **ret_data, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        size_t size = 0, room = 0;
        ssize_t n = 1;
        int r;

        max = max < SIZE_MAX - 2 ? max : SIZE_MAX - 2;
        r = GROW(data, room, first_room(fd, max), max + 2);
        while (r == 0 && n != 0) {
                n = read(fd, data + size, room - 1 - size);
                if (n < 0 && errno != EINTR)
                        return -errno;
                size += n > 0 ? (size_t)n : 0;
                r = GROW(data, room, size + 2, max + 2);
        }
        if (r < 0)
                return r == -E2BIG ? -EFBIG : r;
        data[size] = '\0';
        *ret_data = TAKE_PTR(data);
        if (ret_size)
                *ret_size = size;
        return 0;
}

int files_read(const char *path, size_t max, char **ret_data, size_t *ret_size, struct err **err) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        int r;

        if (fd < 0)
                return err_errno(err, errno, "open %s", path);
        r = files_read_all(fd, max, ret_data, ret_size);
        if (r == -EFBIG)
                return err_set(err, EFBIG, "read %s: more than %zu bytes", path, max);
        return r < 0 ? err_errno(err, -r, "read %s", path) : 0;
}

int files_write_all(int fd, const void *data, size_t size) {
        const char *from = data;

        while (size > 0) {
                ssize_t n = write(fd, from, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                from += n;
                size -= (size_t)n;
        }
        return 0;
}

int files_write_at(int fd, const void *data, size_t size, uint64_t offset) {
        const char *from = data;

        while (size > 0) {
                ssize_t n = pwrite(fd, from, size, (off_t)offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                from += n;
                offset += (uint64_t)n;
                size -= (size_t)n;
        }
        return 0;
}

/* The entry at @path is on the disk. */
static int sync_directory(const char *path) {
        const char *slash = strrchr(path, '/');
        char above[PATH_MAX] = ".";
        _cleanup_close_ int fd = -EBADF;

        if (slash)
                snprintf(above, sizeof(above), "%.*s", slash == path ? 1 : (int)(slash - path), path);
        fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int fill(int fd, const void *data, size_t size, mode_t mode, bool sync) {
        int r = files_write_all(fd, data, size);

        if (r < 0)
                return r;
        if (fchmod(fd, mode) < 0) /* whatever the umask is */
                return -errno;
        return sync && fsync(fd) < 0 ? -errno : 0;
}

static int replace(const char *path, const void *data, size_t size, mode_t mode, bool sync, struct err **err) {
        static atomic_uint counter;
        char temporary[PATH_MAX];
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (snprintf(temporary, sizeof(temporary), "%s.%u~", path, counter++) >= (int)sizeof(temporary))
                return err_set(err, ENAMETOOLONG, "write %s: the path is too long", path);
        fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0)
                return err_errno(err, errno, "create %s", path);
        if ((r = fill(fd, data, size, mode, sync)) < 0 || (rename(temporary, path) < 0 && (r = -errno) < 0)) {
                unlink(temporary);
                return err_errno(err, -r, "write %s", path);
        }
        r = sync ? sync_directory(path) : 0;
        return r < 0 ? err_errno(err, -r, "sync %s", path) : 0;
}

int files_replace(const char *path, const void *data, size_t size, mode_t mode, struct err **err) {
        return replace(path, data, size, mode, false, err);
}

int files_replace_synced(const char *path, const void *data, size_t size, mode_t mode, struct err **err) {
        return replace(path, data, size, mode, true, err);
}

struct removal {
        const char *top;
        int top_fd;
        unsigned moved;
};

static int remove_entries(struct removal *removal, int fd, unsigned depth, struct err **err);

/* What is nested too deep for one descriptor a level comes up to the top, to be removed from there. */
static int move_up(struct removal *removal, int parent, const char *name, struct err **err) {
        char to[32];
        int r;

        do { /* a removal that was cut off may have left some */
                snprintf(to, sizeof(to), ".deep-%u", removal->moved++);
                r = renameat(parent, name, removal->top_fd, to);
        } while (r < 0 && (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) && removal->moved < UINT_MAX);
        return r < 0 ? err_errno(err, errno, "remove %s", removal->top) : 0;
}

static int remove_at(struct removal *removal, int parent, const char *name, unsigned depth, struct err **err) {
        int fd, r;

        if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return err_errno(err, errno, "remove %s in %s", name, removal->top);
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
                return 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
                return err_errno(err, errno, "remove %s in %s", name, removal->top);
        if (depth >= FILES_DEPTH_MAX)
                return move_up(removal, parent, name, err);
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "open %s in %s", name, removal->top);
        if ((r = remove_entries(removal, fd, depth + 1, err)) < 0)
                return r;
        if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return err_errno(err, errno, "remove %s in %s", name, removal->top);
        return r;
}

/* Takes @fd. */
static int remove_entries(struct removal *removal, int fd, unsigned depth, struct err **err) {
        _cleanup_closedir_ DIR *dir = fdopendir(fd);
        const struct dirent *entry;
        int r;

        if (!dir) {
                close_fd(fd);
                return err_set(err, ENOMEM, "remove %s: out of memory", removal->top);
        }
        while ((entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                r = remove_at(removal, dirfd(dir), entry->d_name, depth, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int files_remove_tree(const char *path, struct err **err) {
        _cleanup_close_ int top_fd = -EBADF;
        struct removal removal = { .top = path };
        unsigned moved;
        int fd, r;

        if (unlink(path) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return err_errno(err, errno, "remove %s", path);
        if (rmdir(path) == 0)
                return 0;
        removal.top_fd = top_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (top_fd < 0)
                return err_errno(err, errno, "remove %s", path);
        do {
                moved = removal.moved;
                fd = openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = fd < 0 ? err_errno(err, errno, "remove %s", path) : remove_entries(&removal, fd, 1, err);
        } while (r >= 0 && removal.moved > moved);
        if (r >= 0 && rmdir(path) < 0 && errno != ENOENT)
                r = err_errno(err, errno, "remove %s", path);
        return r;
}

int files_lock(const char *directory, const char *hint, int *ret_fd, struct err **err) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return err_errno(err, errno, "%s", directory);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? err_set(err, EBUSY, "%s: another process uses it; %s", directory, hint) :
                                              err_errno(err, errno, "%s: lock it", directory);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

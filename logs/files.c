#include "logs/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/grow.h"
#include "logs/names.h"

static int by_name(const void *a, const void *b) {
        return strcmp(a, b);
}

static bool compressed(const char *name) {
        size_t n = strlen(name);

        return n > 3 && strcmp(name + n - 3, ".gz") == 0;
}

static bool unfinished(const char *name) {
        size_t n = strlen(name);

        return n > 4 && strcmp(name + n - 4, ".tmp") == 0;
}

static int add(struct logs_files *files, size_t *allocated, const char *name) {
        int r = GROW(files->names, *allocated, files->n + 1, GROW_NO_MAX);

        if (r == 0)
                strcpy(files->names[files->n++], name);
        return r;
}

static void keep_youngest(struct logs_files *files) {
        size_t extra = files->n > LOGS_ROTATED_MAX ? files->n - LOGS_ROTATED_MAX : 0;

        if (extra == 0)
                return;
        memmove(files->names, files->names + extra, (files->n - extra) * sizeof(*files->names));
        files->n -= extra;
}

static int list_once(int dir_fd, const char *name, struct logs_files *ret_files) {
        _cleanup_log_files_ struct logs_files files = { 0 };
        _cleanup_closedir_ DIR *dir = NULL;
        size_t allocated = 0;
        struct dirent *d;
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                close_fd(fd);
                return -errno;
        }
        while ((d = readdir(dir))) {
                if (!logs_is_rotated(d->d_name, name) || compressed(d->d_name) || unfinished(d->d_name))
                        continue;
                if (files.n >= 2 * LOGS_ROTATED_MAX) { /* bounded even in a directory of a million files */
                        qsort(files.names, files.n, sizeof(*files.names), by_name);
                        keep_youngest(&files);
                }
                r = add(&files, &allocated, d->d_name);
                if (r < 0)
                        return r;
        }
        if (files.n > 0)
                qsort(files.names, files.n, sizeof(*files.names), by_name);
        keep_youngest(&files);
        *ret_files = files;
        files = (struct logs_files){ 0 };
        return 0;
}

/* Of files that are made while readdir(3) runs it may show a younger one and not an older. All that are older than what
 * was seen there already when a second look begins. */
static int list_rotated(int dir_fd, const char *name, struct logs_files *ret_files) {
        _cleanup_log_files_ struct logs_files before = { 0 };
        const char *youngest;
        int r = list_once(dir_fd, name, &before);

        if (r < 0)
                return r;
        *ret_files = (struct logs_files){ 0 };
        if (before.n == 0)
                return 0;
        r = list_once(dir_fd, name, ret_files);
        if (r < 0)
                return r;
        youngest = before.names[before.n - 1];
        while (ret_files->n > 0 && strcmp(ret_files->names[ret_files->n - 1], youngest) > 0)
                ret_files->n--;
        return 0;
}

/* Leaves what was rotated before @current: that itself may have got a name among them meanwhile, or has two names after
 * a rotation that was cut off. */
static void keep_older(struct logs_files *files, int dir_fd, const struct stat *current) {
        size_t n = 0;
        struct stat st;

        for (size_t i = 0; i < files->n; i++) {
                if (fstatat(dir_fd, files->names[i], &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size == 0)
                        continue;
                if (current && st.st_dev == current->st_dev && st.st_ino == current->st_ino)
                        break;
                memmove(files->names[n++], files->names[i], sizeof(*files->names));
        }
        files->n = n;
}

int logs_files_list(int dir_fd, const char *name, struct logs_files *ret_files, int *ret_current) {
        /* Before the list: so all that is in front of it is in the list. */
        _cleanup_close_ int fd = logs_files_open(dir_fd, name);
        struct stat st;
        int r;

        if (fd < 0 && fd != -ENOENT)
                return fd;
        if (fd >= 0 && fstat(fd, &st) < 0)
                return -errno;
        r = list_rotated(dir_fd, name, ret_files);
        if (r < 0)
                return r;
        keep_older(ret_files, dir_fd, fd >= 0 ? &st : NULL);
        *ret_current = TAKE_FD(fd);
        return 0;
}

void logs_files_done(struct logs_files *files) {
        free(files->names);
        *files = (struct logs_files){ 0 };
}

int logs_files_open(int dir_fd, const char *name) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        return TAKE_FD(fd);
}

ssize_t logs_files_find(const struct logs_files *files, int dir_fd, dev_t dev, ino_t ino) {
        struct stat st;

        for (size_t i = 0; i < files->n; i++)
                if (fstatat(dir_fd, files->names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == dev &&
                    st.st_ino == ino)
                        return (ssize_t)i;
        return -1;
}

int logs_files_hold(int fd) {
        struct stat st;
        int r;

        do
                r = flock(fd, LOCK_SH); /* waits for a rotation's look at it, no longer */
        while (r < 0 && errno == EINTR);
        return fstat(fd, &st) == 0 && st.st_nlink > 0 ? 0 : -ENOENT;
}

#include "logs/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "logs/names.h"
#include "logs/reader.h"

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

/* Makes room for one more name. */
static int grow(struct log_files *files, size_t *allocated) {
        size_t more = *allocated ? *allocated * 2 : 8;
        void *names;

        if (files->n < *allocated)
                return 0;
        names = reallocarray(files->names, more, sizeof(*files->names));
        if (!names)
                return -ENOMEM;
        files->names = names;
        *allocated = more;
        return 0;
}

static int add(struct log_files *files, size_t *allocated, const char *name) {
        int r = grow(files, allocated);

        if (r == 0)
                strcpy(files->names[files->n++], name);
        return r;
}

static void keep_youngest(struct log_files *files) {
        size_t extra = files->n > LOG_ROTATED_MAX ? files->n - LOG_ROTATED_MAX : 0;

        if (extra == 0)
                return;
        memmove(files->names, files->names + extra, (files->n - extra) * sizeof(*files->names));
        files->n -= extra;
}

/* In the middle of a rotation, or after one that was cut off there, the current file has a second name. */
static void drop_second_name(struct log_files *files, int dir_fd, const struct stat *current) {
        ssize_t i = current->st_nlink > 1 ? log_files_find(files, dir_fd, current->st_dev, current->st_ino) : -1;

        if (i < 0)
                return;
        files->n--;
        memmove(files->names + i, files->names + i + 1, (files->n - (size_t)i) * sizeof(*files->names));
}

int log_files_list(int dir_fd, const char *name, struct log_files *ret_files) {
        _cleanup_log_files_ struct log_files files = { 0 };
        _cleanup_closedir_ DIR *dir = NULL;
        size_t allocated = 0;
        struct dirent *d;
        struct stat st;
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                close_fd(fd);
                return -errno;
        }
        while ((d = readdir(dir))) {
                if (!log_is_rotated(d->d_name, name) || compressed(d->d_name) || unfinished(d->d_name))
                        continue;
                if (files.n >= 2 * LOG_ROTATED_MAX) { /* bounded even in a directory of a million files */
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
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                drop_second_name(&files, dir_fd, &st);
                r = add(&files, &allocated, name);
                if (r < 0)
                        return r;
        }
        *ret_files = files;
        files = (struct log_files){ 0 };
        return 0;
}

void log_files_done(struct log_files *files) {
        free(files->names);
        *files = (struct log_files){ 0 };
}

int log_files_open(int dir_fd, const char *name) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        return TAKE_FD(fd);
}

ssize_t log_files_find(const struct log_files *files, int dir_fd, dev_t dev, ino_t ino) {
        struct stat st;

        for (size_t i = 0; i < files->n; i++)
                if (fstatat(dir_fd, files->names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == dev &&
                    st.st_ino == ino)
                        return (ssize_t)i;
        return -1;
}

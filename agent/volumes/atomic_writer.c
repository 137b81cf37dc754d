#include "agent/volumes/atomic_writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/volumes/tree.h"
#include "lib/cleanup.h"
#include "lib/files.h"

#define DEPTH_MAX 64 /* of folders that are looked into; deeper ones are written anew */

static int check_path(const char *path, struct err **err) {
        if (path[0] == '/' || path[0] == '\0' || strlen(path) >= PATH_MAX / 2)
                return err_set(err, EINVAL, "path \"%s\" is not a relative path", path);
        for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
                if (strncmp(p, "..", 2) == 0 && (p == path || p[2] == '/' || p[2] == '\0'))
                        return err_set(err, EINVAL, "path \"%s\" must not contain or begin with \"..\"", path);
        return 0;
}

/* As kubelet leaves them for an fsGroup (pkg/volume/volume_linux.go). */
static int set_group(int dir, const char *name, gid_t gid, struct err **err) {
        if (gid != (gid_t)-1 &&
            (fchownat(dir, name, (uid_t)-1, gid, 0) < 0 || fchmodat(dir, name, 0755 | S_ISGID, 0) < 0))
                return err_errno(err, errno, "cannot set the group of %s", name);
        return 0;
}

static int make_folder(int dir, const char *path, gid_t gid, struct err **err) {
        if (mkdirat(dir, path, 0755) == 0)
                return set_group(dir, path, gid, err);
        return errno == EEXIST ? 0 : err_errno(err, errno, "cannot create %s", path);
}

static int write_file(int dir, const struct atomic_file *file, gid_t gid, struct err **err) {
        _cleanup_free_ char *path = strdup(file->path);
        uid_t owner = file->owner ? file->owner : (uid_t)-1;
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!path)
                return err_set(err, ENOMEM, "out of memory");
        for (char *p = path; (p = strchr(p, '/')); p++) {
                *p = '\0';
                if ((r = make_folder(dir, path, gid, err)) < 0)
                        return r;
                *p = '/';
        }
        fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return err_errno(err, errno, "cannot create %s", path);
        r = files_write_all(fd, file->data, file->length);
        if (r < 0)
                return err_errno(err, -r, "cannot write %s", path);
        if (((file->owner || gid != (gid_t)-1) && fchown(fd, owner, gid) < 0) || fchmod(fd, file->mode) < 0)
                return err_errno(err, errno, "cannot set owner and mode of %s", path);
        return 0;
}

static bool file_is(int dir, const struct atomic_file *file) {
        _cleanup_close_ int fd = openat(dir, file->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_free_ char *data = malloc(file->length + 1);
        struct stat st;

        return fd >= 0 && data && fstat(fd, &st) == 0 && (size_t)st.st_size == file->length &&
               (st.st_mode & 07777) == file->mode && read(fd, data, file->length + 1) == (ssize_t)file->length &&
               memcmp(data, file->data, file->length) == 0;
}

/* How many files are in @parent's directory @name and below; more than any volume has when they cannot be counted. */
static size_t count_files(int parent, const char *name, int depth) {
        _cleanup_closedir_ DIR *d = open_dir(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        struct dirent *entry;
        size_t n = 0;

        if (!d || depth == 0)
                return ATOMIC_FILES_MAX + 1;
        while (n <= ATOMIC_FILES_MAX && (entry = readdir(d))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                n += entry->d_type == DT_DIR ? count_files(dirfd(d), entry->d_name, depth - 1) : 1;
        }
        return n;
}

/* These files, and no others. */
static bool holds_all(int dir, const struct atomic_file *files, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (!file_is(dir, &files[i]))
                        return false;
        return count_files(dir, ".", DEPTH_MAX) == n;
}

/* DIR/first-component -> ..data/first-component for each file. */
static int link_entry(int dir, const char *path, struct err **err) {
        char name[NAME_MAX + 1], target[NAME_MAX + 16], old[NAME_MAX + 16];
        size_t length = strcspn(path, "/");

        if (length > NAME_MAX)
                return err_set(err, ENAMETOOLONG, "path \"%s\" is too long", path);
        snprintf(name, sizeof(name), "%.*s", (int)length, path);
        snprintf(target, sizeof(target), "..data/%s", name);
        ssize_t n = readlinkat(dir, name, old, sizeof(old) - 1);
        if (n >= 0 && (size_t)n == strlen(target) && memcmp(old, target, (size_t)n) == 0)
                return 0;
        if (symlinkat(target, dir, name) < 0 && errno != EEXIST)
                return err_errno(err, errno, "cannot link %s", name);
        return 0;
}

static bool is_wanted(const char *name, const struct atomic_file *files, size_t n) {
        size_t length = strlen(name);

        for (size_t i = 0; i < n; i++)
                if (strncmp(files[i].path, name, length) == 0 &&
                    (files[i].path[length] == '/' || files[i].path[length] == '\0'))
                        return true;
        return false;
}

/* Of any year: a clock may not have been set yet. */
static bool is_data_dir(const char *name) {
        return strncmp(name, "..", 2) == 0 && name[2] >= '0' && name[2] <= '9';
}

/* Removes links to files that are no more, and data directories of before. */
static void remove_stale(const char *path, int dir, const char *current, const struct atomic_file *files, size_t n) {
        int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = open_dir(copy);
        struct dirent *entry;

        while (d && (entry = readdir(d))) {
                const char *name = entry->d_name;

                if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "..data") == 0 ||
                    strcmp(name, current) == 0)
                        continue;
                if (is_data_dir(name)) {
                        _cleanup_free_ char *old = NULL;
                        if (asprintf(&old, "%s/%s", path, name) > 0)
                                pod_tree_remove(old, NULL);
                } else if (entry->d_type == DT_LNK && !is_wanted(name, files, n)) {
                        unlinkat(dir, name, 0);
                }
        }
}

static int make_data_dir(int dir, char name[64], gid_t gid, struct err **err) {
        struct timespec now;
        char text[32];
        struct tm tm;

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        strftime(text, sizeof(text), "..%Y_%m_%d_%H_%M_%S", &tm);
        snprintf(name, 64, "%s.%09ld", text, now.tv_nsec);
        if (mkdirat(dir, name, 0755) < 0 || fchmodat(dir, name, 0755, 0) < 0)
                return err_errno(err, errno, "cannot create %s", name);
        return set_group(dir, name, gid, err);
}

/* A new data directory with all of @files. */
static int fill_data_dir(int dir, const char *name, const struct atomic_file *files, size_t n, gid_t gid,
                         struct err **err) {
        _cleanup_close_ int data = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r;

        if (data < 0)
                return err_errno(err, errno, "cannot open %s", name);
        for (size_t i = 0; i < n; i++)
                if ((r = write_file(data, &files[i], gid, err)) < 0)
                        return r;
        unlinkat(dir, "..data_tmp", 0);
        if (symlinkat(name, dir, "..data_tmp") < 0 || renameat(dir, "..data_tmp", dir, "..data") < 0)
                return err_errno(err, errno, "cannot swap ..data for %s", name);
        return 0;
}

/* It is tried again and again, perhaps because the disk is full: nothing of it stays there. */
static void drop_data_dir(const char *path, const char *name) {
        _cleanup_free_ char *whole = NULL;

        if (asprintf(&whole, "%s/%s", path, name) > 0)
                pod_tree_remove(whole, NULL);
}

int atomic_write(const char *path, const struct atomic_file *files, size_t n, gid_t gid, struct err **err) {
        _cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), data = -EBADF;
        char name[64];
        int r;

        if (dir < 0)
                return err_errno(err, errno, "cannot open the volume %s", path);
        for (size_t i = 0; i < n; i++)
                if ((r = check_path(files[i].path, err)) < 0)
                        return r;
        data = openat(dir, "..data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (data >= 0 && holds_all(data, files, n))
                return 0;
        if ((r = make_data_dir(dir, name, gid, err)) < 0)
                return r;
        if ((r = fill_data_dir(dir, name, files, n, gid, err)) < 0) {
                drop_data_dir(path, name);
                return r;
        }
        for (size_t i = 0; i < n; i++)
                if ((r = link_entry(dir, files[i].path, err)) < 0)
                        return r;
        remove_stale(path, dir, name, files, n);
        return 0;
}

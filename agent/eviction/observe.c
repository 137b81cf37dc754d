#include "agent/eviction/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define PROC_TEXT_MAX 4096

int eviction_observer_open(const char *root_dir, const char *logs_dir, struct observer *ret_observer,
                           struct err **err) {
        struct observer o = { -EBADF, -EBADF, -EBADF, LAYOUT_SINGLE };
        _cleanup_free_ char *images = NULL;
        struct stat node, image;
        int r = 0;

        if (asprintf(&images, "%s/images", root_dir) < 0) {
                images = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        o.nodefs = open(root_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        o.imagefs = open(images, O_PATH | O_DIRECTORY | O_CLOEXEC);
        o.logs = open(logs_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (o.nodefs < 0 || o.imagefs < 0 || o.logs < 0 || fstat(o.nodefs, &node) < 0 || fstat(o.imagefs, &image) < 0)
                r = err_errno(err, errno, "cannot watch the disk space of %s, %s and %s", root_dir, images, logs_dir);
        if (r < 0) {
                eviction_observer_close(&o);
                return r;
        }
        if (node.st_dev != image.st_dev)
                o.layout = LAYOUT_IMAGES_APART;
        *ret_observer = o;
        return 0;
}

void eviction_observer_close(struct observer *o) {
        o->nodefs = close_fd(o->nodefs);
        o->imagefs = close_fd(o->imagefs);
        o->logs = close_fd(o->logs);
}

static void read_disk(int fd, struct eviction_observation *ret_space, struct eviction_observation *ret_inodes) {
        struct statvfs st;

        if (fstatvfs(fd, &st) < 0)
                return;
        *ret_space = (struct eviction_observation){
                true,
                (int64_t)(st.f_bavail * st.f_frsize),
                (int64_t)(st.f_blocks * st.f_frsize),
        };
        if (st.f_files > 0) /* btrfs has no such number */
                *ret_inodes = (struct eviction_observation){ true, (int64_t)st.f_ffree, (int64_t)st.f_files };
}

static bool read_text(const char *path, char text[PROC_TEXT_MAX]) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, PROC_TEXT_MAX - 1);

        text[n > 0 ? n : 0] = '\0';
        return n > 0;
}

static bool meminfo_field(const char *text, const char *key, int64_t *ret_bytes) {
        const char *at = strstr(text, key);
        long long kib;

        if (!at || (at != text && at[-1] != '\n') || sscanf(at + strlen(key), " %lld kB", &kib) != 1)
                return false;
        *ret_bytes = kib * 1024;
        return true;
}

int eviction_observer_parse_memory(const char *text, struct eviction_observation *ret_memory) {
        int64_t total, unused, files;

        if (!meminfo_field(text, "MemTotal:", &total) || !meminfo_field(text, "MemFree:", &unused) ||
            !meminfo_field(text, "Inactive(file):", &files))
                return -EINVAL;
        *ret_memory = (struct eviction_observation){ true, unused + files, total };
        return 0;
}

static void read_memory(struct eviction_observation *ret) {
        char text[PROC_TEXT_MAX];

        if (read_text("/proc/meminfo", text))
                eviction_observer_parse_memory(text, ret);
}

int64_t eviction_observer_pids_max(void) {
        static const char *const files[] = { "/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max" };
        int64_t most = INT64_MAX;
        char text[PROC_TEXT_MAX];
        long long n;

        for (size_t i = 0; i < ELEMENTS(files); i++)
                if (read_text(files[i], text) && sscanf(text, "%lld", &n) == 1 && n > 0 && n < most)
                        most = n;
        return most;
}

/* "0.20 0.18 0.12 1/80 11206": of the tasks behind the slash. */
static void read_tasks(struct eviction_observation *ret) {
        char text[PROC_TEXT_MAX];
        long long tasks;

        if (read_text("/proc/loadavg", text) && sscanf(text, "%*s %*s %*s %*d/%lld", &tasks) == 1)
                *ret = (struct eviction_observation){ true, eviction_observer_pids_max() - tasks,
                                                      eviction_observer_pids_max() };
}

void eviction_observer_read(const struct observer *o, struct eviction_observation ret[_EVICTION_SIGNALS]) {
        memset(ret, 0, _EVICTION_SIGNALS * sizeof(*ret));
        read_memory(&ret[EVICTION_MEMORY]);
        read_disk(o->nodefs, &ret[EVICTION_NODEFS], &ret[EVICTION_NODEFS_INODES]);
        read_disk(o->imagefs, &ret[EVICTION_IMAGEFS], &ret[EVICTION_IMAGEFS_INODES]);
        read_tasks(&ret[EVICTION_PIDS]);
}

/* Every image has a manifest and a config of its own among the blobs. */
int64_t eviction_observer_images_changed(const struct observer *o) {
        struct stat st;

        return fstatat(o->imagefs, "blobs/sha256", &st, AT_SYMLINK_NOFOLLOW) < 0 ?
                       0 :
                       st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

int64_t eviction_observer_image_came(const struct observer *o, const char *id) {
        const char *hex = strchr(id, ':');
        char path[128];
        struct stat st;

        if (!hex || strchr(hex, '/') || snprintf(path, sizeof(path), "blobs/sha256/%s", hex + 1) >= (int)sizeof(path) ||
            fstatat(o->imagefs, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        return st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

void eviction_observer_read_files(const struct observer *o, struct observed_files *ret) {
        const int fds[] = { o->nodefs, o->logs };
        struct statvfs st;

        *ret = (struct observed_files){ 0 };
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                if (fstatvfs(fds[i], &st) == 0) {
                        ret->blocks[i] = st.f_bfree;
                        ret->inodes[i] = st.f_ffree;
                }
}

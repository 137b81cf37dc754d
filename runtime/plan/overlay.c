#include "runtime/plan/overlay.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/plan/overlay_layers.h"
#include "runtime/sys.h"

/* fsconfig() takes strings below 256 bytes, mount() a page. */
#define FSCONFIG_STRING_MAX 256
#define FD_PATH_MAX 32

struct layers {
        int fds[SPEC_LAYERS_MAX];
        size_t n;
};

static void layers_close(struct layers *layers) {
        for (size_t i = 0; i < layers->n; i++)
                close_fd(layers->fds[i]);
}

static const char *fd_path(int fd, char path[FD_PATH_MAX]) {
        snprintf(path, FD_PATH_MAX, "/proc/self/fd/%d", fd);
        return path;
}

static int idmapped(const char *path, int user_fd) {
        struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_fd };
        _cleanup_close_ int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
                return -errno;
        return TAKE_FD(tree);
}

/* Opens the layers that a path cannot name: all when idmapped or @all, else those with long paths. */
static int open_layers(const struct overlay_layers *of, int user_fd, bool all, struct layers *layers,
                       struct err **err) {
        for (layers->n = 0; layers->n < of->n; layers->n++) {
                const char *path = of->paths[layers->n];
                int fd = -EBADF;

                if (user_fd >= 0)
                        fd = idmapped(path, user_fd);
                else if (all || strlen(path) >= FSCONFIG_STRING_MAX)
                        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                else {
                        layers->fds[layers->n] = -EBADF;
                        continue;
                }
                if (fd < 0)
                        return err_errno(err, fd == -1 ? errno : -fd, "layer %s", path);
                layers->fds[layers->n] = fd;
        }
        return 0;
}

static int set_string(int fs, const char *key, const char *value, struct err **err) {
        if (sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) == 0)
                return 0;
        return err_errno(err, errno, "overlay %s=%s", key, value);
}

static int set_path(int fs, const char *key, const char *path, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        char short_path[FD_PATH_MAX];

        if (strlen(path) < FSCONFIG_STRING_MAX)
                return set_string(fs, key, path, err);
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "overlay %s %s", key, path);
        return set_string(fs, key, fd_path(fd, short_path), err);
}

static int kernel_says(int fs, int code, const struct overlay_layers *of, struct err **err) {
        char message[512], names[OVERLAY_NAMES_MAX];
        ssize_t n = read(fs, message, sizeof(message) - 1);

        message[n > 0 ? n : 0] = '\0';
        message[strcspn(message, "\n")] = '\0';
        return err_errno(err, code, "mount the overlay of %s%s%s", overlay_layers_name(of, names), *message ? ": " : "",
                         message);
}

/* Adds the layers as lower directories: 0, -EOPNOTSUPP when the kernel does not take them so, or another errno. */
static int add_layers(int fs, const struct overlay_layers *of, const struct layers *layers, struct err **err) {
        _cleanup_close_ int empty = of->empty_below ? overlay_empty() : -EBADF;
        char path[FD_PATH_MAX];

        for (size_t i = 0; i < of->n; i++) {
                const char *lower = layers->fds[i] < 0 ? of->paths[i] : fd_path(layers->fds[i], path);

                if (sys_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", lower, 0) == 0)
                        continue;
                return errno == EINVAL && i == 0 ? -EOPNOTSUPP : err_errno(err, errno, "layer %s", of->paths[i]);
        }
        /* detached mounts are taken from Linux 6.15 on */
        if (of->empty_below &&
            (empty < 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", fd_path(empty, path), 0) < 0))
                return -EOPNOTSUPP;
        return 0;
}

/* 0, -EOPNOTSUPP when the kernel has no "lowerdir+" (before 6.8), or another errno. */
static int mount_by_layers(const struct rootfs_spec *root, const struct overlay_layers *of, const struct layers *layers,
                           int *ret_mount, struct err **err) {
        _cleanup_close_ int fs = sys_fsopen("overlay", FSOPEN_CLOEXEC), mount = -EBADF;
        int r;

        if (fs < 0)
                return err_errno(err, errno, "overlayfs");
        if ((r = add_layers(fs, of, layers, err)) < 0 ||
            (root->upper && ((r = set_path(fs, "upperdir", root->upper, err)) < 0 ||
                             (r = set_path(fs, "workdir", root->work, err)) < 0)))
                return r;
        if (root->upper && root->is_volatile)
                sys_fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
        if (sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0) < 0 ||
            sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
                if (errno == EINVAL) /* before 6.5 options are collected, and looked at only now */
                        return -EOPNOTSUPP;
                return kernel_says(fs, errno, of, err);
        }
        mount = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
        if (mount < 0)
                return err_errno(err, errno, "mount the overlay");
        *ret_mount = TAKE_FD(mount);
        return 0;
}

/* mount(2) for older kernels, in a thread with a mount namespace of its own: each layer is its descriptor's path,
 * which is short, and idmapped ones can be attached, as those kernels ask for. */
struct old_mount {
        const struct rootfs_spec *root;
        const struct overlay_layers *of;
        int user_fd;
        int mount;
        int r;
        struct err *err;
};

static int attach_layers(const struct layers *layers, struct layers *attached) {
        for (attached->n = 0; attached->n < layers->n; attached->n++) {
                char place[FD_PATH_MAX];

                snprintf(place, sizeof(place), "/tmp/%zu", attached->n);
                if (mkdir(place, 0700) < 0 ||
                    sys_move_mount(layers->fds[attached->n], "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                        return -errno;
                attached->fds[attached->n] = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (attached->fds[attached->n] < 0)
                        return -errno;
        }
        return 0;
}

static int mount_old(struct old_mount *job, const struct layers *layers, int upper, int work, char *options) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;
        char names[OVERLAY_NAMES_MAX];

        for (size_t i = 0; i < layers->n && n < page; i++)
                n += (size_t)snprintf(options + n, page - n, "%s/proc/self/fd/%d",
                                      i ? ":" : "lowerdir=", layers->fds[i]);
        if (job->of->empty_below && n < page)
                n += (size_t)snprintf(options + n, page - n, ":/tmp/empty");
        if (upper >= 0 && n < page)
                n += (size_t)snprintf(options + n, page - n, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d%s",
                                      upper, work, job->root->is_volatile ? ",volatile" : "");
        if (n >= page)
                return err_set(&job->err, E2BIG, "%zu layers are more than this kernel takes", layers->n);
        if (mkdir("/tmp/root", 0700) < 0 || mkdir("/tmp/empty", 0755) < 0 ||
            mount("overlay", "/tmp/root", "overlay", 0, options) < 0)
                return err_errno(&job->err, errno, "mount the overlay of %s", overlay_layers_name(job->of, names));
        job->mount = sys_open_tree(AT_FDCWD, "/tmp/root", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        return job->mount < 0 ? err_errno(&job->err, errno, "take the overlay") : 0;
}

static int open_upper(struct old_mount *job, int *ret_upper, int *ret_work) {
        if (!job->root->upper)
                return 0;
        *ret_upper = open(job->root->upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
        *ret_work = open(job->root->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (*ret_upper < 0 || *ret_work < 0)
                return err_errno(&job->err, errno, "overlay upper %s", job->root->upper);
        return 0;
}

/* All is opened before the place for mounts is made, which may hide it. */
static int mount_opened(struct old_mount *job, struct layers *layers, struct layers *attached, char *options) {
        _cleanup_close_ int upper = -EBADF, work = -EBADF;
        int r;

        if ((r = open_layers(job->of, job->user_fd, true, layers, &job->err)) < 0 ||
            (r = open_upper(job, &upper, &work)) < 0)
                return r;
        if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0)
                return err_errno(&job->err, errno, "prepare the overlay");
        if (job->user_fd < 0)
                return mount_old(job, layers, upper, work, options);
        if ((r = attach_layers(layers, attached)) < 0)
                return err_errno(&job->err, -r, "attach the layers");
        return mount_old(job, attached, upper, work, options);
}

static void *old_thread(void *data) {
        struct old_mount *job = data;
        struct layers layers = { 0 }, attached = { 0 };
        _cleanup_free_ char *options = malloc((size_t)sysconf(_SC_PAGESIZE));

        if (!options || unshare(CLONE_FS | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                job->r = err_errno(&job->err, options ? errno : ENOMEM, "prepare the overlay");
                return NULL;
        }
        job->r = mount_opened(job, &layers, &attached, options);
        layers_close(&layers);
        layers_close(&attached);
        return NULL;
}

int overlay_mount_old(const struct rootfs_spec *root, int user_fd, int *ret_mount, struct err **err) {
        struct overlay_layers of;
        struct old_mount job = { .root = root, .of = &of, .user_fd = user_fd };
        pthread_t thread;
        int r = overlay_layers_of(root, &of, err);

        if (r < 0)
                return r;
        if (pthread_create(&thread, NULL, old_thread, &job) != 0)
                return err_set(err, EAGAIN, "no thread to mount the overlay");
        pthread_join(thread, NULL);
        if (job.r < 0)
                return err_move(err, job.err);
        *ret_mount = job.mount;
        return 0;
}

/* A kernel that does not take layers one by one writes a line into its log each time that it is asked to. */
static atomic_bool kernel_is_old;

int overlay_mount(const struct rootfs_spec *root, int user_fd, int *ret_mount, struct err **err) {
        struct layers layers = { 0 };
        struct overlay_layers of;
        int r = overlay_layers_of(root, &of, err);

        if (r < 0)
                return r;
        if (kernel_is_old)
                return overlay_mount_old(root, user_fd, ret_mount, err);
        r = open_layers(&of, user_fd, false, &layers, err);
        if (r == 0)
                r = mount_by_layers(root, &of, &layers, ret_mount, err);
        layers_close(&layers);
        if (r != -EOPNOTSUPP)
                return r;
        r = overlay_mount_old(root, user_fd, ret_mount, err);
        if (r == 0 && user_fd < 0 && !of.empty_below) /* nothing else can have been what it did not take */
                kernel_is_old = true;
        return r;
}

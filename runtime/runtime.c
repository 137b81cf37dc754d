#include "runtime/runtime.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/scratch.h"
#include "runtime/internal.h"
#include "runtime/sys.h"

int runtime_check_id(const char *what, const char *id, struct err **err) {
        size_t n = strlen(id);

        if (n == 0 || n >= RUNTIME_ID_MAX || id[0] == '.' ||
            strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != n)
                return err_set(err, EINVAL, "%s id \"%s\": 1 to %d letters, digits, _, . or -", what, id,
                               RUNTIME_ID_MAX - 1);
        return 0;
}

/* ---- the mount namespace of shims ---- */

struct template {
        int fd;
        int code;
};

static int fill_template(int root) {
        struct sys_mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID };

        if (mkdirat(root, "empty", 0555) < 0 || mkdirat(root, "shm", 0555) < 0 ||
            mknodat(root, "null", S_IFCHR | 0666, makedev(1, 3)) < 0 || fchmodat(root, "null", 0666, 0) < 0)
                return -errno;
        return sys_mount_setattr(root, "", AT_EMPTY_PATH, &readonly) < 0 ? -errno : 0;
}

/* In a thread with a mount namespace of its own: a tmpfs becomes the root, and all else goes. */
static void *make_template(void *data) {
        struct template *template = data;
        _cleanup_close_ int fs = -EBADF, root = -EBADF, ns = -EBADF;

        template->code = EIO;
        if (unshare(CLONE_FS | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                goto failed;
        ns = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
        fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);
        if (ns < 0 || fs < 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "555", 0) < 0 ||
            sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                goto failed;
        root = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
        if (root < 0 || sys_move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
            fill_template(root) < 0 || fchdir(root) < 0 || sys_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
                goto failed;
        template->fd = fcntl(ns, F_DUPFD_CLOEXEC, 16);
        if (template->fd < 0)
                goto failed;
        template->code = 0;
        return NULL;
failed:
        template->code = errno;
        return NULL;
}

static int open_template(int *ret_fd, struct err **err) {
        struct template template = { .fd = -EBADF };
        pthread_t thread;

        if (pthread_create(&thread, NULL, make_template, &template) != 0)
                return err_set(err, EAGAIN, "no thread for the shims' mount namespace");
        pthread_join(thread, NULL);
        if (template.code != 0)
                return err_errno(err, template.code,
                                 "make the shims' mount namespace (is this root on Linux 5.12 or later?)");
        *ret_fd = template.fd;
        return 0;
}

/* ---- the shim's program ---- */

/* As images/transfer.c finds its worker: what was installed below another prefix is together there. */
static int find_shim(const char *given, char path[PATH_MAX], struct err **err) {
        static const char *const places[] = { "", "../libexec/nacelle/" };
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        const char *directory;

        if (given) {
                snprintf(path, PATH_MAX, "%s", given);
                return 0;
        }
        if (n < 0)
                return err_errno(err, errno, "read /proc/self/exe");
        self[n] = '\0';
        directory = dirname(self);
        for (size_t i = 0; i < ELEMENTS(places); i++)
                if (snprintf(path, PATH_MAX, "%s/%snacelle-shim", directory, places[i]) < PATH_MAX &&
                    access(path, X_OK) == 0)
                        return 0;
        return err_set(err, ENOENT, "no program nacelle-shim in %s or ../libexec/nacelle (--libexec-dir)", directory);
}

/* A view of the program that nobody can write through, whatever a container gets at (CVE-2019-5736). */
static int open_shim(const char *given, int *ret_fd, struct err **err) {
        struct sys_mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };
        _cleanup_close_ int tree = -EBADF;
        char path[PATH_MAX];
        int r = find_shim(given, path, err), fd;

        if (r < 0)
                return r;
        tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH, &readonly) < 0)
                return err_errno(err, errno, "%s", path);
        fd = fcntl(tree, F_DUPFD_CLOEXEC, 16);
        if (fd < 0)
                return err_errno(err, errno, "%s", path);
        *ret_fd = fd;
        return 0;
}

/* Above the numbers that a shim's descriptors get while it is started. */
static int open_high(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 16);
}

/* ---- directories ---- */

/* Namespace files are pinned by bind mounts: these stay out of every other mount namespace. */
static int make_private(const char *dir, struct err **err) {
        if (mount(NULL, dir, NULL, MS_PRIVATE, NULL) == 0)
                return 0;
        if (errno != EINVAL)
                return err_errno(err, errno, "%s", dir);
        if (mount(dir, dir, NULL, MS_BIND, NULL) < 0 || mount(NULL, dir, NULL, MS_PRIVATE, NULL) < 0)
                return err_errno(err, errno, "bind %s", dir);
        return 0;
}

static int make_directories(struct runtime *runtime, struct err **err) {
        char path[PATH_MAX];
        int r;

        snprintf(path, sizeof(path), "%s/netns", runtime->run_dir);
        if ((r = files_make_private(path, err)) < 0 || (r = make_private(path, err)) < 0)
                return r;
        snprintf(path, sizeof(path), "%s/sandboxes", runtime->run_dir);
        r = scratch_make(path, err);
        if (r < 0)
                return r;
        runtime->sandboxes_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return runtime->sandboxes_fd < 0 ? err_errno(err, errno, "%s", path) : 0;
}

static int open_all(struct runtime *runtime, const struct runtime_config *config, struct err **err) {
        int r;

        runtime->run_dir = strdup(config->run_dir);
        if (!runtime->run_dir || config->run_dir[0] != '/' ||
            strlen(config->run_dir) > SANDBOX_PATH_MAX - RUNTIME_ID_MAX - 16)
                return err_set(err, EINVAL, "run directory \"%s\": must be absolute and short", config->run_dir);
        if ((r = open_shim(config->shim_path, &runtime->shim_fd, err)) < 0 ||
            (r = make_directories(runtime, err)) < 0 || (r = open_template(&runtime->template_fd, err)) < 0)
                return r;
        runtime->proc_fd = open_high("/proc");
        return runtime->proc_fd < 0 ? err_errno(err, errno, "/proc") : 0;
}

int runtime_new(const struct runtime_config *config, struct runtime **ret_runtime, struct err **err) {
        struct runtime *runtime = calloc(1, sizeof(*runtime));
        int r;

        if (!runtime)
                return err_set(err, ENOMEM, "out of memory");
        *runtime =
                (struct runtime){ .sandboxes_fd = -EBADF, .shim_fd = -EBADF, .template_fd = -EBADF, .proc_fd = -EBADF };
        pthread_mutex_init(&runtime->lock, NULL);
        r = open_all(runtime, config, err);
        if (r < 0) {
                runtime_free(runtime);
                return r;
        }
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        *ret_runtime = runtime;
        return 0;
}

void runtime_free(struct runtime *runtime) {
        char path[PATH_MAX];

        if (!runtime)
                return;
        /* Without pods nothing is left mounted. */
        snprintf(path, sizeof(path), "%s/sandboxes", runtime->run_dir);
        if (runtime->sandboxes_fd >= 0 && scratch_drop(path)) {
                snprintf(path, sizeof(path), "%s/netns", runtime->run_dir);
                umount2(path, MNT_DETACH);
                rmdir(path);
        }
        runtime_forget_all(runtime);
        close_fd(runtime->sandboxes_fd);
        close_fd(runtime->shim_fd);
        close_fd(runtime->template_fd);
        close_fd(runtime->proc_fd);
        pthread_mutex_destroy(&runtime->lock);
        free(runtime->run_dir);
        free(runtime);
}

int runtime_open_sandbox(struct runtime *runtime, const char *id, int *ret_dir, struct err **err) {
        int r = runtime_check_id("sandbox", id, err), fd;

        if (r < 0)
                return r;
        fd = openat(runtime->sandboxes_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "sandbox %s", id);
        *ret_dir = fd;
        return 0;
}

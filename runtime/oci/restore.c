/* `restore`: criu makes the processes and mounts again; what lies outside of the container, the bundle's configuration
 * gives. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/init/init.h"
#include "runtime/oci/checkpoint.h"

#define INHERITED_MAX 5 /* 0, 1, 2, and two namespaces */

static const char usage[] =
        "usage: nacelle-oci restore [--bundle DIR] [--image-path DIR] [--work-path DIR] [--detach] [--pid-file FILE]\n"
        "                           [--console-socket SOCKET] [--tcp-established] [--ext-unix-sk] [--shell-job] "
        "[--file-locks]\n"
        "                           [--manage-cgroups-mode ignore|soft|full|strict] ID\n";

struct restore {
        struct creation creation;
        struct checkpoint_options *options;
        struct criu_externals externals;
        struct criu_inherited inherited[INHERITED_MAX];
        const char *top;   /* a directory for criu, which holds: */
        const char *root;  /* the root file system */
        const char *empty; /* nothing, for masks */
        struct init init;  /* its root's descriptor, for looking into it */
};

/* criu mounts beside its files and wants the root to be a mount point that nobody else sees: all in a mount namespace
 * of our own, which ends with us. Directories that it gets have to be opened in that. Mounts that the container is to
 * get later come through it. */
static int leave_mounts(struct err **err) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return err_errno(err, errno, "a mount namespace for criu");
        return 0;
}

/* A file system of our own with two directories: criu finds only what has a path. */
static int make_top(struct restore *r, struct err **err) {
        const struct creation *c = &r->creation;

        r->top = arena_printf(c->oci->arena, "%s/.%s", c->oci->root, c->options->id);
        r->root = arena_printf(c->oci->arena, "%s/root", r->top);
        r->empty = arena_printf(c->oci->arena, "%s/empty", r->top);
        if (!r->top || !r->root || !r->empty)
                return err_set(err, ENOMEM, "out of memory");
        if (mkdir(r->top, 0700) < 0 && errno != EEXIST)
                return err_errno(err, errno, "%s", r->top);
        if (mount("tmpfs", r->top, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") < 0 ||
            mkdir(r->root, 0755) < 0 || mkdir(r->empty, 0555) < 0 ||
            mount(NULL, r->top, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
                return err_errno(err, errno, "make %s for criu", r->top);
        return 0;
}

/* Not in the container's directory, which is removed with all in it. */
static int mount_root(struct restore *r, struct err **err) {
        const char *source = r->creation.config.spec.root.path;
        int result = make_top(r, err);

        if (result < 0)
                return result;
        if (mount(source, r->root, NULL, MS_BIND | MS_REC, NULL) < 0)
                return err_errno(err, errno, "mount %s for criu", source);
        init_prepare(&r->init, NULL, 0, NULL, 0);
        r->init.root_fd = open(r->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return r->init.root_fd < 0 ? err_errno(err, errno, "%s", r->root) : 0;
}

static void unmount_root(const struct restore *r) {
        if (!r->top)
                return;
        umount2(r->top, MNT_DETACH);
        rmdir(r->top);
}

/* ---- mounts ---- */

static bool is_bind(const struct mount_spec *mount) {
        return !mount->type;
}

static bool is_below(const char *path, const char *directory) {
        size_t n = strlen(directory);

        return strncmp(path, directory, n) == 0 && (path[n] == '/' || (path[n] == '\0' && n > 0));
}

/* Whether @path lies in what another of the mounts brings, as far as names tell. */
static bool lies_in_mount(const struct container_spec *spec, size_t n, const char *path) {
        for (size_t i = 0; i < n; i++)
                if (is_below(path, spec->mounts[i].destination))
                        return true;
        return false;
}

/* A root that never was a container's has not all places to mount at. */
static int make_places(struct restore *r, struct err **err) {
        const struct container_spec *spec = &r->creation.config.spec;

        for (size_t i = 0; i < spec->n_mounts; i++) {
                const struct mount_spec *mount = &spec->mounts[i];
                struct stat st;
                int fd;

                if (lies_in_mount(spec, i, mount->destination))
                        continue;
                fd = init_open_target(&r->init, mount->destination,
                                      !is_bind(mount) || !mount->source || stat(mount->source, &st) < 0 ||
                                              S_ISDIR(st.st_mode),
                                      false);
                if (fd < 0)
                        return err_errno(err, -fd, "mount point %s", mount->destination);
                close_fd(fd);
        }
        return 0;
}

/* The destination as the container's table of mounts shows it, where links in the root lead elsewhere. */
static const char *resolve(struct restore *r, const char *destination) {
        char link[64], path[PATH_MAX];
        _cleanup_close_ int fd = init_open(&r->init, destination, false);
        size_t n = strlen(r->root);
        ssize_t length;

        if (fd < 0)
                return destination;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        length = readlink(link, path, sizeof(path) - 1);
        path[length > 0 ? length : 0] = '\0';
        return length > (ssize_t)n && strncmp(path, r->root, n) == 0 ? arena_strdup(r->creation.oci->arena, path + n) :
                                                                       destination;
}

/* Without a cgroup namespace, what is seen at /sys/fs/cgroup are the cgroup's directories of the host. */
static const char *cgroup_of(const struct container_spec *spec, const struct mount_spec *mount, const char *path) {
        size_t n = strlen(mount->destination);

        if (!mount->type || strcmp(mount->type, "cgroup") != 0 || !is_below(path, mount->destination))
                return NULL;
        for (size_t i = 0; i < spec->n_cgroup_mounts; i++)
                if (strcmp(path + n + (path[n] == '/'), spec->cgroup_mounts[i].name) == 0)
                        return spec->cgroup_mounts[i].source;
        return NULL;
}

/* What masks @path: what lies in no root is the kernel's, in /proc or /sys, and the same in the host's. */
static const char *mask_of(struct restore *r, const char *path) {
        _cleanup_close_ int fd = init_open(&r->init, path, false);
        struct stat st;

        return (fd >= 0 ? fstat(fd, &st) : stat(path, &st)) == 0 && S_ISDIR(st.st_mode) ? r->empty : "/dev/null";
}

static const char *source_of(struct restore *r, const char *path) {
        const struct container_spec *spec = &r->creation.config.spec;

        for (const char *const *mask = spec->masked_paths; mask && *mask; mask++)
                if (strcmp(path, *mask) == 0)
                        return mask_of(r, path);
        for (size_t i = spec->n_mounts; i > 0; i--) {
                const struct mount_spec *mount = &spec->mounts[i - 1];
                const char *destination = is_bind(mount) && mount->source ? resolve(r, mount->destination) : NULL;
                const char *cgroup = cgroup_of(spec, mount, path);

                if (cgroup)
                        return cgroup;
                if (destination && is_below(path, destination))
                        return arena_printf(r->creation.oci->arena, "%s%s", mount->source, path + strlen(destination));
        }
        return NULL;
}

static int give_mounts(struct restore *r, struct err **err) {
        struct criu_request *request = &r->options->request;
        const char **list = arena_alloc_array(r->creation.oci->arena, r->externals.n_mounts + 1, sizeof(*list));

        for (size_t i = 0; list && i < r->externals.n_mounts; i++) {
                const char *path = r->externals.mounts[i], *source = source_of(r, path);

                if (!source)
                        return err_set(
                                err, EINVAL,
                                "the checkpoint has a mount at %s, for which the bundle's configuration has no source",
                                path);
                list[i] = arena_printf(r->creation.oci->arena, "mnt[%s]:%s", path, source);
        }
        request->external = list;
        request->n_external = r->externals.n_mounts;
        return list ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* ---- what is inherited ---- */

static int give_namespace(struct restore *r, enum namespace_type type, bool wanted, const char *name, const char *key,
                          struct err **err) {
        const struct namespace_spec *ns = &r->creation.config.spec.namespaces[type];

        if (!wanted)
                return 0;
        if (ns->mode != NAMESPACE_JOIN)
                return err_set(err, EINVAL,
                               "the checkpoint is of a %s namespace that others made: linux.namespaces must have the "
                               "path of one",
                               name);
        r->inherited[r->options->request.n_inherited++] = (struct criu_inherited){ key, ns->fd };
        return 0;
}

/* ipc and uts namespaces of others are just entered. */
static int join_namespace(struct restore *r, enum namespace_type type, const char *kind, struct err **err) {
        const struct namespace_spec *ns = &r->creation.config.spec.namespaces[type];
        struct criu_request *request = &r->options->request;
        struct criu_joined joined = { kind, NULL };

        if (ns->mode != NAMESPACE_JOIN)
                return 0;
        joined.path = arena_printf(r->creation.oci->arena, "/proc/%d/fd/%d", getpid(), ns->fd);
        if (!joined.path)
                return err_set(err, ENOMEM, "out of memory");
        request->joined[request->n_joined++] = joined;
        return 0;
}

static int give_descriptors(struct restore *r, struct err **err) {
        struct criu_request *request = &r->options->request;
        int result;

        request->inherited = r->inherited;
        for (int fd = 0; fd < 3; fd++)
                if (r->externals.stdio[fd][0])
                        r->inherited[request->n_inherited++] = (struct criu_inherited){ r->externals.stdio[fd], fd };
        if ((result = give_namespace(r, NAMESPACE_NET, r->externals.net, "network", CRIU_NET_KEY, err)) < 0 ||
            (result = give_namespace(r, NAMESPACE_PID, r->externals.pid, "pid", CRIU_PID_KEY, err)) < 0 ||
            (result = join_namespace(r, NAMESPACE_IPC, "ipc", err)) < 0)
                return result;
        return join_namespace(r, NAMESPACE_UTS, "uts", err);
}

/* What criu has no way to enter. */
static int check_namespaces(const struct restore *r, struct err **err) {
        const struct namespace_spec *namespaces = r->creation.config.spec.namespaces;

        if (namespaces[NAMESPACE_USER].mode == NAMESPACE_JOIN || namespaces[NAMESPACE_CGROUP].mode == NAMESPACE_JOIN ||
            namespaces[NAMESPACE_MOUNT].mode == NAMESPACE_JOIN || namespaces[NAMESPACE_TIME].mode == NAMESPACE_JOIN)
                return err_set(
                        err, ENOTSUP,
                        "linux.namespaces: a user, mount, cgroup or time namespace of others cannot be restored into");
        return 0;
}

/* ---- the whole ---- */

static int made(void *data, pid_t pid, struct err **err) {
        return oci_creation_run_hooks(data, pid, err);
}

static int prepare(struct restore *r, struct err **err) {
        int result = criu_externals_read(r->creation.oci->arena, r->options->request.images_fd, &r->externals, err);

        if (result < 0 || (result = oci_creation_begin(&r->creation, err)) < 0 ||
            (result = check_namespaces(r, err)) < 0 || (result = oci_creation_filter_devices(&r->creation, err)) < 0 ||
            (result = mount_root(r, err)) < 0 || (result = make_places(r, err)) < 0 ||
            (result = give_mounts(r, err)) < 0)
                return result;
        return give_descriptors(r, err);
}

static int restore(struct restore *r, pid_t *ret_pid, int *ret_master, struct err **err) {
        struct criu_request *request = &r->options->request;
        const char *console = r->options->container.io.console_socket;
        _cleanup_close_ int master = -EBADF;
        int result = prepare(r, err);
        pid_t pid = 0;

        request->root = r->root;
        request->join = &r->creation.join;
        request->made = made;
        request->data = &r->creation;
        if (result >= 0)
                result = criu_restore(request, &pid, &master, err);
        unmount_root(r);
        if (result < 0 || (console && master >= 0 && (result = oci_send_master(console, master, err)) < 0) ||
            (result = oci_creation_record(&r->creation, pid, err)) < 0) {
                if (pid > 0) {
                        kill(pid, SIGKILL);
                        waitpid(pid, NULL, 0);
                }
                oci_creation_undo(&r->creation);
                return result;
        }
        *ret_pid = pid;
        *ret_master = TAKE_FD(master);
        return 0;
}

int oci_restore(struct oci_call *call, struct err **err) {
        struct checkpoint_options options;
        struct restore r = { .creation = CREATION(call, &options.container),
                             .options = &options,
                             .init = { .root_fd = -EBADF } };
        int master = -EBADF, result = oci_checkpoint_parse(call, true, &options, err);
        pid_t pid = 0;

        if (result == 0 && options.help) {
                fputs(usage, stdout);
                return 0;
        }
        r.creation.runs = r.creation.restores = true;
        if (result < 0 || (result = oci_checkpoint_allowed(err)) < 0 || (result = leave_mounts(err)) < 0 ||
            (result = oci_checkpoint_open(call->oci, &options, err)) < 0 ||
            (result = restore(&r, &pid, &master, err)) < 0)
                err_wrap(err, result, "restore of container %s", options.container.id ? options.container.id : "");
        else if (!options.container.io.detach)
                result = oci_creation_wait(&r.creation, pid, TAKE_FD(master), err);
        close_fd(master);
        close_fd(r.init.root_fd);
        oci_checkpoint_close(&options);
        oci_creation_done(&r.creation);
        return result;
}

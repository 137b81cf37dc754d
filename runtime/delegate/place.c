/* The mount namespace that another runtime's program runs in. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cgroups/mounts.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/delegate/delegate.h"
#include "runtime/sys.h"

#define MOUNTINFO_MAX (16 << 20)
#define HIERARCHIES_MAX 32

struct work {
        const struct delegate_place *place;
        int ns;
        int code; /* positive errno */
        const char *what;
};

static int fail(struct work *work, int code, const char *what) {
        work->code = code;
        work->what = what;
        return -code;
}

/* What is mounted below @path from now on stays here: the mount that holds it becomes private in this namespace. Mounts
 * of other file systems stay shared with the host, for volumes that pass mounts on. */
static int make_private(const char *path) {
        char at[PATH_MAX];

        if (snprintf(at, sizeof(at), "%s", path) >= (int)sizeof(at))
                return -ENAMETOOLONG;
        while (mount(NULL, at, NULL, MS_PRIVATE, NULL) < 0) {
                char *slash = strrchr(at, '/');

                /* EINVAL: a directory within a mount. */
                if (errno != EINVAL || !slash || strcmp(at, "/") == 0)
                        return -errno;
                slash[slash == at] = '\0';
        }
        return 0;
}

/* An empty tmpfs in place of the hierarchy at @path, in this namespace only: it is not in the list of mounts any more,
 * and what is made there by name goes with the namespace. */
static int cover(const char path[CG_MOUNT_PATH_MAX]) {
        _cleanup_close_ int fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC), tree = -EBADF;
        char parent[CG_MOUNT_PATH_MAX];
        int r;

        memcpy(parent, path, sizeof(parent));
        if (fs < 0)
                return -errno;
        if ((r = make_private(dirname(parent))) < 0 || (r = make_private(path)) < 0)
                return r;
        if (umount2(path, MNT_DETACH) < 0 || sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        tree = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
        return tree < 0 || sys_move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* crun refuses a cgroup2 with controllers beside v1 hierarchies, and the container's place in it is ours to give: it is
 * not seen. */
static int hide_cgroup2(struct work *work) {
        _cleanup_free_ char *text = NULL;
        struct cg_mount mounts[HIERARCHIES_MAX];
        bool v1 = false;
        size_t n;
        int r;

        if (files_read("/proc/thread-self/mountinfo", MOUNTINFO_MAX, &text, NULL, NULL) < 0)
                return fail(work, EIO, "read the mounts");
        n = cg_mounts_parse(text, mounts, HIERARCHIES_MAX);
        for (size_t i = 0; i < n; i++)
                v1 |= !mounts[i].v2;
        for (size_t i = 0; i < n && v1; i++)
                if (mounts[i].v2 && (r = cover(mounts[i].path)) < 0)
                        return fail(work, -r, "hide the cgroup hierarchies that are not its own");
        return 0;
}

/* The pod's /dev/shm, which only its shim has. */
static int take_shm(struct work *work, int *ret_tree) {
        _cleanup_close_ int shim = -EBADF, own = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
        char path[64];
        int tree;

        snprintf(path, sizeof(path), "/proc/%d/ns/mnt", work->place->shim);
        shim = open(path, O_RDONLY | O_CLOEXEC);
        if (own < 0 || shim < 0 || setns(shim, CLONE_NEWNS) < 0)
                return fail(work, errno, "enter the pod's shim");
        tree = sys_open_tree(AT_FDCWD, "/shm", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        *ret_tree = tree;
        if (setns(own, CLONE_NEWNS) < 0 || tree < 0)
                return fail(work, errno, "take the pod's shared memory");
        return 0;
}

static int attach(struct work *work, int bundle, int tree, const char *name) {
        struct stat st;
        int made;

        if (tree < 0)
                return 0;
        if (fstat(tree, &st) < 0)
                return fail(work, errno, name);
        made = S_ISDIR(st.st_mode) ? mkdirat(bundle, name, 0700) : mknodat(bundle, name, S_IFREG | 0600, 0);
        if ((made < 0 && errno != EEXIST) || sys_move_mount(tree, "", bundle, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return fail(work, errno, name);
        return 0;
}

static int attach_all(struct work *work, int shm) {
        const struct delegate_place *place = work->place;
        _cleanup_close_ int bundle = open(place->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
        char name[32];
        int r;

        if (bundle < 0)
                return fail(work, errno, "open the bundle");
        if ((r = attach(work, bundle, place->rootfs, "rootfs")) < 0 || (r = attach(work, bundle, shm, "shm")) < 0)
                return r;
        for (size_t i = 0; i < place->n_sources; i++) {
                snprintf(name, sizeof(name), "mount%zu", i);
                if ((r = attach(work, bundle, place->sources[i], name)) < 0)
                        return r;
        }
        return 0;
}

/* In a thread of its own, which ends with the namespace in hand. */
static void *run(void *data) {
        struct work *work = data;
        _cleanup_close_ int ns = -EBADF, shm = -EBADF;

        work->code = EIO;
        if (unshare(CLONE_FS) < 0)
                return fail(work, errno, "have a root of its own"), NULL;
        if (work->place->shim > 0 && take_shm(work, &shm) < 0)
                return NULL;
        if (unshare(CLONE_NEWNS) < 0)
                return fail(work, errno, "make a mount namespace"), NULL;
        if (hide_cgroup2(work) < 0)
                return NULL;
        if (work->place->rootfs >= 0) {
                int r = make_private(work->place->bundle);

                if (r < 0)
                        return fail(work, -r, "keep the bundle's mounts apart"), NULL;
                if (attach_all(work, shm) < 0)
                        return NULL;
        }
        ns = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (ns < 0)
                return fail(work, errno, "open the mount namespace"), NULL;
        work->ns = TAKE_FD(ns);
        work->code = 0;
        return NULL;
}

int delegate_place(const struct delegate_place *place, int *ret_ns, struct err **err) {
        struct work work = { .place = place, .ns = -EBADF, .what = "" };
        pthread_t thread;

        if (pthread_create(&thread, NULL, run, &work) != 0)
                return err_set(err, EAGAIN, "no thread for the runtime's mount namespace");
        pthread_join(thread, NULL);
        if (work.code != 0)
                return err_errno(err, work.code, "the runtime's mount namespace: %s", work.what);
        *ret_ns = work.ns;
        return 0;
}

#include "cri/container/image_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/plan/overlay.h"
#include "runtime/sys.h"

/* A copy of what lies at @sub_path below @root. */
static int open_below(int root, const char *sub_path) {
        const struct sys_open_how how = { .flags = O_PATH | O_CLOEXEC,
                                          .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
        _cleanup_close_ int sub = sys_openat2(root, sub_path, &how);
        int tree = sub < 0 ? -1 : sys_open_tree(sub, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

        return tree < 0 ? -errno : tree;
}

/* A part of a detached mount can be copied from Linux 6.15 on; a mount in some namespace can on every one. */
struct part {
        int root;
        const char *sub_path;
        int tree; /* or a negative errno */
};

static void *attach_and_open(void *data) {
        struct part *part = data;

        if (unshare(CLONE_FS | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            sys_move_mount(part->root, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                part->tree = -errno;
        else
                part->tree = open_below(part->root, part->sub_path);
        return NULL;
}

static int open_part(int root, const char *sub_path) {
        struct part part = { .root = root, .sub_path = sub_path, .tree = -EAGAIN };
        pthread_t thread;

        if (pthread_create(&thread, NULL, attach_and_open, &part) == 0)
                pthread_join(thread, NULL);
        return part.tree;
}

int image_mount_open(char *const *layers, size_t n_layers, int user_fd, const char *sub_path, int *ret_fd,
                     struct err **err) {
        const struct rootfs_spec all = { .lowers = (const char *const *)layers, .n_lowers = n_layers };
        _cleanup_close_ int root = -EBADF;
        bool whole = !sub_path || !*sub_path;
        int fd, r;

        if (n_layers == 0)
                return err_set(err, EINVAL, "an image without layers cannot be mounted");
        r = overlay_mount(&all, user_fd, &root, err);
        if (r < 0)
                return r;
        fd = whole ? TAKE_FD(root) : open_part(root, sub_path);
        if (fd < 0)
                return err_errno(err, -fd, "path \"%s\" in the image volume", whole ? "." : sub_path);
        *ret_fd = fd;
        return 0;
}

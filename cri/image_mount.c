#include "cri/image_mount.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* What glibc's <sys/mount.h> of some versions lacks. */
static int fs_open(const char *type) {
        return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static int fs_string(int fs, const char *key, const char *value) {
        return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0);
}

/* All layers as one tree that nobody can write to. */
static int open_overlay(char *const *layers, size_t n_layers, int *ret_fd, struct err **err) {
        _cleanup_close_ int fs = fs_open("overlay"), mount = -EBADF;

        if (fs < 0)
                return err_errno(err, errno, "make an overlay");
        for (size_t i = 0; i < n_layers; i++)
                if (fs_string(fs, "lowerdir+", layers[i]) < 0)
                        return err_errno(err, errno, "add layer %s to an overlay (Linux 6.5 and later can)", layers[i]);
        if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return err_errno(err, errno, "make an overlay of %zu layers", n_layers);
        mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
        if (mount < 0)
                return err_errno(err, errno, "mount an overlay");
        *ret_fd = TAKE_FD(mount);
        return 0;
}

int image_mount_open(char *const *layers, size_t n_layers, const char *sub_path, int *ret_fd, struct err **err) {
        struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
        _cleanup_close_ int root = -EBADF, sub = -EBADF;
        int r;

        if (n_layers == 0)
                return err_set(err, EINVAL, "an image without layers cannot be mounted");
        if (n_layers == 1) {
                root = open(layers[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (root < 0)
                        return err_errno(err, errno, "open layer %s", layers[0]);
        } else {
                r = open_overlay(layers, n_layers, &root, err);
                if (r < 0)
                        return r;
        }
        if (sub_path && *sub_path) {
                sub = (int)syscall(SYS_openat2, root, sub_path, &how, sizeof(how));
                if (sub < 0)
                        return err_errno(err, errno, "path \"%s\" in the image volume", sub_path);
                *ret_fd = TAKE_FD(sub);
                return 0;
        }
        *ret_fd = TAKE_FD(root);
        return 0;
}

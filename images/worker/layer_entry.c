#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/worker/layer_internal.h"
#include "lib/err.h"
#include "lib/files.h"

/* Overlay's own attributes would let a layer redirect lookups; the rest of trusted.* is the node's as well. */
static bool xattr_wanted(const char *name) {
        return strncmp(name, "trusted.", 8) != 0 && strncmp(name, "user.overlay.", 13) != 0 &&
               strcmp(name, "security.selinux") != 0;
}

int layer_set_xattrs(int fd, const struct tar_entry *e, struct err **err) {
        for (size_t i = 0; i < e->n_xattrs; i++) {
                const struct tar_xattr *x = &e->xattrs[i];

                if (!xattr_wanted(x->name) || fsetxattr(fd, x->name, x->value, x->size, 0) == 0)
                        continue;
                if (errno != ENOTSUP) /* a file system without attributes runs most images all the same */
                        return err_errno(err, errno, "%s: set attribute %.64s", e->path, x->name);
        }
        return 0;
}

/* For what cannot be opened: links, devices, fifos. */
static int set_xattrs_at(int parent, const char *name, const struct tar_entry *e, struct err **err) {
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", parent, name);
        for (size_t i = 0; i < e->n_xattrs; i++) {
                const struct tar_xattr *x = &e->xattrs[i];

                if (xattr_wanted(x->name) && lsetxattr(path, x->name, x->value, x->size, 0) < 0 && errno != ENOTSUP &&
                    errno != EPERM) /* user.* is not for these */
                        return err_errno(err, errno, "%s: set attribute %.64s", e->path, x->name);
        }
        return 0;
}

static void times_of(const struct tar_entry *e, struct timespec times[2]) {
        times[0] = times[1] = (struct timespec){ .tv_sec = e->mtime, .tv_nsec = (long)e->mtime_nsec };
}

int layer_finish(int parent, const char *name, const struct tar_entry *e, struct err **err) {
        struct timespec times[2];
        int r;

        if ((e->uid || e->gid) && fchownat(parent, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, errno, "%s: set owner", e->path);
        r = e->n_xattrs > 0 ? set_xattrs_at(parent, name, e, err) : 0;
        if (r < 0)
                return r;
        times_of(e, times);
        if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, errno, "%s: set time", e->path);
        return 0;
}

static int write_at(int fd, const struct tar_entry *e, const uint8_t *bytes, size_t n, uint64_t offset,
                    struct err **err) {
        int r = files_write_at(fd, bytes, n, offset);

        return r < 0 ? err_errno(err, -r, "%s: write", e->path) : 0;
}

static int write_plain(struct tar_reader *tar, int fd, const struct tar_entry *e, struct err **err) {
        const uint8_t *bytes;
        uint64_t offset = 0;
        size_t n;
        int r;

        while ((r = tar_read(tar, &bytes, &n, err)) > 0) {
                r = write_at(fd, e, bytes, n, offset, err);
                if (r < 0)
                        return r;
                offset += n;
        }
        return r;
}

static int write_sparse(struct tar_reader *tar, int fd, const struct tar_entry *e, struct err **err) {
        size_t piece = 0, n;
        uint64_t done = 0; /* of this piece */
        const uint8_t *bytes;
        int r;

        if (ftruncate(fd, (off_t)e->size) < 0)
                return err_errno(err, errno, "%s: set size", e->path);
        while ((r = tar_read(tar, &bytes, &n, err)) > 0)
                while (n > 0) {
                        uint64_t room = e->pieces[piece].length - done;
                        size_t part = n < room ? n : (size_t)room;

                        r = write_at(fd, e, bytes, part, e->pieces[piece].offset + done, err);
                        if (r < 0)
                                return r;
                        bytes += part;
                        n -= part;
                        done += part;
                        for (; piece < e->n_pieces && done == e->pieces[piece].length; piece++)
                                done = 0;
                }
        return r;
}

int layer_make_special(int parent, const char *name, const struct tar_entry *e) {
        switch (e->type) {
        case TAR_SYMLINK:
                return symlinkat(e->link, parent, name);
        case TAR_CHAR:
                return mknodat(parent, name, S_IFCHR | e->mode, makedev(e->major, e->minor));
        case TAR_BLOCK_DEVICE:
                return mknodat(parent, name, S_IFBLK | e->mode, makedev(e->major, e->minor));
        default:
                return mknodat(parent, name, S_IFIFO | e->mode, 0);
        }
}

int layer_fill(struct tar_reader *tar, int fd, const struct tar_entry *e, struct err **err) {
        struct timespec times[2];
        int r = e->pieces ? write_sparse(tar, fd, e, err) : write_plain(tar, fd, e, err);

        if (r < 0)
                return r;
        if ((e->uid || e->gid) && fchown(fd, e->uid, e->gid) < 0)
                return err_errno(err, errno, "%s: set owner", e->path);
        if ((r = layer_set_xattrs(fd, e, err)) < 0)
                return r;
        /* writing and a change of owner take the set-id bits away */
        if ((e->mode & 06000) && fchmod(fd, e->mode) < 0)
                return err_errno(err, errno, "%s: set mode", e->path);
        times_of(e, times);
        return futimens(fd, times) < 0 ? err_errno(err, errno, "%s: set time", e->path) : 0;
}

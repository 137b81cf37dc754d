#include "agent/volumes/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/grow.h"

static int make(char *path, mode_t mode);

/* Those above @path: mostly they are there, so from the last one upwards. Each that is made is a try again. */
static int make_above(char *path) {
        char *slash = strrchr(path, '/');
        int r;

        if (!slash || slash == path)
                return -ENOENT;
        *slash = '\0';
        r = make(path, 0750);
        *slash = '/';
        return r;
}

/* 1: it was not there. */
static int make(char *path, mode_t mode) {
        int r = mkdir(path, mode) < 0 ? -errno : 1;

        if (r == -ENOENT && (r = make_above(path)) >= 0)
                r = mkdir(path, mode) < 0 ? -errno : 1;
        return r == -EEXIST ? 0 : r;
}

int pod_tree_make(const char *path, mode_t mode, struct err **err) {
        _cleanup_free_ char *copy = strdup(path);
        int r = copy ? make(copy, mode) : -ENOMEM;

        if (r < 0)
                return err_errno(err, -r, "cannot create the directory %s", path);
        if (r > 0 && chmod(path, mode) < 0)
                return err_errno(err, errno, "cannot set the mode of %s", path);
        return 0;
}

/* mountinfo writes blanks and backslashes in octal. */
static void unescape(char *text) {
        char *to = text;

        for (const char *from = text; *from; to++) {
                if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
                        *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
                        from += 4;
                } else {
                        *to = *from++;
                }
        }
        *to = '\0';
}

/* Mount points at or below @path, in the order they were mounted. */
static int mounts_below(const char *path, char ***ret_mounts, size_t *ret_n, struct err **err) {
        _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
        _cleanup_free_ char *line = NULL;
        size_t size = 0, n = 0, room = 0, length = strlen(path);
        char **mounts = NULL;

        if (!f)
                return err_errno(err, errno, "cannot read /proc/self/mountinfo");
        while (getline(&line, &size, f) > 0) {
                char *rest = line, *field = NULL;

                for (int i = 0; i < 5; i++)
                        field = strsep(&rest, " ");
                if (!field)
                        continue;
                unescape(field);
                if (strncmp(field, path, length) != 0 || (field[length] != '/' && field[length] != '\0'))
                        continue;
                if (GROW(mounts, room, n + 1, GROW_NO_MAX) < 0)
                        break;
                if ((mounts[n] = strdup(field)))
                        n++;
        }
        *ret_mounts = mounts;
        *ret_n = n;
        return 0;
}

static int unmount_below(const char *path, struct err **err) {
        char **mounts = NULL;
        size_t n = 0;
        int r = mounts_below(path, &mounts, &n, err);

        while (n > 0) {
                n--;
                if (r == 0 && umount2(mounts[n], UMOUNT_NOFOLLOW | MNT_DETACH) < 0 && errno != EINVAL &&
                    errno != ENOENT)
                        r = err_errno(err, errno, "cannot unmount %s", mounts[n]);
                free(mounts[n]);
        }
        free(mounts);
        return r;
}

/* What a walk does at each entry. */
struct walk {
        dev_t device;
        int (*leave)(struct walk *walk, int parent, const char *name, mode_t mode, struct err **err);
        bool same_mount; /* also what is mounted of the same device is another's */
        gid_t gid;
        bool readonly;
};

static int walk_dir(struct walk *walk, int parent, const char *name, unsigned depth, struct err **err);

#define LOOK_FLAGS (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)

static int walk_entry(struct walk *walk, int parent, const char *name, unsigned depth, struct err **err) {
        struct statx st;
        int r;

        if (statx(parent, name, LOOK_FLAGS, STATX_TYPE | STATX_MODE, &st) < 0)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s", name);
        if (makedev(st.stx_dev_major, st.stx_dev_minor) != walk->device ||
            (walk->same_mount && depth > 0 && st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
                return err_set(err, EBUSY, "%s: something is mounted there", name);
        if (S_ISDIR(st.stx_mode) && (r = walk_dir(walk, parent, name, depth, err)) < 0)
                return r;
        return walk->leave(walk, parent, name, st.stx_mode, err);
}

static int walk_dir(struct walk *walk, int parent, const char *name, unsigned depth, struct err **err) {
        _cleanup_closedir_ DIR *dir = NULL;
        struct dirent *entry;
        int fd, r;

        if (depth >= TREE_DEPTH_MAX)
                return err_set(err, ELOOP, "%s: directories nest deeper than %d", name, TREE_DEPTH_MAX);
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s", name);
        if (!(dir = fdopendir(fd))) {
                close(fd);
                return err_set(err, ENOMEM, "out of memory");
        }
        while ((entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if ((r = walk_entry(walk, fd, entry->d_name, depth + 1, err)) < 0)
                        return r;
        }
        return 0;
}

static int walk_tree(struct walk *walk, const char *path, struct err **err) {
        struct stat st;
        int r;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s", path);
        walk->device = st.st_dev;
        r = walk_entry(walk, AT_FDCWD, path, 0, err);
        return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

static int leave_remove(struct walk *walk, int parent, const char *name, mode_t mode, struct err **err) {
        if (unlinkat(parent, name, S_ISDIR(mode) ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
                return err_errno(err, errno, "cannot remove %s", name);
        return 0;
}

/* Whether the walk sees what is mounted below, also of the same device; nothing at @path, or what is no mount. The list
 * of all mounts has a line for each pod of the node, and is only read where something is there to be unmounted. */
static bool mounts_are_seen(const char *path) {
        struct statx st;

        if (statx(AT_FDCWD, path, LOOK_FLAGS, STATX_TYPE, &st) < 0)
                return errno == ENOENT;
        return st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT && !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

int pod_tree_remove(const char *path, struct err **err) {
        struct walk walk = { .leave = leave_remove, .same_mount = true };
        _cleanup_err_ struct err *busy = NULL;
        int r;

        if (mounts_are_seen(path) && (r = walk_tree(&walk, path, &busy)) != -EBUSY)
                return busy ? err_move(err, TAKE_PTR(busy)) : r;
        r = unmount_below(path, err);
        return r < 0 ? r : walk_tree(&walk, path, err);
}

static mode_t group_mode(const struct walk *walk, mode_t mode) {
        mode |= walk->readonly ? 0440 : 0660;
        if (S_ISDIR(mode))
                mode |= 0110 | S_ISGID;
        return mode & 07777;
}

static int leave_group(struct walk *walk, int parent, const char *name, mode_t mode, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        char path[64];

        if (fchownat(parent, name, (uid_t)-1, walk->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : err_errno(err, errno, "cannot give %s to group %u", name, walk->gid);
        if (S_ISLNK(mode))
                return 0;
        /* chmod through an O_PATH descriptor: the name may have become a link since. */
        fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s", name);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        struct stat now;
        if (fstat(fd, &now) == 0 && !S_ISLNK(now.st_mode) && chmod(path, group_mode(walk, now.st_mode)) < 0)
                return err_errno(err, errno, "cannot set the mode of %s", name);
        return 0;
}

int pod_tree_set_group(const char *path, gid_t gid, bool readonly, bool on_mismatch, struct err **err) {
        struct walk walk = { .leave = leave_group, .gid = gid, .readonly = readonly };
        struct stat st;

        if (on_mismatch && lstat(path, &st) == 0 && st.st_gid == gid &&
            (st.st_mode & 07777) == group_mode(&walk, st.st_mode))
                return 0;
        return walk_tree(&walk, path, err);
}

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/worker/layer.h"
#include "images/worker/layer_internal.h"
#include "images/worker/paths.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* One layer with those below it: the view that overlayfs will give. */
struct settle {
        int root;
        const int *lower;
        size_t n;
        struct string_list implied; /* directories made here for the targets of links */
};

enum found { FOUND, ABSENT, HIDDEN, FAILED };

static bool is_opaque(int fd) {
        char path[64], value[2];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return getxattr(path, "trusted.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

/* Looks for the clean @path in one layer. FOUND: *@ret_fd is an O_PATH descriptor of it. HIDDEN: layers below do not
 * count. FAILED: errno says why it is not known. */
static enum found find_in(int root, const char *path, int *ret_fd) {
        _cleanup_close_ int fd = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        bool opaque = false;
        char name[NAME_MAX + 1];

        for (const char *p = path; fd >= 0 && *p;) {
                size_t n = strcspn(p, "/");
                struct stat st;
                int next;

                memcpy(name, p, n);
                name[n] = '\0';
                next = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
                if (next < 0 && errno != ENOENT && errno != ENOTDIR)
                        return FAILED;
                if (next < 0)
                        return opaque || errno == ENOTDIR ? HIDDEN : ABSENT;
                close(fd);
                fd = next;
                if (fstat(fd, &st) < 0)
                        return FAILED;
                if (layer_is_whiteout(&st))
                        return HIDDEN;
                p += n + (p[n] == '/');
                if (*p && !S_ISDIR(st.st_mode))
                        return HIDDEN;
                opaque |= S_ISDIR(st.st_mode) && is_opaque(fd);
        }
        if (fd < 0)
                return FAILED;
        *ret_fd = TAKE_FD(fd);
        return FOUND;
}

/* The O_PATH descriptor of @path as the layers below show it, -ENOENT, or why it is not known. */
static int find_lower(const struct settle *s, const char *path) {
        for (size_t i = 0; i < s->n; i++) {
                int fd = -EBADF;

                switch (find_in(s->lower[i], path, &fd)) {
                case FOUND:
                        return fd;
                case HIDDEN:
                        return -ENOENT;
                case ABSENT:
                        break;
                case FAILED:
                        return -errno;
                }
        }
        return -ENOENT;
}

static int copy_xattrs(int from, int to, struct err **err) {
        char names[4096], path[64];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", from);
        n = listxattr(path, names, sizeof(names));
        if (n < 0)
                return errno == ENOTSUP ? 0 : err_errno(err, errno, "list attributes");
        for (const char *name = names; name < names + n; name += strlen(name) + 1) {
                char value[4096];
                ssize_t size = getxattr(path, name, value, sizeof(value));

                if (strncmp(name, "trusted.", 8) == 0)
                        continue;
                if (size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0)
                        return err_errno(err, errno, "copy attribute %s", name);
        }
        return 0;
}

/* Owner, mode, attributes and times of @from (O_PATH) to the open @to. */
static int copy_metadata(int from, int to, struct err **err) {
        struct timespec times[2];
        struct stat st;
        int r;

        if (fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0)
                return err_errno(err, errno, "copy owner");
        r = copy_xattrs(from, to, err);
        if (r < 0)
                return r;
        times[0] = st.st_atim;
        times[1] = st.st_mtim;
        if (fchmod(to, st.st_mode & 07777) < 0 || futimens(to, times) < 0)
                return err_errno(err, errno, "copy mode and times");
        return 0;
}

static int copy_file(int from, const struct stat *st, int parent, const char *name, struct err **err) {
        _cleanup_close_ int to = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        _cleanup_close_ int in = -EBADF;
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", from);
        in = open(path, O_RDONLY | O_CLOEXEC);
        if (in < 0 || to < 0)
                return err_errno(err, errno, "copy");
        for (off_t left = st->st_size; left > 0;) {
                ssize_t n = copy_file_range(in, NULL, to, NULL, (size_t)left, 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return err_errno(err, n < 0 ? errno : EIO, "copy");
                left -= n;
        }
        return copy_metadata(from, to, err);
}

static int copy_up(int from, int parent, const char *name, struct err **err) {
        struct stat st;
        char link[PATH_MAX];
        ssize_t n;

        if (fstat(from, &st) < 0)
                return err_errno(err, errno, "copy");
        if (S_ISREG(st.st_mode))
                return copy_file(from, &st, parent, name, err);
        if (S_ISDIR(st.st_mode))
                return err_set(err, EBADMSG, "it is a directory");
        if (S_ISLNK(st.st_mode)) {
                n = readlinkat(from, "", link, sizeof(link) - 1);
                if (n < 0)
                        return err_errno(err, errno, "copy");
                link[n] = '\0';
                if (symlinkat(link, parent, name) < 0)
                        return err_errno(err, errno, "copy");
        } else if (mknodat(parent, name, st.st_mode, st.st_rdev) < 0) {
                return err_errno(err, errno, "copy");
        }
        struct timespec times[2] = { st.st_atim, st.st_mtim };

        if (fchownat(parent, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
            utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, errno, "copy");
        return 0;
}

static int make_parent(void *data, int parent, const char *name, const char *path, size_t n, struct err **err) {
        struct settle *s = data;
        struct stat st;

        if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return 0; /* the walk says what is wrong */
        if (mkdirat(parent, name, 0755) < 0)
                return err_errno(err, errno, "make directory %.*s", (int)n, path);
        return image_string_list_addf(&s->implied, "%.*s", (int)n, path) < 0 ? err_set(err, ENOMEM, "out of memory") :
                                                                               0;
}

/* What @path is for a container: this layer's own, else as the layers below show it. */
static int find_merged(const struct settle *s, const char *path) {
        int fd = -EBADF;

        switch (find_in(s->root, path, &fd)) {
        case FOUND:
                return fd;
        case HIDDEN:
                return -ENOENT;
        case ABSENT:
                return find_lower(s, path);
        case FAILED:
                break;
        }
        return -errno;
}

/* Takes the links that the layers below have out of the way to @path. */
static int resolve_merged(const struct settle *s, char path[PATH_MAX], struct err **err) {
        unsigned links = 0;

        for (size_t begin = 0, end; path[end = begin + strcspn(path + begin, "/")] == '/';) {
                _cleanup_close_ int fd = -EBADF;
                char target[PATH_MAX];
                ssize_t n;
                int r;

                path[end] = '\0';
                fd = find_merged(s, path);
                path[end] = '/';
                n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);
                if (n < 0) {
                        begin = end + 1;
                        continue;
                }
                if (links++ == LAYER_LINKS_MAX)
                        return err_set(err, EBADMSG, "%s: more than %d symbolic links on the way", path,
                                       LAYER_LINKS_MAX);
                target[n] = '\0';
                r = layer_path_follow(path, begin, end, target, err);
                if (r < 0)
                        return r;
                begin = 0;
        }
        return 0;
}

/* A hard link changes its target's link count, so the target becomes this layer's too. */
static int settle_link(struct settle *s, struct path_walk *walk, const char *path, const char *named,
                       struct err **err) {
        _cleanup_close_ int from = -EBADF, held = -EBADF;
        char target[PATH_MAX];
        const char *name;
        struct stat st;
        int parent, r;

        snprintf(target, sizeof(target), "%s", named);
        r = resolve_merged(s, target, err);
        if (r < 0)
                return err_wrap(err, r, "%s", path);
        from = find_lower(s, target);
        if (from == -ENOENT)
                return err_set(err, EBADMSG, "%s: hard link to %s, which is in no layer", path, target);
        if (from < 0)
                return err_errno(err, -from, "%s: hard link to %s", path, target);
        r = path_walk_parent(walk, target, &parent, &name, err);
        if (r < 0)
                return r;
        if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0) { /* else another link brought it up */
                r = copy_up(from, parent, name, err);
                if (r < 0)
                        return err_wrap(err, r, "%s: hard link to %s", path, target);
        }
        held = openat(parent, ".", O_PATH | O_DIRECTORY | O_CLOEXEC); /* the walk goes on */
        if (held < 0)
                return err_errno(err, errno, "%s", target);
        const char *link_name;

        r = path_walk_parent(walk, path, &parent, &link_name, err);
        if (r < 0)
                return r;
        name = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
        if (linkat(held, name, parent, link_name, 0) < 0)
                return err_errno(err, errno, "%s: hard link to %s", path, target);
        return 1;
}

static int settle_directory(struct settle *s, struct path_walk *walk, const char *path, struct err **err) {
        _cleanup_close_ int from = find_lower(s, path), to = -EBADF;
        const char *name;
        struct stat st;
        int parent, r;

        if (from < 0 && from != -ENOENT)
                return err_errno(err, -from, "%s", path);
        if (from < 0 || fstat(from, &st) < 0 || !S_ISDIR(st.st_mode))
                return 0;
        r = path_walk_parent(walk, path, &parent, &name, err);
        if (r < 0)
                return r;
        to = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (to < 0)
                return 0; /* replaced by something else since */
        r = copy_metadata(from, to, err);
        return r < 0 ? err_wrap(err, r, "%s", path) : 1;
}

/* Whether @path lies in a directory of this layer that hides the layers below. */
static bool is_below_opaque(int root, const char *path) {
        _cleanup_close_ int fd = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char name[NAME_MAX + 1];

        for (const char *p = path, *slash; fd >= 0 && !is_opaque(fd) && (slash = strchr(p, '/')); p = slash + 1) {
                int next;

                snprintf(name, sizeof(name), "%.*s", (int)(slash - p), p);
                next = openat(fd, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
                close(fd);
                fd = next;
        }
        return fd >= 0 && is_opaque(fd);
}

/* A whiteout of nothing goes: in a directory that only this layer has, overlay would list it. */
static int settle_whiteout(struct settle *s, struct path_walk *walk, const char *path, struct err **err) {
        _cleanup_close_ int hidden = is_below_opaque(s->root, path) ? -EBADF : find_lower(s, path), held = -EBADF;
        struct stat st, directory;
        const char *name;
        int parent, r;

        if (hidden >= 0)
                return 0;
        if (hidden != -ENOENT && hidden != -EBADF)
                return err_errno(err, -hidden, "%s", path);
        r = path_walk_parent(walk, path, &parent, &name, err);
        if (r < 0)
                return r;
        if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !layer_is_whiteout(&st))
                return 0; /* a later entry took its place */
        held = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (held < 0 || fstat(held, &directory) < 0 || unlinkat(held, name, 0) < 0)
                return err_errno(err, errno, "%s: drop the whiteout", path);
        struct timespec times[2] = { directory.st_atim, directory.st_mtim };

        return futimens(held, times) < 0 ? err_errno(err, errno, "%s: set time", path) : 1;
}

static int settle_all(struct settle *s, struct path_walk *walk, const struct layer_needs *needs, struct err **err) {
        const struct string_list *lists[] = { &needs->implied, &s->implied };
        int changed = 0, r;

        for (size_t i = 0; i < needs->links.count; i++) {
                r = settle_link(s, walk, needs->links.items[i], needs->targets.items[i], err);
                if (r < 0)
                        return r;
                changed = 1;
        }
        for (size_t i = 0; i < needs->whiteouts.count; i++) {
                r = settle_whiteout(s, walk, needs->whiteouts.items[i], err);
                if (r < 0)
                        return r;
                changed |= r;
        }
        for (size_t l = 0; l < ELEMENTS(lists); l++)
                for (size_t i = 0; i < lists[l]->count; i++) {
                        r = settle_directory(s, walk, lists[l]->items[i], err);
                        if (r < 0)
                                return r;
                        changed |= r;
                }
        return changed;
}

int layer_settle(int root, const struct layer_needs *needs, const int *lower, size_t n, struct err **err) {
        struct settle s = { .root = root, .lower = lower, .n = n };
        struct path_walk *walk = malloc(sizeof(*walk));
        int r;

        if (!walk)
                return err_set(err, ENOMEM, "out of memory");
        path_walk_init(walk, root);
        walk->make = make_parent;
        walk->data = &s;
        r = settle_all(&s, walk, needs, err);
        path_walk_clear(walk);
        free(walk);
        image_string_list_clear(&s.implied);
        return r;
}

/* A directory tree into an archive, while a container may be changing it. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "cri/checkpoint/checkpoint.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "images/tar_writer.h"

struct walk {
        int archive;
        bool layer;
        unsigned depth;
        uint64_t entries;
        char path[PATH_MAX]; /* of the entry, in the archive */
        char link[PATH_MAX]; /* its target; here, since directories in each other share a small stack */
};

static int put_mark(struct walk *w, size_t n, const char *prefix, const char *name, struct err **err) {
        if (n + strlen(prefix) + strlen(name) >= sizeof(w->path))
                return err_errno(err, ENAMETOOLONG, "%s", w->path);
        sprintf(w->path + n, "%s%s", prefix, name);
        return image_tar_write_text(w->archive, w->path, 0600, "", 0, err);
}

static bool is_opaque(const char *proc) {
        char value[2];

        return getxattr(proc, "trusted.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

static int put_directory(struct walk *w, int parent, const char *name, struct err **err);

static int put_entry(struct walk *w, int parent, const char *name, size_t n, struct err **err) {
        _cleanup_close_ int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), content = -EBADF;
        char proc[64];
        struct tar_item item = { .path = w->path, .content = -EBADF, .xattrs = proc };
        struct stat st;
        ssize_t length;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s", w->path);
        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
        item.st = &st;
        if (w->layer && S_ISCHR(st.st_mode) && st.st_rdev == 0)
                return put_mark(w, n, ".wh.", name, err);
        if (S_ISSOCK(st.st_mode))
                return 0;
        if (S_ISLNK(st.st_mode)) {
                length = readlinkat(fd, "", w->link, sizeof(w->link) - 1);
                if (length < 0)
                        return err_errno(err, errno, "%s", w->path);
                w->link[length] = '\0';
                item.link = w->link;
        } else if (S_ISREG(st.st_mode)) {
                content = open(proc, O_RDONLY | O_CLOEXEC);
                if (content < 0)
                        return err_errno(err, errno, "%s", w->path);
                item.content = content;
        }
        r = image_tar_write(w->archive, &item, err);
        if (r == 0 && w->layer && S_ISDIR(st.st_mode) && is_opaque(proc))
                r = put_mark(w, strlen(w->path), "/", ".wh..wh..opq", err);
        return r < 0 || !S_ISDIR(st.st_mode) ? r : put_directory(w, parent, name, err);
}

/* All in the directory that w->path names. */
static int put_children(struct walk *w, DIR *dir, struct err **err) {
        size_t n = strlen(w->path);
        struct dirent *entry;
        int r = 0;

        while (r == 0 && (errno = 0, entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (++w->entries > CHECKPOINT_ENTRIES_MAX)
                        r = err_set(err, E2BIG, "more than %d files", CHECKPOINT_ENTRIES_MAX);
                else if (n + 1 + strlen(entry->d_name) >= sizeof(w->path))
                        r = err_errno(err, ENAMETOOLONG, "%s/%s", w->path, entry->d_name);
                if (r < 0)
                        break;
                sprintf(w->path + n, "%s%s", n > 0 ? "/" : "", entry->d_name);
                r = put_entry(w, dirfd(dir), entry->d_name, n > 0 ? n + 1 : 0, err);
                w->path[n] = '\0';
        }
        return r == 0 && errno != 0 ? err_errno(err, errno, "%s", w->path) : r;
}

static int put_directory(struct walk *w, int parent, const char *name, struct err **err) {
        size_t n = strlen(w->path);
        _cleanup_closedir_ DIR *dir = NULL;
        int r;

        if (w->depth == CHECKPOINT_DEPTH_MAX)
                return err_set(err, E2BIG, "%s: more than %d directories deep", w->path, CHECKPOINT_DEPTH_MAX);
        dir = open_dir(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!dir)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s", w->path);
        w->depth++;
        r = put_children(w, dir, err);
        w->depth--;
        w->path[n] = '\0';
        return r;
}

int checkpoint_tree(int fd, int dir, const char *path, bool layer, struct err **err) {
        _cleanup_free_ struct walk *w = calloc(1, sizeof(*w));

        if (!w)
                return err_set(err, ENOMEM, "out of memory");
        w->archive = fd;
        w->layer = layer;
        snprintf(w->path, sizeof(w->path), "%s", path);
        return put_directory(w, dir, ".", err);
}

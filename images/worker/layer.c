#include "images/worker/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/files.h"
#include "images/worker/layer_internal.h"
#include "images/worker/paths.h"
#include "images/worker/tar.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"

#define WHITEOUT_PREFIX ".wh."
#define OPAQUE_NAME ".wh..wh..opq"
#define BLOCK_SIZE 4096
#define EARLY_WRITE_MIN (128 * 1024) /* from this size on a file's way to the disk begins at once */

/* A directory whose mode and time are set last: its children would change them. */
struct late_directory {
        char *path;
        uint32_t mode, mtime_nsec;
        int64_t mtime;
};

struct layer_writer {
        struct tar_reader *tar;
        struct path_walk walk, targets; /* where entries go; where hard links point */
        struct layer_limits left;
        struct layer_result result;
        struct late_directory *late;
        size_t n_late, late_room, path_bytes;
};

static int remember_path(struct layer_writer *w, const char *path, struct err **err) {
        w->path_bytes += strlen(path) + 1;
        if (w->path_bytes > LAYER_PATHS_MAX)
                return err_set(err, E2BIG, "%.200s: the names of the layer's directories are too long together", path);
        return 0;
}

bool layer_is_whiteout(const struct stat *st) {
        return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* Marks the directory @name in @parent as hiding those below. Returns 0 or a negative errno. */
static int layer_set_opaque(int parent, const char *name) {
        _cleanup_close_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
                return -errno;
        return 0;
}

/* Makes a directory that an entry's path implies. In the place of a whiteout it hides what is below. */
static int make_implied(void *data, int parent, const char *name, const char *path, size_t n, struct err **err) {
        struct layer_writer *w = data;
        bool opaque = false;
        struct stat st;

        if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                if (!layer_is_whiteout(&st))
                        return 0; /* the walk says what is wrong */
                unlinkat(parent, name, 0);
                opaque = true;
        }
        if (mkdirat(parent, name, 0755) < 0 || (opaque && layer_set_opaque(parent, name) < 0))
                return err_errno(err, errno, "make directory %.*s", (int)n, path);
        w->result.inodes++;
        w->result.bytes += BLOCK_SIZE;
        if (opaque)
                return 0;
        if (image_string_list_addf(&w->result.needs.implied, "%.*s", (int)n, path) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return remember_path(w, w->result.needs.implied.items[w->result.needs.implied.count - 1], err);
}

/* Removes what an earlier entry put at @path. */
static int remove_old(struct layer_writer *w, int parent, const char *name, const char *path, struct err **err) {
        path_walk_forget(&w->walk, path);
        path_walk_forget(&w->targets, path);
        return image_tree_remove(parent, name, err);
}

static int put_file(struct layer_writer *w, int parent, const char *name, const char *path, const struct tar_entry *e,
                    struct err **err) {
        const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        _cleanup_close_ int fd = openat(parent, name, flags, e->mode);
        int r;

        if (fd < 0 && errno == EEXIST) {
                r = remove_old(w, parent, name, path, err);
                if (r < 0)
                        return r;
                fd = openat(parent, name, flags, e->mode);
        }
        if (fd < 0)
                return err_errno(err, errno, "%s: create", e->path);
        r = layer_fill(w->tar, fd, e, err);
        if (r < 0)
                return r;
        if (e->size >= EARLY_WRITE_MIN) /* else the disk idles now, and the sync at the end waits for all of it */
                sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        w->result.inodes++;
        w->result.bytes += (e->size + BLOCK_SIZE - 1) & ~(uint64_t)(BLOCK_SIZE - 1);
        return 0;
}

static int add_late(struct layer_writer *w, const char *path, const struct tar_entry *e, struct err **err) {
        if (GROW(w->late, w->late_room, w->n_late + 1, GROW_NO_MAX) < 0)
                return err_set(err, ENOMEM, "out of memory");
        w->late[w->n_late] = (struct late_directory){
                .path = strdup(path), .mode = e->mode, .mtime = e->mtime, .mtime_nsec = e->mtime_nsec
        };
        if (!w->late[w->n_late].path)
                return err_set(err, ENOMEM, "out of memory");
        w->n_late++;
        return remember_path(w, path, err);
}

/* A directory that is there already is kept with what is in it; in the place of a whiteout it is opaque. */
static int make_directory(struct layer_writer *w, int parent, const char *name, const char *path,
                          const struct tar_entry *e, struct err **err) {
        struct stat st;
        int r;

        if (mkdirat(parent, name, 0700) == 0) {
                w->result.inodes++;
                w->result.bytes += BLOCK_SIZE;
                return 0;
        }
        if (errno != EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, errno, "%s: make directory", e->path);
        if (S_ISDIR(st.st_mode))
                return 0;
        r = remove_old(w, parent, name, path, err);
        if (r < 0)
                return r;
        if (mkdirat(parent, name, 0700) < 0)
                return err_errno(err, errno, "%s: make directory", e->path);
        r = layer_is_whiteout(&st) ? layer_set_opaque(parent, name) : 0;
        return r < 0 ? err_errno(err, -r, "%s: make opaque", e->path) : 0;
}

static int put_directory(struct layer_writer *w, int parent, const char *name, const char *path,
                         const struct tar_entry *e, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        int r = *path ? make_directory(w, parent, name, path, e, err) : 0;

        if (r < 0)
                return r;
        if (fchownat(parent, *path ? name : "", e->uid, e->gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
                return err_errno(err, errno, "%s: set owner", e->path);
        if (e->n_xattrs > 0) {
                fd = openat(parent, *path ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                r = fd < 0 ? err_errno(err, errno, "%s: open", e->path) : layer_set_xattrs(fd, e, err);
                if (r < 0)
                        return r;
        }
        return add_late(w, path, e, err);
}

static int put_special(struct layer_writer *w, int parent, const char *name, const char *path,
                       const struct tar_entry *e, struct err **err) {
        int r = layer_make_special(parent, name, e);

        if (r < 0 && errno == EEXIST) {
                r = remove_old(w, parent, name, path, err);
                if (r < 0)
                        return r;
                r = layer_make_special(parent, name, e);
        }
        if (r < 0)
                return err_errno(err, errno, "%s: create", e->path);
        w->result.inodes++;
        return layer_finish(parent, name, e, err);
}

/* Links to what this layer has. Returns 1 when the target is not here (yet); @target is then without the links that
 * are. */
static int try_link(struct layer_writer *w, const char *path, char target[PATH_MAX], struct err **err) {
        _cleanup_err_ struct err *cause = NULL;
        const char *name, *target_name;
        int parent, target_parent, r;
        struct stat st;

        r = path_walk_resolve(&w->targets, target, &target_parent, &target_name, &cause);
        if (r == -ENOENT)
                return 1;
        if (r < 0)
                return err_move(err, TAKE_PTR(cause));
        if (strcmp(path, target) == 0)
                return 0;
        if (fstatat(target_parent, target_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 1 : err_errno(err, errno, "%s", target);
        if (S_ISDIR(st.st_mode))
                return err_set(err, EBADMSG, "%s: hard link to the directory %s", path, target);
        if (layer_is_whiteout(&st))
                return err_set(err, EBADMSG, "%s: hard link to %s, which this layer removes", path, target);
        r = path_walk_parent(&w->walk, path, &parent, &name, err);
        if (r < 0)
                return r;
        if (linkat(target_parent, target_name, parent, name, 0) == 0)
                return 0;
        if (errno != EEXIST)
                return err_errno(err, errno, "%s: hard link to %s", path, target);
        r = remove_old(w, parent, name, path, err);
        if (r < 0)
                return r;
        if (linkat(target_parent, target_name, parent, name, 0) < 0)
                return err_errno(err, errno, "%s: hard link to %s", path, target);
        return 0;
}

static int put_link(struct layer_writer *w, const char *path, const struct tar_entry *e, struct err **err) {
        struct layer_needs *needs = &w->result.needs;
        char target[PATH_MAX];
        int r = layer_path_clean(e->link, target, err);

        if (r < 0)
                return r;
        if (*target == '\0')
                return err_set(err, EBADMSG, "%s: hard link to nothing", path);
        if (strcmp(path, target) == 0)
                return 0;
        r = try_link(w, path, target, err);
        if (r <= 0)
                return r;
        if (image_string_list_add(&needs->links, path) < 0 || image_string_list_add(&needs->targets, target) < 0)
                return err_set(err, ENOMEM, "out of memory");
        r = remember_path(w, path, err);
        return r < 0 ? r : remember_path(w, target, err);
}

/* Overlay lists the whiteouts of a directory that no other layer has. */
static int remember_whiteout(struct layer_writer *w, const char *path, const char *hidden, struct err **err) {
        const char *slash = strrchr(path, '/');
        struct string_list *list = &w->result.needs.whiteouts;

        if (image_string_list_addf(list, "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, hidden) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return remember_path(w, list->items[list->count - 1], err);
}

/* A whiteout counts for the layers below only: what this layer has under that name stays. */
static int put_whiteout(struct layer_writer *w, int parent, const char *hidden, const char *path,
                        const struct tar_entry *e, struct err **err) {
        struct stat st;
        int r;

        if (*hidden == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
                return err_set(err, EBADMSG, "%s: a whiteout of nothing", e->path);
        if (mknodat(parent, hidden, S_IFCHR, 0) == 0) {
                w->result.inodes++;
                return remember_whiteout(w, path, hidden, err);
        }
        if (errno != EEXIST || fstatat(parent, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, errno, "%s: make whiteout", e->path);
        r = S_ISDIR(st.st_mode) ? layer_set_opaque(parent, hidden) : 0;
        return r < 0 ? err_errno(err, -r, "%s: make opaque", e->path) : 0;
}

static int put_entry(struct layer_writer *w, const struct tar_entry *e, struct err **err) {
        char path[PATH_MAX];
        const char *name;
        int parent, r = layer_path_clean(e->path, path, err);

        if (r < 0 || (r = path_walk_resolve(&w->walk, path, &parent, &name, err)) < 0)
                return r;
        if (*path == '\0' && e->type != TAR_DIRECTORY)
                return err_set(err, EBADMSG, "\"%s\" is the root, but no directory", e->path);
        if (strncmp(name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0) {
                if (strcmp(name, OPAQUE_NAME) == 0) {
                        r = layer_set_opaque(parent, ".");
                        return r < 0 ? err_errno(err, -r, "%s: make opaque", e->path) : 0;
                }
                if (strncmp(name, ".wh..wh.", 8) == 0)
                        return 0; /* aufs' own files */
                return put_whiteout(w, parent, name + strlen(WHITEOUT_PREFIX), path, e, err);
        }
        switch (e->type) {
        case TAR_FILE:
                return put_file(w, parent, name, path, e, err);
        case TAR_DIRECTORY:
                return put_directory(w, parent, name, path, e, err);
        case TAR_HARDLINK:
                return put_link(w, path, e, err);
        case TAR_SYMLINK:
        case TAR_CHAR:
        case TAR_BLOCK_DEVICE:
        case TAR_FIFO:
                return put_special(w, parent, name, path, e, err);
        }
        return err_set(err, EBADMSG, "%s: an entry of unknown type %d", e->path, (int)e->type);
}

static int count_entry(struct layer_writer *w, const struct tar_entry *e, struct err **err) {
        if (w->left.entries-- == 0)
                return err_set(err, E2BIG, "%s: the layer has too many entries", e->path);
        if (e->size > w->left.bytes)
                return err_set(err, E2BIG, "%s: the layer's files are too large together", e->path);
        w->left.bytes -= e->size;
        return 0;
}

static int finish_directories(struct layer_writer *w, struct err **err) {
        for (size_t i = 0; i < w->n_late; i++) {
                const struct late_directory *late = &w->late[i];
                struct timespec time = { .tv_sec = late->mtime, .tv_nsec = (long)late->mtime_nsec };
                struct timespec times[2] = { time, time };
                _cleanup_err_ struct err *ignored = NULL;
                _cleanup_close_ int fd = -EBADF;
                const char *name;
                int parent;

                /* a later entry may have put something else there */
                if (path_walk_parent(&w->targets, late->path, &parent, &name, &ignored) < 0)
                        continue;
                fd = openat(parent, *late->path ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0)
                        continue;
                if (fchmod(fd, late->mode) < 0 || futimens(fd, times) < 0)
                        return err_errno(err, errno, "%s: set mode and time", late->path);
        }
        return 0;
}

/* Links that came before their target in the archive; what is left needs the layers below. */
static int finish_links(struct layer_writer *w, struct err **err) {
        struct layer_needs *needs = &w->result.needs, open = { .links = { 0 } };
        int r = 0;

        for (size_t i = 0; i < needs->links.count && r >= 0; i++) {
                char target[PATH_MAX];

                snprintf(target, sizeof(target), "%s", needs->targets.items[i]);
                r = try_link(w, needs->links.items[i], target, err);
                if (r > 0 && (image_string_list_add(&open.links, needs->links.items[i]) < 0 ||
                              image_string_list_add(&open.targets, target) < 0))
                        r = err_set(err, ENOMEM, "out of memory");
        }
        image_string_list_clear(&needs->links);
        image_string_list_clear(&needs->targets);
        needs->links = open.links;
        needs->targets = open.targets;
        return r < 0 ? r : 0;
}

static int compare_texts(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Directories that were implied first and came later are the layer's own after all. */
static int forget_late_implied(struct layer_writer *w, struct err **err) {
        struct string_list open = { 0 }, *implied = &w->result.needs.implied;
        _cleanup_free_ char **came = NULL;
        int r = 0;

        if (implied->count == 0)
                return 0;
        came = calloc(w->n_late + 1, sizeof(*came));
        if (!came)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < w->n_late; i++)
                came[i] = w->late[i].path;
        qsort(came, w->n_late, sizeof(*came), compare_texts);
        for (size_t i = 0; i < implied->count && r == 0; i++)
                if (!bsearch(&implied->items[i], came, w->n_late, sizeof(*came), compare_texts))
                        r = image_string_list_add(&open, implied->items[i]);
        image_string_list_clear(implied);
        *implied = open;
        return r < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

static void writer_clear(struct layer_writer *w) {
        path_walk_clear(&w->walk);
        path_walk_clear(&w->targets);
        for (size_t i = 0; i < w->n_late; i++)
                free(w->late[i].path);
        free(w->late);
        layer_needs_clear(&w->result.needs);
        free(w);
}

static int apply_all(struct layer_writer *w, struct err **err) {
        const struct tar_entry *e;
        int r;

        while ((r = tar_next(w->tar, &e, err)) > 0)
                if ((r = count_entry(w, e, err)) < 0 || (r = put_entry(w, e, err)) < 0)
                        return r;
        if (r < 0 || (r = tar_drain(w->tar, err)) < 0 || (r = finish_links(w, err)) < 0 ||
            (r = forget_late_implied(w, err)) < 0)
                return r;
        return finish_directories(w, err);
}

int layer_apply(int root, struct tar_reader *tar, const struct layer_limits *limits, struct layer_result *ret_result,
                struct err **err) {
        struct layer_writer *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return err_set(err, ENOMEM, "out of memory");
        w->left.bytes = limits->bytes ?: LAYER_BYTES_MAX;
        w->left.entries = limits->entries ?: LAYER_ENTRIES_MAX;
        path_walk_init(&w->walk, root);
        path_walk_init(&w->targets, root);
        w->walk.make = make_implied;
        w->walk.data = w;
        w->tar = tar;
        r = apply_all(w, err);
        if (r == 0) {
                *ret_result = w->result;
                w->result = (struct layer_result){ 0 };
        }
        writer_clear(w);
        return r;
}

void layer_needs_clear(struct layer_needs *needs) {
        image_string_list_clear(&needs->implied);
        image_string_list_clear(&needs->links);
        image_string_list_clear(&needs->targets);
        image_string_list_clear(&needs->whiteouts);
}

#include "images/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "images/files.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"

#define INFO_SIZE_MAX 256

/* ext4 puts what is made in a directory near it, and looks at every inode that was freed there in the last minute: a
 * pull soon after a removal would take several times as long. With this flag each layer begins in a block group of its
 * own, which also keeps layers that unpack side by side out of each other's way. Other file systems do without. */
static void spread_children(int dir) {
        int flags;

        if (ioctl(dir, FS_IOC_GETFLAGS, &flags) < 0 || (flags & FS_TOPDIR_FL))
                return;
        flags |= FS_TOPDIR_FL;
        ioctl(dir, FS_IOC_SETFLAGS, &flags);
}

static int open_parts(struct image_layout *l, struct err **err) {
        _cleanup_close_ int blobs = -EBADF;
        int r;

        if ((r = image_directory_open(l->root, "blobs", &blobs, err)) < 0 ||
            (r = image_directory_open(blobs, "sha256", &l->blobs, err)) < 0 ||
            (r = image_directory_open(l->root, "layers", &l->layers, err)) < 0 ||
            (r = image_directory_open(l->root, "refs", &l->refs, err)) < 0 ||
            (r = image_directory_open(l->root, "ingest", &l->ingest, err)) < 0)
                return r;
        spread_children(l->ingest);
        return image_directory_open(l->root, "broken", &l->broken, err);
}

int image_layout_open(const char *root_dir, struct image_layout *ret_layout, struct err **err) {
        _cleanup_layout_ struct image_layout l = IMAGE_LAYOUT_NONE;
        struct err *cause = NULL;
        int r;

        if (asprintf(&l.path, "%s/images", root_dir) < 0) {
                l.path = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        r = files_make_private(l.path, &cause);
        if (r == 0) {
                l.root = open(l.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = l.root < 0 ? err_errno(&cause, errno, "open") : open_parts(&l, &cause);
        }
        if (r < 0) {
                err_wrap(&cause, r, "image store %s", l.path);
                return err_move(err, cause);
        }
        *ret_layout = l;
        l = (struct image_layout)IMAGE_LAYOUT_NONE;
        return 0;
}

void image_layout_close(struct image_layout *l) {
        int *fds[] = { &l->root, &l->blobs, &l->layers, &l->refs, &l->ingest, &l->broken };

        for (size_t i = 0; i < ELEMENTS(fds); i++)
                *fds[i] = close_fd(*fds[i]);
        free(l->path);
        l->path = NULL;
}

int image_layout_lock(const struct image_layout *l, enum image_lock lock, int *ret_fd, struct err **err) {
        _cleanup_close_ int fd = openat(l->root, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        int operation = lock == IMAGE_LOCK_SHARED ? LOCK_SH : LOCK_EX | LOCK_NB;

        if (fd < 0)
                return err_errno(err, errno, "open %s/lock", l->path);
        while (flock(fd, operation) < 0)
                if (errno == EWOULDBLOCK)
                        return err_set(err, EBUSY, "images are being added");
                else if (errno != EINTR)
                        return err_errno(err, errno, "lock %s/lock", l->path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Whether @name in ingest/ is to go: all but partial blobs, and those too once they are old. */
static bool is_stale(const struct image_layout *l, const char *name) {
        struct stat st;

        if (strspn(name, "0123456789abcdef") != 64 || name[64] != '\0')
                return true;
        return fstatat(l->ingest, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               time(NULL) - st.st_mtime > INGEST_KEEP_SECONDS;
}

static void sweep_directory(const struct image_layout *l, int dir,
                            bool (*stale)(const struct image_layout *, const char *)) {
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = open_dir(fd);
        const struct dirent *e;

        while (d && (e = readdir(d))) {
                _cleanup_err_ struct err *err = NULL;

                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || !stale(l, e->d_name))
                        continue;
                if (image_tree_remove(dir, e->d_name, &err) < 0)
                        log_warning("image store %s: %s", l->path, err_text(err));
        }
}

static bool is_temporary(const struct image_layout *l, const char *name) {
        (void)l;
        return name[0] == '.';
}

static void sweep_refs(const struct image_layout *l) {
        int fd = openat(l->refs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = open_dir(fd);
        const struct dirent *e;

        while (d && (e = readdir(d))) {
                _cleanup_close_ int dir = -EBADF;

                if (*e->d_name == '.')
                        continue;
                dir = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (dir >= 0)
                        sweep_directory(l, dir, is_temporary);
                unlinkat(fd, e->d_name, AT_REMOVEDIR); /* when it is empty */
        }
}

void image_layout_sweep(const struct image_layout *l) {
        sweep_refs(l);
        sweep_directory(l, l->ingest, is_stale);
        sweep_directory(l, l->blobs, is_temporary);
        sweep_directory(l, l->layers, is_temporary);
}

void image_layout_set_aside(const struct image_layout *l, int dir, const char *name, const char *why) {
        char temporary[FILE_TEMPORARY_MAX];

        image_file_temporary_name(name, temporary);
        if (renameat(dir, name, l->broken, temporary) < 0) {
                if (errno != ENOENT)
                        log_warning("image store %s: %s: %s; cannot be set aside: %s", l->path, name, why,
                                    strerrordesc_np(errno));
                return;
        }
        log_warning("image store %s: %s: %s; set aside as broken/%s", l->path, name, why, temporary);
}

static int read_info(const struct image_layout *l, const char *name, char **ret_text) {
        char path[LAYER_NAME_MAX + 8];

        snprintf(path, sizeof(path), "%s/info", name);
        return image_file_read(l->layers, path, INFO_SIZE_MAX, ret_text, NULL, NULL);
}

int image_layout_layer_blob(const struct image_layout *l, const char *name, char ret_digest[IMAGE_DIGEST_LENGTH + 1],
                            uint64_t *ret_size) {
        char digest[IMAGE_DIGEST_LENGTH + 1];
        _cleanup_free_ char *text = NULL;
        const char *line;
        uint64_t size;
        int r = read_info(l, name, &text);

        if (r < 0)
                return r;
        line = strstr(text, "\nblob ");
        if (!line || sscanf(line, " blob %71s %" SCNu64, digest, &size) != 2 || !image_digest_valid(digest))
                return -ENOENT;
        strcpy(ret_digest, digest);
        *ret_size = size;
        return 0;
}

int image_layout_layer_info(const struct image_layout *l, const char *name, uint64_t *ret_bytes, uint64_t *ret_inodes) {
        _cleanup_free_ char *text = NULL;
        uint64_t bytes, inodes;
        int r = read_info(l, name, &text);

        if (r < 0)
                return r;
        if (sscanf(text, "bytes %" SCNu64 "\ninodes %" SCNu64, &bytes, &inodes) != 2)
                bytes = inodes = 0; /* only figures; the layer itself is good */
        if (ret_bytes)
                *ret_bytes = bytes;
        if (ret_inodes)
                *ret_inodes = inodes;
        return 0;
}

int image_layout_find_layer(const struct image_layout *l, const char *diff_id, const char *config_digest,
                            char ret_name[LAYER_NAME_MAX], uint64_t *ret_bytes, uint64_t *ret_inodes) {
        char name[LAYER_NAME_MAX];
        int r;

        snprintf(name, sizeof(name), "%s", digest_hex(diff_id));
        r = image_layout_layer_info(l, name, ret_bytes, ret_inodes);
        if (r < 0 && r != -EMFILE && r != -ENFILE && r != -ENOMEM && r != -EIO) {
                snprintf(name, sizeof(name), "%s.%s", digest_hex(diff_id), digest_hex(config_digest));
                r = image_layout_layer_info(l, name, ret_bytes, ret_inodes);
        }
        if (r < 0)
                return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EIO ? r : -ENOENT;
        strcpy(ret_name, name);
        return 0;
}

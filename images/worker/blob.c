#include "images/worker/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/worker/feed.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static int open_stored(const struct image_layout *l, const struct descriptor *d, struct blob *ret) {
        _cleanup_close_ int fd = openat(l->blobs, digest_hex(d->digest), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != d->size) {
                image_layout_set_aside(l, l->blobs, digest_hex(d->digest), "a blob of a wrong size");
                return -ENOENT;
        }
        *ret = (struct blob){ .layout = l, .descriptor = d, .fd = TAKE_FD(fd), .stored = true, .there = d->size };
        return 0;
}

/* Whether the locked @fd is still the file with that name: who held the lock before may have moved it. */
static bool is_current(const struct image_layout *l, const char *name, int fd, const struct stat *st) {
        struct stat now;

        return fstatat(l->ingest, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == st->st_ino &&
               now.st_dev == st->st_dev;
}

/* Returns 1 when another worker has just finished it. */
static int open_partial(const struct image_layout *l, const struct descriptor *d, struct blob *ret, struct err **err) {
        const char *name = digest_hex(d->digest);
        _cleanup_close_ int fd = openat(l->ingest, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        struct stat st;

        if (fd < 0)
                return err_errno(err, errno, "open %s/ingest/%s", l->path, name);
        while (flock(fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return err_errno(err, errno, "lock %s/ingest/%s", l->path, name);
        if (fstat(fd, &st) < 0)
                return err_errno(err, errno, "stat %s/ingest/%s", l->path, name);
        if (!is_current(l, name, fd, &st))
                return 1;
        if ((uint64_t)st.st_size > d->size)
                st.st_size = 0;
        else if ((uint64_t)st.st_size < d->size)
                st.st_size -= st.st_size % FEED_ALIGN;
        if (ftruncate(fd, st.st_size) < 0)
                return err_errno(err, errno, "truncate %s/ingest/%s", l->path, name);
        *ret = (struct blob){ .layout = l, .descriptor = d, .fd = TAKE_FD(fd), .there = (uint64_t)st.st_size };
        return 0;
}

int blob_open(const struct image_layout *l, const struct descriptor *d, struct blob *ret_blob, struct err **err) {
        int r;

        do {
                if (open_stored(l, d, ret_blob) == 0)
                        return 0;
                r = open_partial(l, d, ret_blob, err);
        } while (r > 0);
        if (r == 0) { /* stored by another worker between the look and the lock */
                struct blob stored = BLOB_NONE;

                if (open_stored(l, d, &stored) == 0) {
                        unlinkat(l->ingest, digest_hex(d->digest), 0);
                        blob_close(ret_blob);
                        *ret_blob = stored;
                }
        }
        return r;
}

void blob_discard(struct blob *b, const char *why) {
        const char *name = digest_hex(b->descriptor->digest);

        if (b->stored)
                image_layout_set_aside(b->layout, b->layout->blobs, name, why);
        else
                unlinkat(b->layout->ingest, name, 0);
        blob_close(b);
}

int blob_store(struct blob *b, struct err **err) {
        const char *name = digest_hex(b->descriptor->digest);

        if (b->stored)
                return 0;
        if (renameat(b->layout->ingest, name, b->layout->blobs, name) < 0)
                return err_errno(err, errno, "move blob %s into the store", b->descriptor->digest);
        b->stored = true;
        return 0;
}

void blob_close(struct blob *b) {
        b->fd = close_fd(b->fd);
}

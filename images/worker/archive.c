#include "images/worker/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "images/worker/archive_members.h"
#include "images/worker/inflate.h"
#include "images/worker/paths.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

#define CHUNK (256 * 1024)

struct archive {
        int fd; /* the tar file, or the directory */
        bool directory;
        struct archive_members members;
};

static int write_out(int fd, const uint8_t *bytes, size_t n, struct err **err) {
        int r = files_write_all(fd, bytes, n);

        return r < 0 ? err_errno(err, -r, "write the decompressed archive") : 0;
}

static int inflate_chunk(struct inflater *inflater, const uint8_t *in, size_t n, uint8_t *buffer, int out,
                         struct err **err) {
        size_t room;

        do {
                uint8_t *to = buffer;
                int r;

                room = CHUNK;
                if ((r = inflater_run(inflater, &in, &n, &to, &room, err)) < 0 ||
                    (r = write_out(out, buffer, CHUNK - room, err)) < 0)
                        return r;
        } while (room == 0);
        return 0;
}

static int inflate_file(int in, int out, struct err **err) {
        _cleanup_(inflater_freep) struct inflater *inflater = inflater_new();
        _cleanup_free_ uint8_t *input = malloc(CHUNK), *output = malloc(CHUNK);
        size_t have = 0;

        if (!inflater || !input || !output)
                return err_set(err, ENOMEM, "out of memory");
        for (;;) {
                ssize_t n = read(in, input + have, CHUNK - have);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "read the archive");
                have += (size_t)n;
                if (n > 0 && have < INFLATE_TELL_MAX) /* a pipe may bring the magic in parts */
                        continue;
                r = inflate_chunk(inflater, input, have, output, out, err);
                if (r < 0)
                        return r;
                have = 0;
                if (n == 0)
                        return inflater_finish(inflater, err);
        }
}

static const char *region_kind(const struct region *region) {
        uint8_t first[INFLATE_TELL_MAX];
        size_t size = region->size < sizeof(first) ? (size_t)region->size : sizeof(first);
        ssize_t n = pread(region->fd, first, size, (off_t)region->offset);

        return inflate_tell(first, n > 0 ? (size_t)n : 0);
}

/* Makes a->fd a plain tar file that can be sought in. */
static int make_plain(struct archive *a, int scratch, struct err **err) {
        struct region whole = { .fd = a->fd };
        _cleanup_close_ int plain = -EBADF;
        struct stat st;
        int r;

        if (fstat(a->fd, &st) < 0)
                return err_errno(err, errno, "stat");
        whole.size = (uint64_t)st.st_size;
        if (S_ISREG(st.st_mode) && strcmp(region_kind(&whole), "none") == 0)
                return 0;
        plain = openat(scratch, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (plain < 0)
                return err_errno(err, errno, "make a temporary file");
        r = inflate_file(a->fd, plain, err);
        if (r < 0)
                return r;
        close_fd(a->fd);
        a->fd = TAKE_FD(plain);
        return 0;
}

int archive_open(const char *path, int scratch, struct archive **ret_archive, struct err **err) {
        _cleanup_(archive_closep) struct archive *a = calloc(1, sizeof(*a));
        struct err *cause = NULL;
        struct stat st;
        int r = 0;

        if (!a)
                return err_set(err, ENOMEM, "out of memory");
        a->fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
        if (a->fd < 0 || fstat(a->fd, &st) < 0)
                return err_errno(err, errno, "open %s", path);
        a->directory = S_ISDIR(st.st_mode);
        if (!a->directory) {
                r = make_plain(a, scratch, &cause);
                if (r == 0)
                        r = archive_members_read(&a->members, a->fd, &cause);
        }
        if (r < 0) {
                err_wrap(&cause, r, "%s", path);
                return err_move(err, cause);
        }
        *ret_archive = TAKE_PTR(a);
        return 0;
}

static void archive_close(struct archive *a) {
        if (!a)
                return;
        close_fd(a->fd);
        archive_members_clear(&a->members);
        free(a);
}

void archive_closep(struct archive **a) {
        archive_close(*a);
        *a = NULL;
}

static int find_in_directory(const struct archive *a, const char *name, struct region *ret, struct err **err) {
        struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
        _cleanup_close_ int fd = (int)syscall(SYS_openat2, a->fd, name, &how, sizeof(how));
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, errno, "%s", name);
        if (!S_ISREG(st.st_mode))
                return err_set(err, EBADMSG, "%s is no regular file", name);
        *ret = (struct region){ .fd = TAKE_FD(fd), .owned = true, .size = (uint64_t)st.st_size };
        return 0;
}

int archive_find(const struct archive *a, const char *name, struct region *ret, struct err **err) {
        const struct archive_member *m;
        char clean[PATH_MAX];
        int r = layer_path_clean(name, clean, err);

        if (r < 0)
                return r;
        if (a->directory)
                return find_in_directory(a, clean, ret, err);
        r = archive_members_find(&a->members, clean, &m, err);
        if (r < 0)
                return r;
        *ret = (struct region){ .fd = a->fd, .offset = m->offset, .size = m->size };
        return 0;
}

void region_close(struct region *region) {
        if (region->owned)
                close_fd(region->fd);
        region->fd = -EBADF;
}

int archive_read(const struct archive *a, const char *name, size_t max, char **ret_text, size_t *ret_n,
                 struct err **err) {
        _cleanup_region_ struct region region = REGION_NONE;
        _cleanup_free_ char *text = NULL;
        size_t n = 0;
        int r = archive_find(a, name, &region, err);

        if (r < 0)
                return r;
        if (region.size > max)
                return err_set(err, E2BIG, "%s has %llu bytes; at most %zu are read", name,
                               (unsigned long long)region.size, max);
        text = malloc((size_t)region.size + 1);
        if (!text)
                return err_set(err, ENOMEM, "out of memory");
        while (n < region.size) {
                ssize_t got = pread(region.fd, text + n, (size_t)region.size - n, (off_t)(region.offset + n));

                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return err_errno(err, got < 0 ? errno : EBADMSG, "read %s", name);
                n += (size_t)got;
        }
        text[n] = '\0';
        *ret_text = TAKE_PTR(text);
        *ret_n = n;
        return 0;
}

const char *region_compression(const struct region *region) {
        const char *kind = region_kind(region);

        return strcmp(kind, "gzip") == 0 || strcmp(kind, "zstd") == 0 ? kind : "";
}

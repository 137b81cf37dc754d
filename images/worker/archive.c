#include "images/worker/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "images/worker/inflate.h"
#include "images/worker/paths.h"
#include "images/worker/tar.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define CHUNK (256 * 1024)

struct member {
        char *name, *link; /* link: NULL for a file */
        uint64_t offset, size;
};

struct archive {
        int fd; /* the tar file, or the directory */
        bool directory;
        struct member *members; /* sorted by name */
        size_t count, room;
};

/* Positioned reading of the tar file for its reader. */
struct cursor {
        int fd;
        off_t at;
        uint8_t *buffer;
};

static int cursor_next(void *data, const uint8_t **ret_bytes, size_t *ret_n, struct err **err) {
        struct cursor *c = data;
        size_t n = 0;

        while (n < TAR_BLOCK * 16) { /* headers only: content is skipped */
                ssize_t got = pread(c->fd, c->buffer + n, TAR_BLOCK * 16 - n, c->at + (off_t)n);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return err_errno(err, errno, "read the archive");
                if (got == 0)
                        break;
                n += (size_t)got;
        }
        c->at += (off_t)n;
        *ret_bytes = c->buffer;
        *ret_n = n;
        return 0;
}

static int cursor_skip(void *data, uint64_t n, struct err **err) {
        struct cursor *c = data;
        struct stat st;

        if (fstat(c->fd, &st) < 0)
                return err_errno(err, errno, "stat the archive");
        if (n > (uint64_t)(st.st_size - c->at))
                return err_set(err, EBADMSG, "the archive ends in the middle of a file");
        c->at += (off_t)n;
        return 0;
}

static int add_member(struct archive *a, const struct tar_entry *e, uint64_t offset, struct err **err) {
        char name[PATH_MAX], link[PATH_MAX] = "";
        struct member *m;
        int r = layer_path_clean(e->path, name, err);

        if (r < 0)
                return r;
        if (e->type != TAR_FILE) { /* old docker save: a layer that occurs twice is a link, relative to its directory */
                char whole[2 * PATH_MAX];
                char *slash = strrchr(name, '/');

                if (e->type == TAR_SYMLINK && slash && strncmp(e->link, "../", 3) == 0 &&
                    memchr(name, '/', (size_t)(slash - name)) == NULL)
                        snprintf(whole, sizeof(whole), "%s", e->link + 3);
                else if (e->type == TAR_SYMLINK && slash)
                        snprintf(whole, sizeof(whole), "%.*s/%s", (int)(slash - name), name, e->link);
                else
                        snprintf(whole, sizeof(whole), "%s", e->link);
                r = layer_path_clean(whole, link, err);
                if (r < 0)
                        return r;
        }
        if (a->count == ARCHIVE_MEMBERS_MAX)
                return err_set(err, E2BIG, "the archive has more than %d members", ARCHIVE_MEMBERS_MAX);
        if (a->count == a->room) {
                size_t room = a->room ? 2 * a->room : 64;
                struct member *members = realloc(a->members, room * sizeof(*members));

                if (!members)
                        return err_set(err, ENOMEM, "out of memory");
                a->members = members;
                a->room = room;
        }
        m = &a->members[a->count];
        *m = (struct member){
                .name = strdup(name), .link = *link ? strdup(link) : NULL, .offset = offset, .size = e->size
        };
        if (!m->name || (*link && !m->link)) {
                free(m->name);
                return err_set(err, ENOMEM, "out of memory");
        }
        a->count++;
        return 0;
}

static int compare(const void *a, const void *b) {
        return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static int read_members(struct archive *a, struct tar_reader *tar, struct err **err) {
        const struct tar_entry *e;
        int r;

        while ((r = tar_next(tar, &e, err)) > 0) {
                if (e->type != TAR_FILE && e->type != TAR_SYMLINK && e->type != TAR_HARDLINK)
                        continue;
                if (e->pieces)
                        return err_set(err, EBADMSG, "%s: a sparse file in an image archive", e->path);
                r = add_member(a, e, tar_offset(tar), err);
                if (r < 0)
                        return r;
        }
        if (r == 0 && a->count == 0)
                return err_set(err, EBADMSG, "the archive is empty");
        if (r == 0)
                qsort(a->members, a->count, sizeof(*a->members), compare);
        return r;
}

static int index_archive(struct archive *a, struct err **err) {
        struct cursor cursor = { .fd = a->fd, .buffer = malloc(TAR_BLOCK * 16) };
        const struct tar_source source = { .next = cursor_next, .skip = cursor_skip, .data = &cursor };
        struct tar_reader *tar = tar_reader_new(&source);
        int r = tar && cursor.buffer ? read_members(a, tar, err) : err_set(err, ENOMEM, "out of memory");

        tar_reader_free(tar);
        free(cursor.buffer);
        return r;
}

static int write_out(int fd, const uint8_t *bytes, size_t n, struct err **err) {
        while (n > 0) {
                ssize_t put = write(fd, bytes, n);

                if (put < 0 && errno == EINTR)
                        continue;
                if (put < 0)
                        return err_errno(err, errno, "write the decompressed archive");
                bytes += put;
                n -= (size_t)put;
        }
        return 0;
}

static int inflate_chunk(struct inflater *inflater, const uint8_t *in, size_t n, uint8_t *buffer, int out,
                         struct err **err) {
        size_t room;

        do {
                uint8_t *to = buffer;
                int r;

                room = CHUNK;
                r = inflater_run(inflater, &in, &n, &to, &room, err);
                if (r == 0)
                        r = write_out(out, buffer, CHUNK - room, err);
                if (r < 0)
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
                if (n > 0 && have < 16) /* a pipe may bring the magic in parts */
                        continue;
                r = inflate_chunk(inflater, input, have, output, out, err);
                if (r < 0)
                        return r;
                have = 0;
                if (n == 0)
                        return inflater_finish(inflater, err);
        }
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
        if (S_ISREG(st.st_mode) && *region_compression(&whole) == '\0')
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
                        r = index_archive(a, &cause);
        }
        if (r < 0) {
                err_wrap(&cause, "%s", path);
                return err_move(err, cause);
        }
        *ret_archive = TAKE_PTR(a);
        return 0;
}

void archive_close(struct archive *a) {
        if (!a)
                return;
        close_fd(a->fd);
        for (size_t i = 0; i < a->count; i++) {
                free(a->members[i].name);
                free(a->members[i].link);
        }
        free(a->members);
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
        struct member key, *m;
        char clean[PATH_MAX];
        int r = layer_path_clean(name, clean, err);

        if (r < 0)
                return r;
        if (a->directory)
                return find_in_directory(a, clean, ret, err);
        key.name = clean;
        m = bsearch(&key, a->members, a->count, sizeof(*m), compare);
        if (m && m->link) {
                key.name = m->link;
                m = bsearch(&key, a->members, a->count, sizeof(*m), compare);
        }
        if (!m || m->link)
                return err_set(err, ENOENT, "the archive has no %s", name);
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
        uint8_t magic[4];

        if (region->size < 4 || pread(region->fd, magic, 4, (off_t)region->offset) != 4)
                return "";
        if (magic[0] == 0x1f && magic[1] == 0x8b)
                return "gzip";
        return memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0 ? "zstd" : "";
}

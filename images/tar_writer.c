#include "images/tar_writer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/grow.h"

#define BLOCK 512
#define COPY_SIZE (256 * 1024)
#define XATTR_VALUE_MAX (64 * 1024)
#define OCTAL_7_MAX 07777777
#define OCTAL_11_MAX 077777777777
#define SPARSE_LEAST (1024 * 1024) /* of holes, for them to be worth a map */

struct header {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6],
                version[2];
        char uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};

static const char zeros[BLOCK];

static int put(int fd, const void *bytes, size_t n, struct err **err) {
        int r = files_write_all(fd, bytes, n);

        return r < 0 ? err_errno(err, -r, "write the archive") : 0;
}

int image_tar_write_padding(int fd, uint64_t size, struct err **err) {
        return put(fd, zeros, (BLOCK - size % BLOCK) % BLOCK, err);
}

/* What a header says. */
struct described {
        const char *name, *link; /* @link: NULL for none */
        char type;
        mode_t mode;
        uint64_t uid, gid, size;
        int64_t mtime;
        dev_t device;
};

/* A number of 7 octal digits; what has more stands in the pax header before it. */
static unsigned octal_7(uint64_t number) {
        return (unsigned)(number > OCTAL_7_MAX ? 0 : number);
}

static int put_header(int fd, const struct described *d, struct err **err) {
        struct header h = { .type = d->type };
        unsigned sum = 0;
        char text[32];

        /* What is cut here stands in the pax header before it. */
        memcpy(h.name, d->name, strnlen(d->name, sizeof(h.name)));
        if (d->link)
                memcpy(h.link, d->link, strnlen(d->link, sizeof(h.link)));
        snprintf(h.mode, sizeof(h.mode), "%07o", d->mode & 07777);
        snprintf(h.uid, sizeof(h.uid), "%07o", octal_7(d->uid));
        snprintf(h.gid, sizeof(h.gid), "%07o", octal_7(d->gid));
        snprintf(h.size, sizeof(h.size), "%011llo", (unsigned long long)(d->size > OCTAL_11_MAX ? 0 : d->size));
        snprintf(h.mtime, sizeof(h.mtime), "%011llo",
                 (unsigned long long)(d->mtime < 0 || d->mtime > OCTAL_11_MAX ? 0 : d->mtime));
        memcpy(h.magic, "ustar", 6);
        memcpy(h.version, "00", 2);
        snprintf(h.major, sizeof(h.major), "%07o", major(d->device) & OCTAL_7_MAX);
        snprintf(h.minor, sizeof(h.minor), "%07o", minor(d->device) & OCTAL_7_MAX);
        memset(h.checksum, ' ', sizeof(h.checksum));
        for (size_t i = 0; i < sizeof(h); i++)
                sum += ((unsigned char *)&h)[i];
        snprintf(text, sizeof(text), "%06o", sum);
        memcpy(h.checksum, text, 7);
        return put(fd, &h, sizeof(h), err);
}

/* ---- pax ---- */

struct pax {
        char *text;
        size_t length, size;
        bool failed;
};

static void add_bytes(struct pax *pax, const void *bytes, size_t n) {
        pax->failed = pax->failed || GROW(pax->text, pax->size, pax->length + n, GROW_NO_MAX) < 0;
        if (pax->failed)
                return;
        memcpy(pax->text + pax->length, bytes, n);
        pax->length += n;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(struct pax *pax, const char *key, const void *value, size_t n) {
        size_t rest = 1 + strlen(key) + 1 + n + 1, digits = 1;
        char head[32];

        while (snprintf(head, sizeof(head), "%zu ", rest + digits) != (int)digits + 1)
                digits++;
        add_bytes(pax, head, strlen(head));
        add_bytes(pax, key, strlen(key));
        add_bytes(pax, "=", 1);
        add_bytes(pax, value, n);
        add_bytes(pax, "\n", 1);
}

static void add_number(struct pax *pax, const char *key, uint64_t number) {
        char text[24];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
        add_record(pax, key, text, strlen(text));
}

/* overlayfs's own are not the file's. */
static void add_xattrs(struct pax *pax, const char *path) {
        _cleanup_free_ char *names = malloc(XATTR_VALUE_MAX), *value = malloc(XATTR_VALUE_MAX);
        ssize_t n = names && value ? listxattr(path, names, XATTR_VALUE_MAX) : 0;

        for (char *name = names; n > 0 && name < names + n && pax->length < TAR_WRITER_XATTRS_MAX;
             name += strlen(name) + 1) {
                ssize_t size = strncmp(name, "trusted.overlay.", 16) == 0 || strchr(name, '=') ?
                                       -1 :
                                       getxattr(path, name, value, XATTR_VALUE_MAX);
                char key[512];

                if (size >= 0 && snprintf(key, sizeof(key), "SCHILY.xattr.%s", name) < (int)sizeof(key))
                        add_record(pax, key, value, (size_t)size);
        }
}

static int put_pax(int fd, const struct pax *pax, struct err **err) {
        const struct described header = { .name = "PaxHeaders/entry", .type = 'x', .mode = 0600, .size = pax->length };
        int r;

        if (pax->failed)
                return err_set(err, ENOMEM, "out of memory");
        if (pax->length == 0)
                return 0;
        if ((r = put_header(fd, &header, err)) < 0 || (r = put(fd, pax->text, pax->length, err)) < 0)
                return r;
        return image_tar_write_padding(fd, pax->length, err);
}

/* ---- content ---- */

struct piece {
        uint64_t offset, length;
};

static int copy(int fd, int from, const struct piece *piece, struct err **err) {
        _cleanup_free_ char *buffer = malloc(COPY_SIZE);
        uint64_t at = piece->offset, end = piece->offset + piece->length;

        if (!buffer)
                return err_set(err, ENOMEM, "out of memory");
        while (at < end) {
                size_t most = end - at < COPY_SIZE ? (size_t)(end - at) : COPY_SIZE;
                ssize_t n = pread(from, buffer, most, (off_t)at);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "read what goes into the archive");
                if (n == 0) { /* it was cut meanwhile */
                        memset(buffer, 0, most);
                        n = (ssize_t)most;
                }
                r = put(fd, buffer, (size_t)n, err);
                if (r < 0)
                        return r;
                at += (uint64_t)n;
        }
        return 0;
}

/* Where a file has data. */
static size_t find_pieces(const struct tar_item *item, struct piece pieces[TAR_WRITER_PIECES_MAX]) {
        off_t at = 0, size = item->st->st_size;
        size_t n = 0;

        while (at < size && n < TAR_WRITER_PIECES_MAX) {
                off_t data = lseek(item->content, at, SEEK_DATA),
                      hole = data < 0 ? -1 : lseek(item->content, data, SEEK_HOLE);

                if (data < 0 || data >= size)
                        break;
                if (hole < 0 || hole > size || n == TAR_WRITER_PIECES_MAX - 1)
                        hole = size;
                pieces[n++] = (struct piece){ (uint64_t)data, (uint64_t)(hole - data) };
                at = hole;
        }
        return n;
}

/* The map that goes before a sparse file's data. */
static size_t write_map(const struct piece *pieces, size_t n, char *text, size_t size) {
        size_t length = (size_t)snprintf(text, size, "%zu\n", n);

        for (size_t i = 0; i < n; i++)
                length += (size_t)snprintf(text + length, size - length, "%llu\n%llu\n",
                                           (unsigned long long)pieces[i].offset, (unsigned long long)pieces[i].length);
        return length;
}

struct content {
        bool sparse;
        struct piece *pieces;
        size_t n;
        char *map;
        size_t map_length; /* with its padding */
        uint64_t size;     /* in the archive */
};

static void content_clear(struct content *c) {
        free(c->pieces);
        free(c->map);
}
#define _cleanup_content_ __attribute__((cleanup(content_clear)))

static int look_at_content(const struct tar_item *item, struct content *c, struct err **err) {
        const struct stat *st = item->st;
        size_t room = 2 * (TAR_WRITER_PIECES_MAX + 1) * 24 + BLOCK;

        if (!S_ISREG(st->st_mode) || item->content < 0)
                return 0;
        c->sparse = (uint64_t)st->st_blocks * 512 + SPARSE_LEAST < (uint64_t)st->st_size;
        c->size = (uint64_t)st->st_size;
        c->pieces = calloc(TAR_WRITER_PIECES_MAX, sizeof(*c->pieces));
        c->map = c->sparse ? calloc(1, room) : NULL;
        if (!c->pieces || (c->sparse && !c->map))
                return err_set(err, ENOMEM, "out of memory");
        if (!c->sparse) {
                c->pieces[0] = (struct piece){ 0, c->size };
                c->n = 1;
                return 0;
        }
        c->n = find_pieces(item, c->pieces);
        c->map_length = (write_map(c->pieces, c->n, c->map, room) + BLOCK - 1) / BLOCK * BLOCK;
        c->size = c->map_length;
        for (size_t i = 0; i < c->n; i++)
                c->size += c->pieces[i].length;
        return 0;
}

static int put_content(int fd, const struct tar_item *item, const struct content *c, struct err **err) {
        int r = c->sparse ? put(fd, c->map, c->map_length, err) : 0;

        for (size_t i = 0; r == 0 && i < c->n; i++)
                r = copy(fd, item->content, &c->pieces[i], err);
        return r < 0 ? r : image_tar_write_padding(fd, c->size, err);
}

/* ---- entries ---- */

static char type_of(mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFREG:
                return '0';
        case S_IFLNK:
                return '2';
        case S_IFCHR:
                return '3';
        case S_IFBLK:
                return '4';
        case S_IFDIR:
                return '5';
        case S_IFIFO:
                return '6';
        default:
                return '\0';
        }
}

static void fill_pax(const struct tar_item *item, const struct content *c, struct pax *pax) {
        const struct stat *st = item->st;

        if (c->sparse) {
                add_number(pax, "GNU.sparse.major", 1);
                add_number(pax, "GNU.sparse.minor", 0);
                add_record(pax, "GNU.sparse.name", item->path, strlen(item->path));
                add_number(pax, "GNU.sparse.realsize", (uint64_t)st->st_size);
        } else if (strlen(item->path) > sizeof(((struct header *)0)->name))
                add_record(pax, "path", item->path, strlen(item->path));
        if (item->link && strlen(item->link) > sizeof(((struct header *)0)->link))
                add_record(pax, "linkpath", item->link, strlen(item->link));
        if (c->size > OCTAL_11_MAX)
                add_number(pax, "size", c->size);
        if (st->st_uid > OCTAL_7_MAX)
                add_number(pax, "uid", st->st_uid);
        if (st->st_gid > OCTAL_7_MAX)
                add_number(pax, "gid", st->st_gid);
        if (item->xattrs)
                add_xattrs(pax, item->xattrs);
}

int image_tar_write(int fd, const struct tar_item *item, struct err **err) {
        const struct stat *st = item->st;
        char type = type_of(st->st_mode);
        _cleanup_content_ struct content content = { 0 };
        struct pax pax = { 0 };
        int r;

        if (type == '\0')
                return err_set(err, ENOTSUP, "%s: a socket", item->path);
        r = look_at_content(item, &content, err);
        if (r < 0)
                return r;
        fill_pax(item, &content, &pax);
        r = put_pax(fd, &pax, err);
        free(pax.text);
        if (r < 0)
                return r;
        r = put_header(fd,
                       &(struct described){ .name = item->path,
                                            .link = item->link,
                                            .type = type,
                                            .mode = st->st_mode,
                                            .uid = st->st_uid,
                                            .gid = st->st_gid,
                                            .size = content.size,
                                            .mtime = st->st_mtime,
                                            .device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? st->st_rdev : 0 },
                       err);
        return r < 0 || content.size == 0 ? r : put_content(fd, item, &content, err);
}

int image_tar_write_begin(int fd, const char *path, mode_t mode, uint64_t size, struct err **err) {
        struct pax pax = { 0 };
        int r;

        if (size > OCTAL_11_MAX)
                add_number(&pax, "size", size);
        r = put_pax(fd, &pax, err);
        free(pax.text);
        if (r < 0)
                return r;
        return put_header(fd, &(struct described){ .name = path, .type = '0', .mode = mode, .size = size }, err);
}

int image_tar_write_text(int fd, const char *path, mode_t mode, const char *text, size_t length, struct err **err) {
        int r = image_tar_write_begin(fd, path, mode, length, err);

        if (r < 0 || (r = put(fd, text, length, err)) < 0)
                return r;
        return image_tar_write_padding(fd, length, err);
}

int image_tar_write_end(int fd, struct err **err) {
        int r = put(fd, zeros, BLOCK, err);

        return r < 0 ? r : put(fd, zeros, BLOCK, err);
}

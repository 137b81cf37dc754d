#include "images/worker/archive_members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/worker/archive.h"
#include "images/worker/paths.h"
#include "images/worker/tar.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"

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

static int make_room(struct archive_members *a, struct err **err) {
        int r = GROW(a->items, a->room, a->count + 1, ARCHIVE_MEMBERS_MAX);

        if (r == -E2BIG)
                return err_set(err, E2BIG, "the archive has more than %d members", ARCHIVE_MEMBERS_MAX);
        return r < 0 ? err_set(err, -r, "out of memory") : 0;
}

static int add_member(struct archive_members *a, const struct tar_entry *e, uint64_t offset, struct err **err) {
        struct archive_member *m;
        char name[PATH_MAX];
        int r = layer_path_clean(e->path, name, err);

        if (r < 0 || (r = make_room(a, err)) < 0)
                return r;
        m = &a->items[a->count];
        *m = (struct archive_member){ .name = strdup(name),
                                      .link = e->type == TAR_FILE ? NULL : strdup(e->link),
                                      .is_hard = e->type == TAR_HARDLINK,
                                      .offset = offset,
                                      .size = e->size };
        a->count++;
        return m->name && (m->link || e->type == TAR_FILE) ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int compare_names(const void *a, const void *b) {
        return strcmp(((const struct archive_member *)a)->name, ((const struct archive_member *)b)->name);
}

/* Of the same name in the archive's order. */
static int compare(const void *a, const void *b) {
        const struct archive_member *x = a, *y = b;

        return compare_names(a, b) ?: (x->offset > y->offset) - (x->offset < y->offset);
}

static int read_members(struct archive_members *a, struct tar_reader *tar, struct err **err) {
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
        if (r < 0)
                return r;
        if (a->count == 0)
                return err_set(err, EBADMSG, "the archive is empty");
        qsort(a->items, a->count, sizeof(*a->items), compare);
        return 0;
}

int archive_members_read(struct archive_members *a, int fd, struct err **err) {
        struct cursor cursor = { .fd = fd, .buffer = malloc(TAR_BLOCK * 16) };
        const struct tar_source source = { .next = cursor_next, .skip = cursor_skip, .data = &cursor };
        struct tar_reader *tar = tar_reader_new(&source);
        int r = tar && cursor.buffer ? read_members(a, tar, err) : err_set(err, ENOMEM, "out of memory");

        tar_reader_free(tar);
        free(cursor.buffer);
        return r;
}

void archive_members_clear(struct archive_members *a) {
        for (size_t i = 0; i < a->count; i++) {
                free(a->items[i].name);
                free(a->items[i].link);
        }
        free(a->items);
        *a = (struct archive_members){ .count = 0 };
}

/* The last of those with the name, as extracting would leave it; NULL for none. */
static const struct archive_member *find(const struct archive_members *a, const char *name) {
        const struct archive_member key = { .name = (char *)name };
        const struct archive_member *m = bsearch(&key, a->items, a->count, sizeof(*m), compare_names);

        while (m && m + 1 < a->items + a->count && strcmp(m[1].name, name) == 0)
                m++;
        return m;
}

/* Finds the first link on the way to @path, which may be @path itself; its name lies from *@ret_begin to *@ret_end. */
static const struct archive_member *find_link(const struct archive_members *a, char *path, size_t *ret_begin,
                                              size_t *ret_end) {
        for (size_t begin = 0;; begin = *ret_end + 1) {
                const struct archive_member *m;
                char saved;

                *ret_begin = begin;
                *ret_end = begin + strcspn(path + begin, "/");
                saved = path[*ret_end];
                path[*ret_end] = '\0';
                m = find(a, path);
                path[*ret_end] = saved;
                if (m && m->link)
                        return m;
                if (saved == '\0')
                        return NULL;
        }
}

int archive_members_find(const struct archive_members *a, const char *name, const struct archive_member **ret_member,
                         struct err **err) {
        const struct archive_member *link;
        char path[PATH_MAX];
        size_t begin, end;

        if (strlen(name) >= sizeof(path))
                return err_set(err, E2BIG, "a member's name of %zu bytes", strlen(name));
        strcpy(path, name);
        for (unsigned links = 0; (link = find_link(a, path, &begin, &end)); links++) {
                int r;

                if (links == LAYER_LINKS_MAX)
                        return err_set(err, EBADMSG, "%s: more than %d links on the way", name, LAYER_LINKS_MAX);
                r = layer_path_follow(path, link->is_hard ? 0 : begin, end, link->link, err);
                if (r < 0)
                        return r;
        }
        *ret_member = find(a, path);
        return *ret_member ? 0 : err_set(err, ENOENT, "the archive has no %s", name);
}

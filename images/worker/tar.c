#include "images/worker/tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/worker/tar_internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"

_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "a tar header is one block");

struct tar_reader *tar_reader_new(const struct tar_source *source) {
        struct tar_reader *r = calloc(1, sizeof(*r));

        if (r)
                r->source = *source;
        return r;
}

void tar_reader_free(struct tar_reader *r) {
        if (!r)
                return;
        free(r->pax);
        free(r->pieces);
        free(r);
}

void tar_reader_freep(struct tar_reader **r) {
        tar_reader_free(*r);
        *r = NULL;
}

uint64_t tar_offset(const struct tar_reader *r) {
        return r->offset;
}

/* Makes sure that there are bytes; 0 at the end. */
static int fill(struct tar_reader *r, struct err **err) {
        int ret;

        if (r->n > 0)
                return 1;
        ret = r->source.next(r->source.data, &r->bytes, &r->n, err);
        return ret < 0 ? ret : r->n > 0;
}

static void use(struct tar_reader *r, size_t n) {
        r->bytes += n;
        r->n -= n;
        r->offset += n;
}

static int truncated(struct err **err) {
        return err_set(err, EBADMSG, "the archive ends in the middle of an entry");
}

/* One whole block. */
static int next_block(struct tar_reader *r, const uint8_t **ret_block, struct err **err) {
        int ret = fill(r, err);

        if (ret <= 0)
                return ret;
        if (r->n < TAR_BLOCK)
                return truncated(err);
        *ret_block = r->bytes;
        use(r, TAR_BLOCK);
        return 1;
}

static int skip(struct tar_reader *r, uint64_t n, struct err **err) {
        while (n > 0) {
                int ret;

                if (r->n == 0 && r->source.skip && n % TAR_BLOCK == 0) {
                        r->offset += n;
                        return r->source.skip(r->source.data, n, err);
                }
                ret = fill(r, err);
                if (ret <= 0)
                        return ret < 0 ? ret : truncated(err);
                size_t part = n < r->n ? (size_t)n : r->n;

                use(r, part);
                n -= part;
        }
        return 0;
}

int tar_read(struct tar_reader *r, const uint8_t **ret_bytes, size_t *ret_n, struct err **err) {
        size_t part;
        int ret;

        if (r->content == 0)
                return 0;
        ret = fill(r, err);
        if (ret <= 0)
                return ret < 0 ? ret : truncated(err);
        part = r->content < r->n ? (size_t)r->content : r->n;
        *ret_bytes = r->bytes;
        *ret_n = part;
        use(r, part);
        r->content -= part;
        return 1;
}

static void begin_content(struct tar_reader *r, uint64_t size) {
        r->content = size;
        r->padding = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

static int end_content(struct tar_reader *r, struct err **err) {
        uint64_t rest = r->content + r->padding;

        r->content = r->padding = 0;
        return skip(r, rest, err);
}

/* The content of an extended header, whole, with a NUL behind it. */
static int read_extension(struct tar_reader *r, uint64_t size, char **ret_text, struct err **err) {
        _cleanup_free_ char *text = NULL;
        const uint8_t *bytes = NULL;
        size_t n = 0, at = 0;
        int ret;

        if (size > TAR_EXTENSION_MAX)
                return err_set(err, E2BIG, "an extended header of %llu bytes; at most %d are read",
                               (unsigned long long)size, TAR_EXTENSION_MAX);
        text = malloc((size_t)size + 1);
        if (!text)
                return err_set(err, ENOMEM, "out of memory");
        begin_content(r, size);
        while ((ret = tar_read(r, &bytes, &n, err)) > 0) {
                memcpy(text + at, bytes, n);
                at += n;
        }
        if (ret == 0)
                ret = end_content(r, err);
        if (ret < 0)
                return ret;
        text[at] = '\0';
        *ret_text = TAKE_PTR(text);
        return 0;
}

static int read_long_name(struct tar_reader *r, uint64_t size, char *to, bool *has, bool *is_long, struct err **err) {
        _cleanup_free_ char *text = NULL;
        int ret = read_extension(r, size, &text, err);

        if (ret < 0)
                return ret;
        if (strlen(text) >= PATH_MAX)
                return err_set(err, E2BIG, "a name of %zu bytes; at most %d are taken", strlen(text), PATH_MAX - 1);
        if (*text == '\0') /* says nothing */
                return 0;
        strcpy(to, text);
        *has = *is_long = true;
        return 0;
}

static void forget_pax(struct tar_reader *r) {
        r->has_path = r->long_path;
        r->has_link = r->long_link;
        r->has_size = r->has_uid = r->has_gid = r->has_mtime = r->has_sparse_size = false;
        r->sparse_major = -1;
        r->sparse_minor = 0;
        r->n_pieces = 0;
        r->entry.n_xattrs = 0;
}

/* Of two before an entry the last counts. */
static int read_pax_header(struct tar_reader *r, uint64_t size, struct err **err) {
        forget_pax(r);
        free(r->pax);
        r->pax = NULL;
        int ret = read_extension(r, size, &r->pax, err);

        return ret < 0 ? ret : tar_read_pax(r, (size_t)size, err);
}

/* An extended header applies to the entry behind it. Returns 1 when @h was one. */
static int take_extension(struct tar_reader *r, const struct tar_header *h, struct err **err) {
        _cleanup_free_ char *ignored = NULL;
        uint64_t size;
        int ret;

        if (!strchr("xgLKVM", h->type) || h->type == '\0')
                return 0;
        if (!tar_number(h->size, sizeof(h->size), &size))
                return err_set(err, EBADMSG, "an extended header's size is no number");
        switch (h->type) {
        case 'x':
                ret = read_pax_header(r, size, err);
                break;
        case 'L':
                ret = read_long_name(r, size, r->entry.path, &r->has_path, &r->long_path, err);
                break;
        case 'K':
                ret = read_long_name(r, size, r->entry.link, &r->has_link, &r->long_link, err);
                break;
        case 'M':
                return err_set(err, EBADMSG, "a part of an archive of several volumes");
        default: /* global pax headers (git writes one) and volume labels say nothing about files */
                ret = read_extension(r, size, &ignored, err);
        }
        return ret < 0 ? ret : 1;
}

/* GNU's old format: pieces in the header's unused part and in blocks behind it. */
static int read_old_sparse(struct tar_reader *r, const struct tar_header *h, struct err **err) {
        const char *map = (const char *)h + 386, *more = (const char *)h + 482;
        size_t count = 4;
        uint64_t size;

        if (!tar_number((const char *)h + 483, 12, &size))
                return err_set(err, EBADMSG, "%s: a sparse file's size is no number", r->entry.path);
        for (;;) {
                const uint8_t *block;

                for (size_t i = 0; i < count && map[i * 24] != '\0'; i++) {
                        uint64_t offset, length;
                        int ret;

                        if (!tar_number(map + i * 24, 12, &offset) || !tar_number(map + i * 24 + 12, 12, &length))
                                return err_set(err, EBADMSG, "%s: a sparse file's map is no number", r->entry.path);
                        ret = tar_add_piece(r, offset, length, err);
                        if (ret < 0)
                                return ret;
                }
                if (*more == 0)
                        break;
                if (next_block(r, &block, err) <= 0)
                        return truncated(err);
                map = (const char *)block;
                more = map + 504;
                count = 21;
        }
        r->sparse_size = size;
        r->has_sparse_size = true;
        r->sparse_major = 0;
        return 0;
}

/* A line of decimal digits from the content, for pax 1.0's map. @block is the current block, @at the place in it. */
static int map_number(struct tar_reader *r, const uint8_t **block, size_t *at, uint64_t *ret_number, struct err **err) {
        char digits[24];
        size_t n = 0;

        for (;;) {
                if (*at == TAR_BLOCK || !*block) {
                        if (r->content < TAR_BLOCK || next_block(r, block, err) <= 0)
                                return truncated(err);
                        r->content -= TAR_BLOCK;
                        *at = 0;
                }
                char c = (char)(*block)[(*at)++];

                if (c == '\n')
                        break;
                if (n == sizeof(digits))
                        return err_set(err, EBADMSG, "%s: a sparse file's map is no number", r->entry.path);
                digits[n++] = c;
        }
        const char *p = digits;

        if (!tar_decimal(&p, digits + n, ret_number) || p != digits + n)
                return err_set(err, EBADMSG, "%s: a sparse file's map is no number", r->entry.path);
        return 0;
}

static int read_sparse_map(struct tar_reader *r, struct err **err) {
        const uint8_t *block = NULL;
        uint64_t count, offset, length;
        size_t at = 0;
        int ret = map_number(r, &block, &at, &count, err);

        if (ret < 0)
                return ret;
        for (uint64_t i = 0; i < count; i++)
                if ((ret = map_number(r, &block, &at, &offset, err)) < 0 ||
                    (ret = map_number(r, &block, &at, &length, err)) < 0 ||
                    (ret = tar_add_piece(r, offset, length, err)) < 0)
                        return ret;
        return 0;
}

static int finish_sparse(struct tar_reader *r, struct err **err) {
        uint64_t total = 0, end = 0;
        int ret = 0;

        if (r->sparse_major > 1 || (r->sparse_major == 1 && r->sparse_minor > 0))
                return err_set(err, EBADMSG, "%s: an unknown format of sparse files", r->entry.path);
        if (r->sparse_major == 1)
                ret = read_sparse_map(r, err);
        if (ret < 0)
                return ret;
        for (size_t i = 0; i < r->n_pieces; i++) {
                total += r->pieces[i].length;
                end = r->pieces[i].offset + r->pieces[i].length;
        }
        if (!r->has_sparse_size || total != r->content || end > r->sparse_size || r->sparse_size > INT64_MAX)
                return err_set(err, EBADMSG, "%s: a sparse file's map does not fit its size", r->entry.path);
        r->entry.size = r->sparse_size;
        r->entry.pieces = r->pieces;
        r->entry.n_pieces = r->n_pieces;
        return 0;
}

static void forget_extensions(struct tar_reader *r) {
        r->long_path = r->long_link = false;
        forget_pax(r);
        r->entry.n_pieces = 0;
        r->entry.pieces = NULL;
        r->entry.xattrs = r->xattrs;
}

static int take_entry(struct tar_reader *r, const struct tar_header *h, struct err **err) {
        bool old_sparse = h->type == 'S';
        int ret = tar_read_header(r, h, err);

        if (ret < 0)
                return ret;
        if (r->entry.size > INT64_MAX - TAR_BLOCK)
                return err_set(err, E2BIG, "%s: its size is impossible", r->entry.path);
        begin_content(r, r->entry.size);
        if (old_sparse && (ret = read_old_sparse(r, h, err)) < 0)
                return ret;
        if (r->entry.type == TAR_FILE && r->sparse_major >= 0 && (ret = finish_sparse(r, err)) < 0)
                return ret;
        return 1;
}

static bool is_zero(const uint8_t *block) {
        return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

int tar_next(struct tar_reader *r, const struct tar_entry **ret_entry, struct err **err) {
        int ret = end_content(r, err);

        if (ret < 0)
                return ret;
        forget_extensions(r);
        for (;;) {
                const uint8_t *block;
                struct tar_header h;

                ret = next_block(r, &block, err);
                if (ret <= 0 || is_zero(block))
                        return ret < 0 ? ret : 0;
                memcpy(&h, block, sizeof(h));
                if (!tar_checksum_valid(&h))
                        return err_set(err, EBADMSG, "no tar archive, or a damaged one: a header's checksum is wrong");
                ret = take_extension(r, &h, err);
                if (ret < 0)
                        return ret;
                if (ret == 0)
                        ret = take_entry(r, &h, err);
                else
                        continue;
                if (ret > 0)
                        *ret_entry = &r->entry;
                return ret;
        }
}

int tar_drain(struct tar_reader *r, struct err **err) {
        int ret;

        while ((ret = fill(r, err)) > 0)
                use(r, r->n);
        return ret;
}

#include <errno.h>
#include <string.h>

#include "images/worker/tar_internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"

bool tar_decimal(const char **text, const char *end, uint64_t *ret_number) {
        const char *p = *text;
        uint64_t number = 0;

        for (; p < end && *p >= '0' && *p <= '9'; p++) {
                if (number > (UINT64_MAX - 9) / 10)
                        return false;
                number = number * 10 + (uint64_t)(*p - '0');
        }
        if (p == *text)
                return false;
        *text = p;
        *ret_number = number;
        return true;
}

int tar_add_piece(struct tar_reader *r, uint64_t offset, uint64_t length, struct err **err) {
        const struct tar_piece *last = r->n_pieces > 0 ? &r->pieces[r->n_pieces - 1] : NULL;
        int grown;

        if (offset > INT64_MAX || length > INT64_MAX - offset || (last && offset < last->offset + last->length))
                return err_set(err, EBADMSG, "%s: the pieces of the sparse file are not in order", r->entry.path);
        grown = GROW(r->pieces, r->pieces_room, r->n_pieces + 1, TAR_SPARSE_MAX);
        if (grown == -E2BIG)
                return err_set(err, E2BIG, "%s: more than %d pieces of a sparse file", r->entry.path, TAR_SPARSE_MAX);
        if (grown < 0)
                return err_set(err, -grown, "out of memory");
        r->pieces[r->n_pieces++] = (struct tar_piece){ .offset = offset, .length = length };
        return 0;
}

/* A record's value; it is followed by the newline that ended it, made a NUL. */
struct record {
        const char *key, *value;
        size_t n; /* bytes of value */
};

/* pax(1): a value without bytes takes back what an earlier record said, and the header's field counts. */
static bool takes_back(const struct record *rec, bool *has) {
        if (rec->n == 0)
                *has = false;
        return rec->n == 0;
}

static int bad_record(const struct record *rec, struct err **err) {
        return err_set(err, EBADMSG, "pax record %.64s has a bad value", rec->key);
}

static int take_name(const struct record *rec, char *to, bool *has, struct err **err) {
        if (takes_back(rec, has))
                return 0;
        if (rec->n >= PATH_MAX)
                return err_set(err, E2BIG, "a name of %zu bytes; at most %d are taken", rec->n, PATH_MAX - 1);
        if (memchr(rec->value, '\0', rec->n))
                return bad_record(rec, err);
        memcpy(to, rec->value, rec->n + 1);
        *has = true;
        return 0;
}

static int take_number(const struct record *rec, uint64_t max, uint64_t *to, bool *has, struct err **err) {
        const char *p = rec->value;
        uint64_t number;

        if (takes_back(rec, has))
                return 0;
        if (!tar_decimal(&p, rec->value + rec->n, &number) || p != rec->value + rec->n || number > max)
                return bad_record(rec, err);
        *to = number;
        *has = true;
        return 0;
}

static int take_owner(const struct record *rec, uint32_t *to, bool *has, struct err **err) {
        uint64_t number;
        int r = take_number(rec, UINT32_MAX - 1, &number, has, err);

        if (r == 0 && *has)
                *to = (uint32_t)number;
        return r;
}

static int take_time(struct tar_reader *r, const struct record *rec, struct err **err) {
        const char *p = rec->value, *end = p + rec->n;
        bool negative = *p == '-';
        uint32_t nsec = 0, unit = 100000000;
        uint64_t seconds;

        if (takes_back(rec, &r->has_mtime))
                return 0;
        p += negative;
        if (!tar_decimal(&p, end, &seconds) || seconds > INT64_MAX)
                return bad_record(rec, err);
        if (p < end && *p++ != '.')
                return bad_record(rec, err);
        for (; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
                nsec += (uint32_t)(*p - '0') * unit;
        r->entry.mtime = negative ? -(int64_t)seconds : (int64_t)seconds;
        if (negative && nsec > 0) {
                r->entry.mtime--;
                nsec = 1000000000 - nsec;
        }
        r->entry.mtime_nsec = nsec;
        r->has_mtime = true;
        return 0;
}

static int take_xattr(struct tar_reader *r, const struct record *rec, const char *name, struct err **err) {
        if (r->entry.n_xattrs == TAR_XATTRS_MAX)
                return err_set(err, E2BIG, "more than %d extended attributes on one file", TAR_XATTRS_MAX);
        r->xattrs[r->entry.n_xattrs++] = (struct tar_xattr){ .name = name, .value = rec->value, .size = rec->n };
        return 0;
}

/* "offset,length,offset,length..." */
static int take_map(struct tar_reader *r, const struct record *rec, struct err **err) {
        const char *p = rec->value, *end = p + rec->n;

        while (p < end) {
                uint64_t offset, length;
                int ret;

                if (!tar_decimal(&p, end, &offset) || p == end || *p++ != ',' || !tar_decimal(&p, end, &length) ||
                    (p < end && *p++ != ','))
                        return bad_record(rec, err);
                ret = tar_add_piece(r, offset, length, err);
                if (ret < 0)
                        return ret;
        }
        return 0;
}

static int take_version(const struct record *rec, int *to, struct err **err) {
        bool has = false;
        uint64_t number;
        int r = take_number(rec, INT64_MAX, &number, &has, err);

        if (r == 0)
                *to = !has ? -1 : number > 1 ? 2 : (int)number;
        return r;
}

static int take_offset(struct tar_reader *r, const struct record *rec, uint64_t *ret_number, struct err **err) {
        bool has = false;
        int ret = take_number(rec, INT64_MAX, ret_number, &has, err);

        r->sparse_major = 0;
        return ret < 0 || has ? ret : bad_record(rec, err);
}

static int take_sparse(struct tar_reader *r, const struct record *rec, const char *key, struct err **err) {
        uint64_t number;
        int ret;

        if (strcmp(key, "name") == 0)
                return take_name(rec, r->entry.path, &r->has_path, err);
        if (strcmp(key, "map") == 0) {
                r->sparse_major = rec->n > 0 ? 0 : -1;
                r->n_pieces = 0;
                return take_map(r, rec, err);
        }
        if (strcmp(key, "major") == 0)
                return take_version(rec, &r->sparse_major, err);
        if (strcmp(key, "minor") == 0)
                return take_version(rec, &r->sparse_minor, err);
        if (strcmp(key, "realsize") == 0 || strcmp(key, "size") == 0)
                return take_number(rec, INT64_MAX, &r->sparse_size, &r->has_sparse_size, err);
        if (strcmp(key, "offset") == 0)
                return take_offset(r, rec, &r->sparse_offset, err);
        if (strcmp(key, "numbytes") == 0) {
                ret = take_offset(r, rec, &number, err);
                return ret < 0 ? ret : tar_add_piece(r, r->sparse_offset, number, err);
        }
        return 0;
}

static int take_record(struct tar_reader *r, const struct record *rec, struct err **err) {
        struct tar_entry *e = &r->entry;

        if (strcmp(rec->key, "path") == 0) /* GNU.sparse.name is the file's real one */
                return r->long_path || (r->sparse_major >= 0 && r->has_path) ?
                               0 :
                               take_name(rec, e->path, &r->has_path, err);
        if (strcmp(rec->key, "linkpath") == 0)
                return r->long_link ? 0 : take_name(rec, e->link, &r->has_link, err);
        if (strcmp(rec->key, "size") == 0)
                return take_number(rec, INT64_MAX, &r->pax_size, &r->has_size, err);
        if (strcmp(rec->key, "uid") == 0)
                return take_owner(rec, &e->uid, &r->has_uid, err);
        if (strcmp(rec->key, "gid") == 0)
                return take_owner(rec, &e->gid, &r->has_gid, err);
        if (strcmp(rec->key, "mtime") == 0)
                return take_time(r, rec, err);
        if (strncmp(rec->key, "SCHILY.xattr.", 13) == 0)
                return take_xattr(r, rec, rec->key + 13, err);
        if (strncmp(rec->key, "GNU.sparse.", 11) == 0)
                return take_sparse(r, rec, rec->key + 11, err);
        return 0; /* atime, ctime, comment, charset and vendors' own */
}

int tar_read_pax(struct tar_reader *r, size_t n, struct err **err) {
        char *p = r->pax, *end = p + n;

        while (p < end && *p != '\0') {
                const char *digits = p;
                uint64_t length;
                char *key, *equals;
                struct record rec;
                int ret;

                if (!tar_decimal(&digits, end, &length) || digits == end || *digits != ' ' ||
                    length > (uint64_t)(end - p) || length < (uint64_t)(digits - p) + 3 || p[length - 1] != '\n')
                        return err_set(err, EBADMSG, "a pax header's record is malformed");
                key = p + (digits - p) + 1;
                p += length;
                p[-1] = '\0';
                equals = memchr(key, '=', (size_t)(p - 1 - key));
                if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key)))
                        return err_set(err, EBADMSG, "a pax header's record is malformed");
                *equals = '\0';
                rec = (struct record){ .key = key, .value = equals + 1, .n = (size_t)(p - 1 - (equals + 1)) };
                ret = take_record(r, &rec, err);
                if (ret < 0)
                        return ret;
        }
        return 0;
}

#include <errno.h>
#include <string.h>

#include "images/worker/tar_internal.h"
#include "lib/err.h"

bool tar_number(const char *field, size_t n, uint64_t *ret_number) {
        const uint8_t *p = (const uint8_t *)field;
        uint64_t number = 0;
        size_t i = 0;

        if (p[0] & 0x80) { /* base 256; negative ones only make sense as times, and there they are the caller's */
                number = p[0] & 0x3f;
                if (p[0] & 0x40)
                        return false;
                for (i = 1; i < n; i++) {
                        if (number >> 55)
                                return false;
                        number = number << 8 | p[i];
                }
                *ret_number = number;
                return true;
        }
        while (i < n && p[i] == ' ')
                i++;
        for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
                if (number >> 60)
                        return false;
                number = number << 3 | (uint64_t)(p[i] - '0');
        }
        if (i < n && p[i] != ' ' && p[i] != '\0')
                return false;
        *ret_number = number;
        return true;
}

/* A time before 1970 is a negative number in base 256. */
static int64_t read_time(const char field[12]) {
        uint64_t number;

        if (((uint8_t)field[0] & 0xc0) == 0xc0) {
                number = UINT64_MAX;
                for (size_t i = 4; i < 12; i++)
                        number = number << 8 | (uint8_t)field[i];
                return (int64_t)number;
        }
        return tar_number(field, 12, &number) && number <= INT64_MAX ? (int64_t)number : 0;
}

bool tar_checksum_valid(const struct tar_header *h) {
        const uint8_t *p = (const uint8_t *)h;
        uint64_t wanted, sum = 0;
        int64_t with_sign = 0;

        if (!tar_number(h->checksum, sizeof(h->checksum), &wanted))
                return false;
        for (size_t i = 0; i < TAR_BLOCK; i++) {
                uint8_t c = i >= 148 && i < 156 ? ' ' : p[i];

                sum += c;
                with_sign += (int8_t)c;
        }
        return wanted == sum || (int64_t)wanted == with_sign;
}

static void copy_field(char *to, const char *field, size_t n) {
        size_t length = strnlen(field, n);

        memcpy(to, field, length);
        to[length] = '\0';
}

static void read_name(struct tar_entry *e, const struct tar_header *h) {
        bool posix = memcmp(h->magic, "ustar\0", 6) == 0;
        size_t prefix = posix ? strnlen(h->prefix, sizeof(h->prefix)) : 0;

        if (prefix > 0) {
                memcpy(e->path, h->prefix, prefix);
                e->path[prefix++] = '/';
        }
        copy_field(e->path + prefix, h->name, sizeof(h->name));
}

static int read_owner(const char *field, const char *what, const char *path, uint32_t *ret, struct err **err) {
        uint64_t number;

        if (!tar_number(field, 8, &number) || number >= UINT32_MAX)
                return err_set(err, EBADMSG, "%s: %s is no number or too large", path, what);
        *ret = (uint32_t)number;
        return 0;
}

static enum tar_type type_of(const struct tar_header *h, const char *path) {
        size_t n = strlen(path);

        if (h->type == '7' || h->type == 'S')
                return TAR_FILE;
        if (h->type == '\0' || h->type == '0') /* how v7 writes a directory */
                return n > 0 && path[n - 1] == '/' ? TAR_DIRECTORY : TAR_FILE;
        return (enum tar_type)h->type;
}

int tar_read_header(struct tar_reader *r, const struct tar_header *h, struct err **err) {
        struct tar_entry *e = &r->entry;
        uint64_t mode, size;
        int ret;

        if (!r->has_path)
                read_name(e, h);
        if (!r->has_link)
                copy_field(e->link, h->link, sizeof(h->link));
        if (!tar_number(h->mode, sizeof(h->mode), &mode) || !tar_number(h->size, sizeof(h->size), &size))
                return err_set(err, EBADMSG, "%s: mode or size is no number", e->path);
        if (!r->has_uid && (ret = read_owner(h->uid, "uid", e->path, &e->uid, err)) < 0)
                return ret;
        if (!r->has_gid && (ret = read_owner(h->gid, "gid", e->path, &e->gid, err)) < 0)
                return ret;
        e->type = type_of(h, e->path);
        e->major = e->minor = 0;
        if ((e->type == TAR_CHAR || e->type == TAR_BLOCK_DEVICE) &&
            ((ret = read_owner(h->major, "device", e->path, &e->major, err)) < 0 ||
             (ret = read_owner(h->minor, "device", e->path, &e->minor, err)) < 0))
                return ret;
        e->mode = mode & 07777;
        if (!r->has_mtime) {
                e->mtime = read_time(h->mtime);
                e->mtime_nsec = 0;
        }
        e->size = e->type != TAR_FILE ? 0 : r->has_size ? r->pax_size : size;
        return 0;
}

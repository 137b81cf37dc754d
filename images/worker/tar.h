/* Reading of tar streams: v7, ustar, GNU (long names, sparse files, base-256 numbers) and pax (with xattrs and sparse
 * maps). Made for hostile input and for speed: content is handed out as slices of the caller's own buffers.
 *
 * Formats: pax(1) "EXTENDED DESCRIPTION"; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files".
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define TAR_BLOCK 512
#define TAR_EXTENSION_MAX (1 << 20) /* bytes of one extended header */
#define TAR_XATTRS_MAX 128          /* of one entry */
#define TAR_SPARSE_MAX 65536        /* pieces of one sparse file */

enum tar_type {
        TAR_FILE = '0',
        TAR_HARDLINK = '1',
        TAR_SYMLINK = '2',
        TAR_CHAR = '3',
        TAR_BLOCK_DEVICE = '4',
        TAR_DIRECTORY = '5',
        TAR_FIFO = '6',
};

struct tar_xattr {
        const char *name;
        const void *value;
        size_t size;
};

struct tar_piece {
        uint64_t offset, length; /* where in the file the next @length bytes of content belong */
};

/* Valid until the next tar_next(). */
struct tar_entry {
        enum tar_type type;
        char path[PATH_MAX]; /* as in the archive, not checked */
        char link[PATH_MAX]; /* target of links */
        uint32_t mode;       /* the low twelve bits */
        uint32_t uid, gid, major, minor;
        int64_t mtime; /* seconds since 1970 */
        uint32_t mtime_nsec;
        uint64_t size; /* bytes of the file; for sparse ones more than the content */
        struct tar_xattr *xattrs;
        size_t n_xattrs;
        struct tar_piece *pieces; /* NULL for a file that is not sparse */
        size_t n_pieces;
};

/* Where the bytes come from. */
struct tar_source {
        /* The next bytes, valid until the next call: a multiple of TAR_BLOCK but for the last. *@ret_n 0: the end.
         * Returns 0 or a negative errno with *@err. */
        int (*next)(void *data, const uint8_t **ret_bytes, size_t *ret_n, struct err **err);
        /* Leaves out @n bytes, a multiple of TAR_BLOCK; NULL when the source can only be read. */
        int (*skip)(void *data, uint64_t n, struct err **err);
        void *data;
};

struct tar_reader;

/* Returns NULL without memory. */
struct tar_reader *tar_reader_new(const struct tar_source *source);
void tar_reader_free(struct tar_reader *reader);
void tar_reader_freep(struct tar_reader **reader);

/* Goes to the next entry, past what is left of this one. Returns 1 with *@ret_entry, 0 at the end of the archive, or
 * -EBADMSG for what is no tar, -E2BIG past a maximum, or the source's error. */
int tar_next(struct tar_reader *reader, const struct tar_entry **ret_entry, struct err **err);

/* The next bytes of the entry's content. Returns 1 with them, 0 when there are no more, or a negative errno. */
int tar_read(struct tar_reader *reader, const uint8_t **ret_bytes, size_t *ret_n, struct err **err);

/* Where in the archive the content of this entry begins, in bytes. */
uint64_t tar_offset(const struct tar_reader *reader);

/* Reads the source to its end: what follows the archive still counts for its digest. */
int tar_drain(struct tar_reader *reader, struct err **err);

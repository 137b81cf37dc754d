/* What the tar reader's files share. */
#pragma once

#include "images/worker/tar.h"

struct tar_header {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6],
                version[2];
        char uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};

struct tar_reader {
        struct tar_source source;
        const uint8_t *bytes; /* what the source gave and is not used yet */
        size_t n;
        uint64_t offset;           /* of bytes[0] in the archive */
        uint64_t content, padding; /* left of this entry */
        struct tar_entry entry;
        /* set by extended headers for the entry that follows */
        bool has_path, has_link, has_size, has_uid, has_gid, has_mtime;
        bool long_path, long_link; /* by GNU's headers, which count before pax's */
        uint64_t pax_size;
        char *pax; /* the last pax header's text; names and values of xattrs point into it */
        struct tar_xattr xattrs[TAR_XATTRS_MAX];
        struct tar_piece *pieces;
        size_t n_pieces, pieces_room;
        int sparse_major, sparse_minor; /* pax sparse format; -1: none */
        bool has_sparse_size;
        uint64_t sparse_size, sparse_offset;
};

/* A number in octal or base 256. False when it is neither or does not fit. */
bool tar_number(const char *field, size_t n, uint64_t *ret_number);

/* Whether the header's checksum is right, by either way of counting. */
bool tar_checksum_valid(const struct tar_header *header);

/* Fills @reader's entry from @header where no extended header has set it. */
int tar_read_header(struct tar_reader *reader, const struct tar_header *header, struct err **err);

/* Reads the records of the pax header in reader->pax (@n bytes). */
int tar_read_pax(struct tar_reader *reader, size_t n, struct err **err);

/* Appends a piece of a sparse file, and checks that pieces are in order. */
int tar_add_piece(struct tar_reader *reader, uint64_t offset, uint64_t length, struct err **err);

/* Reads decimal digits at *@text before @end; false when there are none or they do not fit. */
bool tar_decimal(const char **text, const char *end, uint64_t *ret_number);

/* Writing of tar archives: ustar with pax headers for what does not fit (long names, large numbers, xattrs), holes as
 * GNU's pax sparse format 1.0.
 *
 * Files may be changed by others while they are read: an entry gets as many bytes as its header says, what is missing
 * is zeros. Formats: pax(1) "EXTENDED DESCRIPTION"; GNU tar manual, "Storing Sparse Files".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct err;

#define TAR_WRITER_XATTRS_MAX (256 * 1024) /* bytes of one entry's */
#define TAR_WRITER_PIECES_MAX 1024         /* of a sparse file; behind them it is written whole */

struct tar_item {
        const char *path;      /* in the archive, relative */
        const char *link;      /* target of a symbolic link */
        const struct stat *st; /* what it is; of a file as many bytes as st_size */
        int content;           /* of a file, read from its beginning by offset; -EBADF: none */
        const char *xattrs;    /* of which its xattrs are kept: a path such as /proc/self/fd/N; NULL: none */
};

/* Writes one entry at @fd's offset. A socket has no form in an archive: -ENOTSUP. */
int image_tar_write(int fd, const struct tar_item *item, struct err **err);

/* A file of root's with these bytes, dated 1970 so that the same content makes the same archive. */
int image_tar_write_text(int fd, const char *path, mode_t mode, const char *text, size_t length, struct err **err);

/* The same in parts: what goes before @size bytes of content, which the caller writes, and what fills their last block.
 * @path has at most 100 bytes. */
int image_tar_write_begin(int fd, const char *path, mode_t mode, uint64_t size, struct err **err);
int image_tar_write_padding(int fd, uint64_t size, struct err **err);

int image_tar_write_end(int fd, struct err **err);

/* A blob while it arrives: one who brings it and one who reads.
 *
 * What comes from the network is read where it was received, in a window of memory, and goes past the page cache to the
 * file, which nobody reads soon: whoever brings it waits while the window is full. What is in the file already, from a
 * pull that was cut or from an archive, is read from there.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define FEED_CHUNK (512 * 1024) /* written at once */
#define FEED_WINDOW (4 * FEED_CHUNK)
#define FEED_ALIGN 4096 /* where the first byte that is put must be, past the page cache */

struct feed {
        int fd;        /* borrowed */
        uint64_t base; /* where in the file the blob begins */
        uint64_t size; /* of the whole blob */

        /* of the one who brings it */
        int direct;      /* the file past the page cache, or negative */
        uint64_t stored; /* bytes that are in the file */

        uint8_t *memory;      /* FEED_WINDOW; the byte at N is at N % FEED_WINDOW */
        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t changed;
        uint64_t window;   /* bytes from here on are in memory */
        uint64_t released; /* bytes up to here are read no more */
        uint64_t ready;    /* bytes that are there */
        uint64_t wanted;   /* the reader waits for so many */
        struct err *error; /* why no more will come */
};

/* @ready bytes are in the file from the start; all of them for a blob that is complete. */
void feed_init(struct feed *feed, int fd, uint64_t base, uint64_t size, uint64_t ready);
void feed_clear(struct feed *feed);

/* Takes the next @n bytes, at most what is missing of the blob. Waits until the reader makes room. Returns 0 or a
 * negative errno, -ECANCELED when the feed has an error. */
int feed_put(struct feed *feed, const void *bytes, size_t n);

/* Writes to the file what was put, all of it. Returns 0 or a negative errno. */
int feed_flush(struct feed *feed);

/* Says that @n more bytes are in the file; for who does not put. */
void feed_advance(struct feed *feed, uint64_t n);

struct feed_wish {
        uint64_t offset;
        size_t min, max; /* bytes: waited for, or all that the blob has; and as many at most */
        uint8_t *buffer; /* of @max bytes, for those that come from the file */
};

/* For the reader: the bytes at @wish->offset. They are in memory until feed_release(), or in @wish->buffer. Returns the
 * number of bytes, 0 at the blob's end, or a negative errno with *@err. */
ssize_t feed_get(struct feed *feed, const struct feed_wish *wish, const uint8_t **ret_bytes, struct err **err);

/* The bytes up to @offset are read no more. Before a feed_get() that waits, at least all but @min of the window must be
 * released. */
void feed_release(struct feed *feed, uint64_t offset);

/* Bytes that are there. */
uint64_t feed_ready(struct feed *feed);

/* Whether all of the blob is in the file; asked when nobody brings it any more. */
bool feed_complete(const struct feed *feed);

/* Whether it has an error. */
bool feed_failed(struct feed *feed);

/* Waits @ms milliseconds, or until it has an error: then true. */
bool feed_wait_failed(struct feed *feed, unsigned ms);

/* Wakes everybody with an error of @code and @text; the first one stays. */
void feed_fail(struct feed *feed, int code, const char *text);

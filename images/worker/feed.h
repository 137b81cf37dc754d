/* A blob while it arrives: a region of a file that grows, one who writes and one who reads.
 *
 * The file is the queue between download and unpacking: its pages are in memory anyway, nothing waits for the slower
 * one, and a pull that is taken up again reads what is there. Safe for one writing and several reading threads.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct feed {
        int fd;               /* borrowed */
        uint64_t base;        /* where in the file the blob begins */
        uint64_t size;        /* of the whole blob */
        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t changed;
        uint64_t ready;    /* bytes that are there */
        struct err *error; /* why no more will come */
};

/* @ready bytes are there from the start; all of them for a blob that is complete. */
void feed_init(struct feed *feed, int fd, uint64_t base, uint64_t size, uint64_t ready);
void feed_clear(struct feed *feed);

/* Reads up to @n bytes at @offset into @buffer; waits until there is at least one. Returns the number of bytes, 0 at
 * the blob's end, or a negative errno with *@err. */
ssize_t feed_read(struct feed *feed, uint64_t offset, void *buffer, size_t n, struct err **err);

/* Says that @n more bytes are there. */
void feed_advance(struct feed *feed, uint64_t n);

/* Whether it has an error. */
bool feed_failed(struct feed *feed);

/* Waits @ms milliseconds, or until it has an error: then true. */
bool feed_wait_failed(struct feed *feed, unsigned ms);

/* Wakes the readers with an error of @code and @text; the first one stays. */
void feed_fail(struct feed *feed, int code, const char *text);

#include "images/worker/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "images/worker/pages.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

void feed_init(struct feed *f, int fd, uint64_t base, uint64_t size, uint64_t ready) {
        *f = (struct feed){ .fd = fd,
                            .base = base,
                            .size = size,
                            .direct = -EBADF,
                            .stored = ready,
                            .window = UINT64_MAX,
                            .ready = ready };
        pthread_mutex_init(&f->lock, NULL);
        pthread_cond_init(&f->changed, NULL);
}

void feed_clear(struct feed *f) {
        f->direct = close_fd(f->direct);
        free(f->memory);
        f->memory = NULL;
        f->error = err_free(f->error);
        pthread_mutex_destroy(&f->lock);
        pthread_cond_destroy(&f->changed);
}

static int open_window(struct feed *f) {
        char path[64];

        f->memory = huge_pages(FEED_WINDOW);
        if (!f->memory)
                return -ENOMEM;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
        f->direct = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC); /* refused by what cannot do without its cache */
        pthread_mutex_lock(&f->lock);
        f->window = f->released = f->ready;
        pthread_mutex_unlock(&f->lock);
        return 0;
}

/* Writes the @n bytes from f->stored on, which do not cross a chunk's end. */
static int store(struct feed *f, size_t n) {
        const uint8_t *bytes = f->memory + f->stored % FEED_WINDOW;
        uint64_t offset = f->base + f->stored;
        int r = -EINVAL;

        if (f->direct >= 0 && offset % FEED_ALIGN == 0 && n % FEED_ALIGN == 0)
                r = files_write_at(f->direct, bytes, n, offset);
        if (r == -EINVAL) { /* also where more than FEED_ALIGN is asked for */
                r = files_write_at(f->fd, bytes, n, offset);
                /* The disk would idle now, and the sync at the end wait for all of it. */
                sync_file_range(f->fd, (off_t)offset, (off_t)n, SYNC_FILE_RANGE_WRITE);
        }
        if (r < 0)
                return r;
        f->stored += n;
        return 0;
}

int feed_flush(struct feed *f) {
        size_t n = f->memory ? (size_t)(f->ready - f->stored) : 0;
        size_t aligned = (f->base + f->stored) % FEED_ALIGN == 0 ? n - n % FEED_ALIGN : 0;
        int r = aligned > 0 ? store(f, aligned) : 0;

        return r == 0 && n > aligned ? store(f, n - aligned) : r;
}

/* Waits until there is room behind what is ready, up to the chunk's end. Returns how much, 0 after an error. */
static size_t wait_for_room(struct feed *f) {
        size_t room = 0;

        pthread_mutex_lock(&f->lock);
        while (f->ready - f->released == FEED_WINDOW && !f->error)
                pthread_cond_wait(&f->changed, &f->lock);
        if (!f->error)
                room = FEED_WINDOW - (size_t)(f->ready - f->released);
        pthread_mutex_unlock(&f->lock);
        return room < FEED_CHUNK - f->ready % FEED_CHUNK ? room : FEED_CHUNK - f->ready % FEED_CHUNK;
}

int feed_put(struct feed *f, const void *bytes, size_t n) {
        const uint8_t *from = bytes;
        int r = f->memory ? 0 : open_window(f);

        while (r == 0 && n > 0) {
                size_t part = wait_for_room(f);

                if (part == 0)
                        return -ECANCELED;
                if (part > n)
                        part = n;
                memcpy(f->memory + f->ready % FEED_WINDOW, from, part);
                feed_advance(f, part);
                from += part;
                n -= part;
                if (f->ready % FEED_CHUNK == 0)
                        r = feed_flush(f);
        }
        return r;
}

void feed_advance(struct feed *f, uint64_t n) {
        pthread_mutex_lock(&f->lock);
        f->ready += n;
        if (!f->memory)
                f->stored = f->ready;
        if (f->ready >= f->wanted)
                pthread_cond_broadcast(&f->changed);
        pthread_mutex_unlock(&f->lock);
}

static uint64_t end_of(const struct feed *f, uint64_t offset, size_t min) {
        return offset >= f->size || min >= f->size - offset ? f->size : offset + min;
}

static ssize_t read_file(struct feed *f, uint64_t offset, size_t n, uint8_t *buffer, struct err **err) {
        ssize_t got;

        do
                got = pread(f->fd, buffer, n, (off_t)(f->base + offset));
        while (got < 0 && errno == EINTR);
        if (got < 0)
                return err_errno(err, errno, "read blob");
        return got > 0 ? got : err_set(err, EBADMSG, "the file became shorter while it was read");
}

ssize_t feed_get(struct feed *f, const struct feed_wish *wish, const uint8_t **ret_bytes, struct err **err) {
        uint64_t offset = wish->offset, there, window;
        size_t n = wish->max;
        int r = 0;

        if (offset >= f->size)
                return 0;
        pthread_mutex_lock(&f->lock);
        f->wanted = end_of(f, offset, wish->min);
        while (f->ready < f->wanted && !f->error)
                pthread_cond_wait(&f->changed, &f->lock);
        there = f->ready;
        window = f->window;
        if (f->error)
                r = err_repeat(err, f->error);
        pthread_mutex_unlock(&f->lock);
        if (r < 0)
                return r;
        if (offset < window) {
                if (there > window)
                        there = window;
                *ret_bytes = wish->buffer;
                return read_file(f, offset, n < there - offset ? n : (size_t)(there - offset), wish->buffer, err);
        }
        size_t at = (size_t)(offset % FEED_WINDOW), straight = FEED_WINDOW - at;

        if (straight > there - offset)
                straight = (size_t)(there - offset);
        *ret_bytes = f->memory + at;
        return (ssize_t)(n < straight ? n : straight);
}

void feed_release(struct feed *f, uint64_t offset) {
        pthread_mutex_lock(&f->lock);
        if (offset > f->released) {
                f->released = offset;
                pthread_cond_broadcast(&f->changed);
        }
        pthread_mutex_unlock(&f->lock);
}

uint64_t feed_ready(struct feed *f) {
        uint64_t ready;

        pthread_mutex_lock(&f->lock);
        ready = f->ready;
        pthread_mutex_unlock(&f->lock);
        return ready;
}

bool feed_complete(const struct feed *f) {
        return f->stored == f->size;
}

bool feed_failed(struct feed *f) {
        return feed_wait_failed(f, 0);
}

bool feed_wait_failed(struct feed *f, unsigned ms) {
        struct timespec until;
        bool failed;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += ms / 1000;
        until.tv_nsec += (long)(ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
        }
        pthread_mutex_lock(&f->lock);
        while (ms > 0 && !f->error && pthread_cond_timedwait(&f->changed, &f->lock, &until) != ETIMEDOUT)
                ;
        failed = f->error;
        pthread_mutex_unlock(&f->lock);
        return failed;
}

void feed_fail(struct feed *f, int code, const char *text) {
        pthread_mutex_lock(&f->lock);
        if (!f->error)
                err_set(&f->error, code, "%s", text);
        pthread_cond_broadcast(&f->changed);
        pthread_mutex_unlock(&f->lock);
}

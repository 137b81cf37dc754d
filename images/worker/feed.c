#include "images/worker/feed.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "lib/err.h"

void feed_init(struct feed *f, int fd, uint64_t base, uint64_t size, uint64_t ready) {
        *f = (struct feed){ .fd = fd, .base = base, .size = size, .ready = ready };
        pthread_mutex_init(&f->lock, NULL);
        pthread_cond_init(&f->changed, NULL);
}

void feed_clear(struct feed *f) {
        f->error = err_free(f->error);
        pthread_mutex_destroy(&f->lock);
        pthread_cond_destroy(&f->changed);
}

ssize_t feed_read(struct feed *f, uint64_t offset, void *buffer, size_t n, struct err **err) {
        uint64_t there;
        ssize_t got;
        int r = 0;

        if (offset >= f->size)
                return 0;
        pthread_mutex_lock(&f->lock);
        while (f->ready <= offset && !f->error)
                pthread_cond_wait(&f->changed, &f->lock);
        there = f->ready;
        if (f->error)
                r = err_set(err, err_code(f->error), "%s", err_text(f->error));
        pthread_mutex_unlock(&f->lock);
        if (r < 0)
                return r;
        if (n > there - offset)
                n = (size_t)(there - offset);
        do
                got = pread(f->fd, buffer, n, (off_t)(f->base + offset));
        while (got < 0 && errno == EINTR);
        if (got < 0)
                return err_errno(err, errno, "read blob");
        return got > 0 ? got : err_set(err, EBADMSG, "the file became shorter while it was read");
}

void feed_advance(struct feed *f, uint64_t n) {
        pthread_mutex_lock(&f->lock);
        f->ready += n;
        pthread_cond_broadcast(&f->changed);
        pthread_mutex_unlock(&f->lock);
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

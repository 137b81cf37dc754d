#include "api/audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/audit/aside.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/grow.h"
#include "lib/log.h"

struct buffer {
        char *text;
        size_t length, size;
};

struct audit_log {
        struct audit_log_config config;
        pthread_t thread;
        pthread_mutex_t lock;           /* of what follows */
        pthread_cond_t filled, emptied; /* the thread waits for the one, writers for the other */
        struct buffer waiting;
        bool closing;

        /* The thread's. */
        int fd;
        uint64_t size; /* of the file */
        bool failed;   /* the last write; told once */
};

/* --- the file --- */

static int open_file(struct audit_log *log, struct err **err) {
        struct stat st = { 0 };

        if (strcmp(log->config.path, "-") == 0) {
                log->fd = STDOUT_FILENO;
                return 0;
        }
        log->fd = open(log->config.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log->fd < 0)
                return err_errno(err, errno, "cannot open the audit log %s", log->config.path);
        fstat(log->fd, &st);
        log->size = (uint64_t)st.st_size;
        return 0;
}

static void close_file(struct audit_log *log) {
        if (log->fd != STDOUT_FILENO)
                close_fd(log->fd);
        log->fd = -EBADF;
}

static void turn_over(struct audit_log *log) {
        _cleanup_err_ struct err *err = NULL;
        const struct audit_log_config *c = &log->config;

        close_file(log);
        if (audit_put_aside(c->path, c->max_files, c->max_days, &err) < 0 || open_file(log, &err) < 0)
                log_error("%s", err_text(err));
}

static bool is_full(const struct audit_log *log, size_t more) {
        uint64_t max = (uint64_t)log->config.max_mib << 20;

        return max > 0 && log->fd != STDOUT_FILENO && log->size > 0 && log->size + more > max;
}

/* A full disk is told of once; what it does not take is lost. */
static void write_line(struct audit_log *log, const char *line, size_t length) {
        _cleanup_err_ struct err *err = NULL;
        int r;

        if (is_full(log, length))
                turn_over(log);
        if (log->fd < 0 && open_file(log, &err) < 0)
                r = -EBADF;
        else
                r = files_write_all(log->fd, line, length);
        if (r < 0) {
                if (!log->failed)
                        log_error("audit log %s: %s; events are lost", log->config.path, strerror(-r));
        } else
                log->size += length;
        log->failed = r < 0;
}

/* --- the thread --- */

/* What waits, as a whole; nothing any more once it closes. */
static bool take(struct audit_log *log, struct buffer *ret_taken) {
        pthread_mutex_lock(&log->lock);
        while (log->waiting.length == 0 && !log->closing)
                pthread_cond_wait(&log->filled, &log->lock);
        *ret_taken = log->waiting;
        log->waiting = (struct buffer){ 0 };
        pthread_cond_broadcast(&log->emptied);
        pthread_mutex_unlock(&log->lock);
        return ret_taken->length > 0;
}

/* Lines that fit into the file go in one write. */
static void write_buffer(struct audit_log *log, const struct buffer *buffer) {
        const char *at = buffer->text, *end = at + buffer->length;

        if (!is_full(log, buffer->length))
                return write_line(log, at, buffer->length);
        while (at < end) {
                const char *next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;

                write_line(log, at, (size_t)(next - at));
                at = next;
        }
}

static void *run(void *data) {
        struct audit_log *log = data;
        struct buffer taken;

        while (take(log, &taken)) {
                write_buffer(log, &taken);
                free(taken.text);
        }
        return NULL;
}

/* --- who uses it --- */

int audit_log_open(const struct audit_log_config *config, struct audit_log **ret_log, struct err **err) {
        struct audit_log *log = calloc(1, sizeof(*log));
        int r;

        if (!log)
                return err_set(err, ENOMEM, "no memory for the audit log");
        log->config = *config;
        r = open_file(log, err);
        if (r < 0) {
                free(log);
                return r;
        }
        pthread_mutex_init(&log->lock, NULL);
        pthread_cond_init(&log->filled, NULL);
        pthread_cond_init(&log->emptied, NULL);
        r = pthread_create(&log->thread, NULL, run, log);
        if (r != 0) {
                close_file(log);
                free(log);
                return err_errno(err, r, "cannot start the audit log's thread");
        }
        *ret_log = log;
        return 0;
}

struct audit_log *audit_log_close(struct audit_log *log) {
        if (!log)
                return NULL;
        pthread_mutex_lock(&log->lock);
        log->closing = true;
        pthread_cond_signal(&log->filled);
        pthread_mutex_unlock(&log->lock);
        pthread_join(log->thread, NULL);
        close_file(log);
        free(log->waiting.text);
        pthread_cond_destroy(&log->filled);
        pthread_cond_destroy(&log->emptied);
        pthread_mutex_destroy(&log->lock);
        free(log);
        return NULL;
}

static int add(struct buffer *buffer, const char *line, size_t length) {
        int r = GROW(buffer->text, buffer->size, buffer->length + length + 1, GROW_NO_MAX);

        if (r < 0)
                return r;
        memcpy(buffer->text + buffer->length, line, length);
        buffer->text[buffer->length + length] = '\n';
        buffer->length += length + 1;
        return 0;
}

int audit_log_write(struct audit_log *log, const char *line, size_t length) {
        int r;

        pthread_mutex_lock(&log->lock);
        while (log->waiting.length > 0 && log->waiting.length + length > AUDIT_WAITING_MAX)
                pthread_cond_wait(&log->emptied, &log->lock);
        r = add(&log->waiting, line, length);
        pthread_cond_signal(&log->filled);
        pthread_mutex_unlock(&log->lock);
        return r;
}

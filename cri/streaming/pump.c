#include "cri/streaming/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/transport/queue.h"

/* A pipe's, less what a message has before it: in TLS it is four full records then, not four and a small one. */
#define READ_SIZE ((64u << 10) - 16)
#define RANGES_MAX 16
/* Of a command's pipes: it and its client need not take turns. */
#define PIPE_SIZE (256 << 10)

struct pump_source {
        uv_poll_t *poll;
        int fd;
        bool polling, ended;
        void (*on_data)(void *data, const char *bytes, size_t n);
        void (*on_end)(void *data);
        void *data;
};

struct pump_sink {
        uv_poll_t *poll; /* NULL: not open yet, or at its end */
        uv_loop_t *loop;
        int fd;
        bool polling, ending, broken, was_full;
        struct queue waiting;
        size_t room; /* past it, it is full */
        void (*on_room)(void *data);
        void (*on_end)(void *data);
        void *data;
};

static void set_nonblocking(int fd) {
        int flags = fcntl(fd, F_GETFL);

        if (flags >= 0)
                fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Handles are apart from their objects: libuv wants to keep them a moment longer. */
static uv_poll_t *watch_new(uv_loop_t *loop, int fd, void *data) {
        uv_poll_t *poll = malloc(sizeof(*poll));

        set_nonblocking(fd);
        (void)!fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
        if (!poll || uv_poll_init(loop, poll, fd) < 0) {
                free(poll);
                return NULL;
        }
        poll->data = data;
        return poll;
}

static void source_poll(struct pump_source *source, bool on);

static void on_readable(uv_poll_t *poll, int status, int events) {
        static char buffer[READ_SIZE];
        struct pump_source *source = poll->data;
        ssize_t n;

        if (status < 0) { /* libuv has stopped at an error condition, in front of which there may still be data */
                source->polling = false;
                source_poll(source, true);
        }
        n = read(source->fd, buffer, sizeof(buffer));
        if (n > 0)
                return source->on_data(source->data, buffer, (size_t)n);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        /* A terminal whose processes are gone reads EIO: an end like any other. */
        source->ended = true;
        source_poll(source, false);
        source->on_end(source->data);
}

static void source_poll(struct pump_source *source, bool on) {
        if (source->polling == on)
                return;
        source->polling = on;
        if (on)
                uv_poll_start(source->poll, UV_READABLE, on_readable);
        else
                uv_poll_stop(source->poll);
}

struct pump_source *streaming_pump_source_new(uv_loop_t *loop, int fd,
                                              void (*on_data)(void *data, const char *bytes, size_t n),
                                              void (*on_end)(void *data), void *data) {
        struct pump_source *source = calloc(1, sizeof(*source));

        if (source)
                source->poll = watch_new(loop, fd, source);
        if (!source || !source->poll) {
                close_fd(fd);
                free(source);
                return NULL;
        }
        source->fd = fd;
        source->on_data = on_data;
        source->on_end = on_end;
        source->data = data;
        source_poll(source, true);
        return source;
}

void streaming_pump_source_pause(struct pump_source *source) {
        if (source)
                source_poll(source, false);
}

void streaming_pump_source_resume(struct pump_source *source) {
        if (source && !source->ended)
                source_poll(source, true);
}

bool streaming_pump_source_ended(const struct pump_source *source) {
        return !source || source->ended;
}

void streaming_pump_source_free(struct pump_source *source) {
        if (!source)
                return;
        handle_free(source->poll);
        close_fd(source->fd);
        free(source);
}

struct pump_sink *streaming_pump_sink_new(uv_loop_t *loop, size_t room, void (*on_room)(void *data), void *data) {
        struct pump_sink *sink = calloc(1, sizeof(*sink));

        if (!sink)
                return NULL;
        sink->loop = loop;
        sink->fd = -EBADF;
        sink->room = room;
        queue_init(&sink->waiting);
        sink->on_room = on_room;
        sink->data = data;
        return sink;
}

static void on_writable(uv_poll_t *poll, int status, int events);

static void sink_poll(struct pump_sink *sink, bool on) {
        if (sink->polling == on)
                return;
        sink->polling = on;
        if (on)
                uv_poll_start(sink->poll, UV_WRITABLE, on_writable);
        else
                uv_poll_stop(sink->poll);
}

static void tell_room(struct pump_sink *sink) {
        if (!sink->was_full || sink->waiting.size >= sink->room / 2)
                return;
        sink->was_full = false;
        sink->on_room(sink->data);
}

static void sink_close(struct pump_sink *sink) {
        handle_free(sink->poll);
        sink->poll = NULL;
        if (sink->fd >= 0)
                shutdown(sink->fd, SHUT_WR); /* a socket may have other descriptors */
        sink->fd = close_fd(sink->fd);
}

/* Nothing more is written: tells once. */
static void sink_finish(struct pump_sink *sink) {
        void (*on_end)(void *data) = sink->on_end;

        queue_clear(&sink->waiting);
        sink->broken = true;
        sink_close(sink);
        sink->on_end = NULL;
        tell_room(sink);
        if (on_end)
                on_end(sink->data);
}

/* Returns bytes written, -EAGAIN, or the end. */
static ssize_t write_ranges(const struct pump_sink *sink, const struct iovec *ranges, unsigned n) {
        ssize_t written;

        do
                written = writev(sink->fd, ranges, (int)n);
        while (written < 0 && errno == EINTR);
        return written < 0 ? -errno : written;
}

static void flush(struct pump_sink *sink) {
        while (!queue_empty(&sink->waiting)) {
                struct iovec ranges[RANGES_MAX];
                ssize_t n = write_ranges(sink, ranges, queue_peek(&sink->waiting, ranges, RANGES_MAX));

                if (n == -EAGAIN)
                        break;
                if (n < 0)
                        return sink_finish(sink);
                queue_drop(&sink->waiting, (size_t)n);
        }
        sink_poll(sink, !queue_empty(&sink->waiting));
        if (queue_empty(&sink->waiting) && sink->ending)
                return sink_finish(sink);
        tell_room(sink);
}

static void on_writable(uv_poll_t *poll, int status, int events) {
        struct pump_sink *sink = poll->data;

        if (status < 0)
                sink->polling = false;
        flush(sink);
}

void streaming_pump_sink_open(struct pump_sink *sink, int fd, void (*on_end)(void *data)) {
        sink->fd = fd;
        sink->on_end = on_end;
        sink->poll = watch_new(sink->loop, fd, sink);
        if (!sink->poll)
                return sink_finish(sink);
        flush(sink);
}

void streaming_pump_sink_write(struct pump_sink *sink, const void *bytes, size_t n) {
        const struct iovec range = { (void *)(uintptr_t)bytes, n };
        ssize_t written = 0;

        if (sink->broken || sink->ending)
                return;
        if (sink->poll && queue_empty(&sink->waiting))
                written = write_ranges(sink, &range, 1);
        if (written == -EAGAIN)
                written = 0;
        if (written < 0 || queue_add_copy(&sink->waiting, (const char *)bytes + written, n - (size_t)written) < 0)
                return sink_finish(sink);
        sink->was_full |= streaming_pump_sink_full(sink);
        if (sink->poll)
                sink_poll(sink, !queue_empty(&sink->waiting));
}

bool streaming_pump_sink_full(const struct pump_sink *sink) {
        return sink->waiting.size >= sink->room;
}

void streaming_pump_sink_end(struct pump_sink *sink) {
        if (sink->broken || sink->ending)
                return;
        sink->ending = true;
        if (sink->poll && queue_empty(&sink->waiting))
                sink_finish(sink);
}

void streaming_pump_sink_free(struct pump_sink *sink) {
        if (!sink)
                return;
        sink_close(sink);
        queue_clear(&sink->waiting);
        free(sink);
}

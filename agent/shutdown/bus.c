#include "agent/shutdown/bus.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/handle.h"

struct bus {
        const struct systemd *library;
        sd_bus *bus;
        uv_poll_t *poll;
        uv_timer_t *timer; /* when a call has waited for long enough, and what waits to be looked at */
        void (*lost)(void *data, int error);
        void *data;
        bool ended;
};

static void turn(struct bus *b);

static void on_ready(uv_poll_t *poll, int status, int events) {
        turn(poll->data);
}

static void on_time(uv_timer_t *timer) {
        turn(timer->data);
}

static void end(struct bus *b, int error) {
        if (b->ended)
                return;
        b->ended = true;
        uv_poll_stop(b->poll);
        uv_timer_stop(b->timer);
        b->lost(b->data, error);
}

/* Milliseconds from now until @usec of the monotonic clock. */
static uint64_t until(uint64_t usec) {
        uint64_t at = (uint64_t)clock_us(CLOCK_MONOTONIC);

        return usec > at ? (usec - at + 999) / 1000 : 0;
}

/* What the bus waits for now. */
static int arm(struct bus *b) {
        int events = b->library->bus_get_events(b->bus), r;
        uint64_t due = UINT64_MAX;

        if (events < 0)
                return events;
        if ((r = b->library->bus_get_timeout(b->bus, &due)) < 0)
                return r;
        if (due == UINT64_MAX)
                uv_timer_stop(b->timer);
        else
                uv_timer_start(b->timer, on_time, until(due), 0);
        return uv_poll_start(b->poll,
                             (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0) | UV_DISCONNECT,
                             on_ready);
}

static void turn(struct bus *b) {
        int r;

        while ((r = b->library->bus_process(b->bus, NULL)) > 0)
                ;
        if (r < 0 || (r = arm(b)) < 0)
                end(b, r);
}

void shutdown_bus_flush(struct bus *b) {
        uv_timer_start(b->timer, on_time, 0, 0);
}

static int watch(struct bus *b, uv_loop_t *loop, struct err **err) {
        uv_poll_t *poll;
        int r;

        if (!(b->timer = handle_timer(loop, b)) || !(poll = calloc(1, sizeof(*poll))))
                return err_set(err, ENOMEM, "out of memory");
        if ((r = uv_poll_init(loop, poll, b->library->bus_get_fd(b->bus))) < 0) {
                free(poll);
                return err_errno(err, -r, "the system bus's connection");
        }
        poll->data = b;
        b->poll = poll;
        shutdown_bus_flush(b);
        return 0;
}

int shutdown_bus_open(uv_loop_t *loop, void (*lost)(void *data, int error), void *data, struct bus **ret_bus,
                      struct err **err) {
        const struct systemd *library = systemd_load(err);
        struct bus *b;
        int r;

        if (!library)
                return -ENOENT;
        if (!(b = calloc(1, sizeof(*b))))
                return err_set(err, ENOMEM, "out of memory");
        *b = (struct bus){ .library = library, .lost = lost, .data = data };
        if ((r = library->bus_open_system(&b->bus)) < 0)
                r = err_errno(err, -r == ENOENT ? ECONNREFUSED : -r, "cannot connect to the system bus");
        else
                r = watch(b, loop, err);
        if (r < 0) {
                shutdown_bus_close(b);
                return r;
        }
        *ret_bus = b;
        return 0;
}

void shutdown_bus_close(struct bus *b) {
        if (!b)
                return;
        handle_free(b->timer);
        handle_free(b->poll);
        b->library->bus_close_unref(b->bus); /* that of NULL does nothing */
        free(b);
}

sd_bus *shutdown_bus_get(const struct bus *b) {
        return b->bus;
}

const struct systemd *shutdown_bus_library(const struct bus *b) {
        return b->library;
}

const sd_bus_error *shutdown_bus_error(const struct bus *b, sd_bus_message *reply) {
        return b->library->bus_message_is_method_error(reply, NULL) > 0 ? b->library->bus_message_get_error(reply) :
                                                                          NULL;
}

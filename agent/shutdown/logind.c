#include "agent/shutdown/logind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/shutdown/bus.h"
#include "agent/shutdown/drop_in.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "lib/pool.h"

#define SERVICE "org.freedesktop.login1"
#define OBJECT "/org/freedesktop/login1"
#define MANAGER SERVICE ".Manager"

#define INIT_SERVICE "org.freedesktop.systemd1"
#define INIT_OBJECT "/org/freedesktop/systemd1"
#define INIT_MANAGER INIT_SERVICE ".Manager"

struct logind {
        struct logind_config config;
        struct bus *bus;        /* NULL: it is away */
        uv_timer_t *timer;      /* until the bus is tried again, or logind asked again */
        struct pool_job writes; /* the file */
        struct err *unwritten;
        unsigned retry_ms, reloads; /* how often it was asked after the file was written; 0: it was not */
        int lock;                   /* -EBADF: none */
        bool writing, closed, said_away, said_short;
};

static void connect_bus(struct logind *l);

/* -- when it does not work --------------------------------------------------------------------------------- */

static void on_retry(uv_timer_t *timer) {
        struct logind *l = timer->data;

        shutdown_bus_close(TAKE_PTR(l->bus));
        connect_bus(l);
}

/* What has failed is begun anew from the connection on. */
static void fail(struct logind *l, const char *what, const char *why) {
        log_write(l->said_away ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
                  "shutdown: %s: %s; until that works the host goes down without waiting for pods", what, why);
        l->said_away = true;
        l->retry_ms = l->retry_ms ? l->retry_ms * 2 : LOGIND_RETRY_MIN_MS;
        if (l->retry_ms > LOGIND_RETRY_MAX_MS)
                l->retry_ms = LOGIND_RETRY_MAX_MS;
        uv_timer_start(l->timer, on_retry, l->retry_ms, 0);
}

static void on_lost(void *data, int error) {
        struct logind *l = data;

        l->lock = close_fd(l->lock);
        fail(l, "the system bus has gone", strerror(-error));
}

/* Whether @reply is an error, which is dealt with then. */
static bool has_failed(struct logind *l, sd_bus_message *reply, const char *what) {
        const sd_bus_error *error = shutdown_bus_error(l->bus, reply);

        if (error)
                fail(l, what, error->message ?: error->name);
        return error;
}

/* -- the lock ---------------------------------------------------------------------------------------------- */

static const struct systemd *library(const struct logind *l) {
        return shutdown_bus_library(l->bus);
}

#define UNDER_WAY SERVICE ".OperationInProgress" /* what it says to who wants a lock too late */

static int on_lock(sd_bus_message *reply, void *data, sd_bus_error *ret_error) {
        const sd_bus_error *error;
        struct logind *l = data;
        int fd = -EBADF;

        if ((error = shutdown_bus_error(l->bus, reply)) && error->name && strcmp(error->name, UNDER_WAY) == 0) {
                l->config.prepares(l->config.data, true);
                return 0;
        }
        if (has_failed(l, reply, "logind gives no lock"))
                return 0;
        if (library(l)->bus_message_read(reply, "h", &fd) < 0 || (fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) {
                fail(l, "logind's lock", strerror(errno));
                return 0;
        }
        close_fd(l->lock);
        l->lock = fd;
        l->retry_ms = 0;
        l->said_away = false;
        log_info("shutdown: logind holds it back for the pods' sake, up to %lld s", (long long)l->config.seconds);
        l->config.prepares(l->config.data, false); /* it was called off while the bus was away */
        return 0;
}

static void check_sent(struct logind *l, int r) {
        if (r < 0)
                fail(l, "the system bus", strerror(-r));
        else
                shutdown_bus_flush(l->bus);
}

static void take_lock(struct logind *l) {
        check_sent(l, library(l)->bus_call_method_async(shutdown_bus_get(l->bus), NULL, SERVICE, OBJECT, MANAGER,
                                                        "Inhibit", on_lock, l, "ssss", "shutdown", "nacelle-agent",
                                                        "Pods are ended in order", "delay"));
}

void logind_hold(struct logind *l) {
        if (l->bus)
                take_lock(l);
}

void logind_release(struct logind *l) {
        l->lock = close_fd(l->lock);
}

/* -- how long it delays ------------------------------------------------------------------------------------ */

static void ask_delay(struct logind *l);

static void on_time_to_ask(uv_timer_t *timer) {
        ask_delay(timer->data);
}

/* Less than is wanted is better than nothing. */
static void make_do(struct logind *l, const char *why) {
        if (!l->said_short)
                log_error("shutdown: logind delays it for less than the %lld s of shutdownGracePeriod, and the file %s "
                          "did not help: %s; set InhibitDelayMaxSec=%lld in logind.conf(5) and restart systemd-logind",
                          (long long)l->config.seconds, SHUTDOWN_DROP_IN, why, (long long)l->config.seconds);
        l->said_short = true;
        take_lock(l);
}

static int on_reloading(sd_bus_message *reply, void *data, sd_bus_error *ret_error) {
        const sd_bus_error *error;
        struct logind *l = data;

        if ((error = shutdown_bus_error(l->bus, reply)))
                make_do(l, error->message ?: error->name);
        else
                uv_timer_start(l->timer, on_time_to_ask, LOGIND_RELOAD_MS << l->reloads, 0);
        l->reloads++;
        return 0;
}

#define SIGNAL_RELOAD 1 /* SIGHUP: it has no method for it */

static void reload(struct logind *l) {
        check_sent(l, library(l)->bus_call_method_async(shutdown_bus_get(l->bus), NULL, INIT_SERVICE, INIT_OBJECT,
                                                        INIT_MANAGER, "KillUnit", on_reloading, l, "ssi",
                                                        "systemd-logind.service", "all", SIGNAL_RELOAD));
}

static void write_file(struct pool_job *job) {
        struct logind *l = (struct logind *)((char *)job - offsetof(struct logind, writes));

        shutdown_write_drop_in(l->config.seconds, &l->unwritten);
}

static void destroy(struct logind *l) {
        err_free(l->unwritten);
        free(l);
}

static void on_written(struct pool_job *job) {
        struct logind *l = (struct logind *)((char *)job - offsetof(struct logind, writes));

        l->writing = false;
        if (l->closed)
                return destroy(l);
        if (l->bus && l->unwritten)
                make_do(l, err_text(l->unwritten));
        else if (l->bus)
                reload(l);
        l->unwritten = err_free(l->unwritten);
}

static void raise_delay(struct logind *l) {
        if (l->writing)
                return;
        l->writing = true;
        l->writes = (struct pool_job){ .work = write_file, .done = on_written };
        pool_submit(l->config.pool, &l->writes);
}

static int on_delay(sd_bus_message *reply, void *data, sd_bus_error *ret_error) {
        struct logind *l = data;
        uint64_t usec = 0;

        if (has_failed(l, reply, "logind does not say how long it delays"))
                return 0;
        if (library(l)->bus_message_read(reply, "v", "t", &usec) < 0)
                fail(l, "logind does not say how long it delays", "the answer is no number");
        else if (usec / 1000000 >= (uint64_t)l->config.seconds)
                take_lock(l);
        else if (l->reloads == 0)
                raise_delay(l);
        else if (l->reloads < LOGIND_RELOAD_TRIES)
                uv_timer_start(l->timer, on_time_to_ask, LOGIND_RELOAD_MS << l->reloads++, 0);
        else
                make_do(l, "it has not taken it");
        return 0;
}

static void ask_delay(struct logind *l) {
        check_sent(l, library(l)->bus_call_method_async(shutdown_bus_get(l->bus), NULL, SERVICE, OBJECT,
                                                        "org.freedesktop.DBus.Properties", "Get", on_delay, l, "ss",
                                                        MANAGER, "InhibitDelayMaxUSec"));
}

/* -- the connection ---------------------------------------------------------------------------------------- */

static int on_signal(sd_bus_message *signal, void *data, sd_bus_error *ret_error) {
        struct logind *l = data;
        int begins;

        if (library(l)->bus_message_read(signal, "b", &begins) >= 0)
                l->config.prepares(l->config.data, begins);
        return 0;
}

static int on_watched(sd_bus_message *reply, void *data, sd_bus_error *ret_error) {
        struct logind *l = data;

        if (!has_failed(l, reply, "the system bus does not pass on what logind says"))
                ask_delay(l);
        return 0;
}

/* The sender is named, so that the bus passes on nobody else's. */
static void connect_bus(struct logind *l) {
        _cleanup_err_ struct err *err = NULL;
        int r = shutdown_bus_open(l->config.loop, on_lost, l, &l->bus, &err);

        if (r == -ENOENT) {
                log_error("shutdown: %s; until then the host goes down without waiting for pods", err_text(err));
                return;
        }
        if (r < 0)
                return fail(l, "no logind", err_text(err));
        l->reloads = 0;
        check_sent(l, library(l)->bus_match_signal_async(shutdown_bus_get(l->bus), NULL, SERVICE, OBJECT, MANAGER,
                                                         "PrepareForShutdown", on_signal, on_watched, l));
}

struct logind *logind_new(const struct logind_config *config) {
        struct logind *l = calloc(1, sizeof(*l));

        if (!l)
                return NULL;
        l->config = *config;
        l->lock = -EBADF;
        if (!(l->timer = handle_timer(config->loop, l))) {
                free(l);
                return NULL;
        }
        connect_bus(l);
        return l;
}

void logind_free(struct logind *l) {
        if (!l)
                return;
        shutdown_bus_close(TAKE_PTR(l->bus));
        handle_free(l->timer);
        logind_release(l);
        l->closed = true;
        if (!l->writing)
                destroy(l);
}

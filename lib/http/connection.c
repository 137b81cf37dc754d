#include <errno.h>
#include <string.h>

#include "lib/http/internal.h"

/* How an HTTP/2 connection begins (RFC 9113, 3.4): no HTTP/1 request can begin so. */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void start(struct http_connection *connection, const struct http_driver *driver) {
        int r;

        connection->driver = driver;
        r = driver->start(connection);
        if (r < 0)
                connection_close(connection, r, NULL);
}

static void on_opened(void *data) {
        struct http_connection *connection = data;
        size_t n;
        const char *protocol = transport_protocol(connection->stream, &n);

        connection->opened = true;
        if (connection->driver)
                start(connection, connection->driver);
        else if (protocol || !connection->server)
                start(connection,
                      protocol && n == 2 && memcmp(protocol, "h2", 2) == 0 ? &http_driver_2 : &http_driver_1);
        if (!connection->closing && connection->owner->opened)
                connection->owner->opened(connection);
        hub_settle(connection->hub);
}

static void on_received(void *data, uint8_t *bytes, size_t n) {
        struct http_connection *connection = data;

        connection->heard = uv_now(connection->hub->loop);
        /* A preface that comes in smaller pieces is seen by HTTP/1's driver. */
        if (!connection->driver)
                start(connection, n >= sizeof(preface) - 1 && memcmp(bytes, preface, sizeof(preface) - 1) == 0 ?
                                          &http_driver_2 :
                                          &http_driver_1);
        if (!connection->closing)
                connection->driver->received(connection, bytes, n);
        if (!connection->closing)
                connection->owner->progress(connection);
        hub_settle(connection->hub);
}

static void on_ended(void *data) {
        struct http_connection *connection = data;

        if (connection->driver)
                connection->driver->ended(connection);
        else
                connection_close(connection, 0, NULL);
}

static void tell_over(struct http_connection *connection) {
        void (*over)(void *data) = connection->over;

        connection->over = NULL;
        if (over)
                over(connection->over_data);
}

static void on_drained(void *data) {
        struct http_connection *connection = data;

        tell_over(connection);
        if (connection->driver)
                connection->driver->drained(connection);
        if (!connection->closing)
                connection->owner->progress(connection);
        hub_settle(connection->hub);
}

static void undue(struct http_connection *connection) {
        if (!connection->due)
                return;
        connection->due = false;
        TAILQ_REMOVE(&connection->hub->due, connection, due_link);
        connection->hub->n_due--;
}

bool connection_flush_due(struct http_hub *hub) {
        struct http_connection *first = TAILQ_FIRST(&hub->due);

        if (!first)
                return false;
        undue(first);
        first->driver->flush(first);
        return true;
}

void connection_flush(struct http_connection *connection) {
        struct http_hub *hub = connection->hub;

        if (hub->n_holds == 0)
                return connection->driver->flush(connection);
        if (connection->due || connection->closing)
                return;
        if (hub->n_due == HTTP_HELD_MAX)
                connection_flush_due(hub);
        connection->due = true;
        TAILQ_INSERT_TAIL(&hub->due, connection, due_link);
        hub->n_due++;
}

static void finish_all(struct http_connection *connection, int error, const char *why) {
        struct http_exchange *x;

        while ((x = TAILQ_FIRST(&connection->exchanges)))
                exchange_finish(x, error, why);
}

static void give_up(struct http_connection *connection) {
        connection->closing = true;
        undue(connection);
        if (connection->owner->closing)
                connection->owner->closing(connection);
}

static void on_closed(void *data, int error, const char *why) {
        struct http_connection *connection = data;

        if (!connection->closing)
                give_up(connection);
        finish_all(connection, error < 0 ? error : -ECONNRESET, why);
        if (connection->driver && connection->state)
                connection->driver->stop(connection);
        tell_over(connection);
        connection->owner->closed(connection, error, why);
}

const struct transport_events http_connection_events = { on_opened, on_received, on_ended, on_drained, on_closed };

void connection_close(struct http_connection *connection, int error, const char *why) {
        if (connection->closing)
                return;
        give_up(connection);
        finish_all(connection, error < 0 ? error : -ECONNRESET, why);
        transport_close(connection->stream, error);
}

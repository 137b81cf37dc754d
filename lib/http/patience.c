#include "lib/http/patience.h"

#include <errno.h>
#include <limits.h>

#include "lib/http/internal.h"
#include "lib/http/served.h"

static struct http_exchange *find_collecting(const struct http_connection *connection) {
        struct http_exchange *x;

        TAILQ_FOREACH (x, &connection->exchanges, link)
                if (x->head && x->head->collect_late)
                        return x;
        return NULL;
}

/* Since when a server that drains has waited for more of a body; 0: it does not. */
static uint64_t body_since(const struct served *served) {
        const struct http_connection *connection = &served->connection;
        uint64_t since = served->server->drains_since;

        if (since == 0 || !find_collecting(connection))
                return 0;
        return connection->heard > since ? connection->heard : since;
}

static void sooner(uint64_t *due, uint64_t since, unsigned ms) {
        if (since > 0 && ms != UINT_MAX && since + ms < *due)
                *due = since + ms;
}

/* When the connection's patience ends; UINT64_MAX: never. */
static uint64_t deadline(const struct served *served) {
        const struct http_connection *connection = &served->connection;
        const struct http_server_config *config = &served->server->config;
        uint64_t due = UINT64_MAX;

        sooner(&due, connection->head_since, config->head_ms);
        sooner(&due, connection->output_since, connection->stall_ms);
        sooner(&due, body_since(served), config->linger_ms);
        sooner(&due, connection->stall_check, 0);
        sooner(&due, connection->drain_since, config->linger_ms);
        if (!connection->opened)
                sooner(&due, connection->active ?: 1, config->handshake_ms);
        if (connection->output_since > 0)
                return due; /* the last answer is on its way */
        sooner(&due, connection->linger_since, config->linger_ms);
        if (connection->n_exchanges == 0 && connection->head_since == 0 && connection->linger_since == 0)
                sooner(&due, connection->active ?: 1, config->idle_ms);
        return due;
}

static void on_timer(uv_timer_t *timer);

/* Armed for the earliest time that matters, and left alone when that moves away: on_timer() looks again. */
void patience_arm(struct served *served) {
        uint64_t due = deadline(served), now = uv_now(served->server->hub.loop);

        if (due == UINT64_MAX || served->connection.closing)
                return;
        if (uv_is_active((uv_handle_t *)&served->timer) && now + uv_timer_get_due_in(&served->timer) <= due)
                return;
        uv_timer_start(&served->timer, on_timer, due > now ? due - now : 0, 0);
}

void patience_watch_output(struct http_connection *connection) {
        size_t waits = transport_pending(connection->stream);

        if (waits == 0 && connection->output_since > 0)
                connection->active = uv_now(connection->hub->loop);
        if (waits == 0 || connection->tunnel)
                connection->output_since = 0;
        else if (connection->output_since == 0 || waits < connection->output_left)
                connection->output_since = uv_now(connection->hub->loop);
        connection->output_left = waits;
}

/* Streams whose output the peer has not taken for too long, though it may take others'. */
static void end_stalled(struct http_connection *connection) {
        struct http_exchange *x, *next;
        uint64_t now = uv_now(connection->hub->loop), check = 0;

        for (x = TAILQ_FIRST(&connection->exchanges); x; x = next) {
                next = TAILQ_NEXT(x, link);
                if (x->out_since == 0 || x->tunnel)
                        continue;
                if (x->out_since + connection->stall_ms <= now)
                        http_reset(x, -ETIMEDOUT);
                else if (check == 0 || x->out_since + connection->stall_ms < check)
                        check = x->out_since + connection->stall_ms;
                if (connection->closing)
                        return;
        }
        connection->stall_check = check;
}

/* Bodies that a client has begun to send. */
static void end_silent(struct http_connection *connection) {
        struct http_exchange *x;

        while (!connection->closing && (x = find_collecting(connection)))
                x->head->collect_late(x);
}

static bool is_due(uint64_t since, unsigned ms, uint64_t now) {
        return since > 0 && since + ms <= now;
}

static void on_timer(uv_timer_t *timer) {
        struct served *served = timer->data;
        struct http_connection *connection = &served->connection;
        uint64_t now = uv_now(timer->loop);

        patience_watch_output(connection);
        if (is_due(connection->stall_check, 0, now))
                end_stalled(connection);
        if (!connection->closing && is_due(connection->drain_since, served->server->config.linger_ms, now))
                connection->driver->drain(connection);
        if (!connection->closing && is_due(connection->head_since, served->server->config.head_ms, now))
                connection->driver->late(connection);
        if (!connection->closing && is_due(body_since(served), served->server->config.linger_ms, now))
                end_silent(connection);
        if (!connection->closing && deadline(served) <= now)
                connection_close(connection, connection->output_since > 0 || !connection->opened ? -ETIMEDOUT : 0,
                                 NULL);
        patience_arm(served);
        hub_settle(connection->hub);
}

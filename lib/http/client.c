#include "lib/http/client.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/http/internal.h"
#include "lib/http/lobby.h"
#include "lib/transport/tls.h"

struct link {
        struct http_connection connection; /* first: see link_of() */
        struct http_client *client;
        uv_timer_t timer; /* while it is kept without an exchange: until it goes; else while @listening */
        uint64_t heard;   /* the connection's, when the timer began */
        TAILQ_ENTRY(link) entry;
        bool listening; /* the timer runs until the server was silent for too long */
        bool pinged;    /* and nothing has come since */
        bool used;      /* it has had an exchange */
        bool alone;     /* for one exchange, whose owner_data it is */
};

struct http_client {
        struct http_hub hub;          /* first: see client_of() */
        struct http_connection lobby; /* where exchanges wait for a connection */
        struct sockaddr_storage address;
        socklen_t n_address;
        char *authority, *name;
        struct tls_context *tls;
        enum http_version version; /* HTTP_VERSION_ANY: not known yet */
        unsigned connections_max, idle_max, idle_ms, silence_ms, ping_ms;
        unsigned streams_peer; /* that the server takes on a connection, as far as is known */
        TAILQ_HEAD(, link) links;
        unsigned n_links, n_connecting; /* alone ones apart in the second */
        bool lenient;
        bool closing;
};

static struct link *link_of(struct http_connection *connection) {
        return (struct link *)connection;
}

static struct http_client *client_of(struct http_hub *hub) {
        return (struct http_client *)hub;
}

static bool open_link(struct http_client *client, struct http_exchange *alone);

/* --- connections that are kept --- */

static bool is_idle(const struct link *link) {
        return link->connection.opened && !link->connection.closing && link->connection.n_exchanges == 0;
}

#define STREAMS_GUESS 100 /* that a server takes which has not said so yet: nghttp2's guess, too */

/* How many the connection carries: one more would wait in nghttp2 until another ends, and a watch does not. What a
 * server has said on one it means on the next. */
static unsigned room_of(const struct link *link) {
        struct http_client *client = link->client;

        if (link->connection.streams_peer)
                client->streams_peer = link->connection.streams_peer;
        return client->streams_peer < HTTP_CLIENT_STREAMS_MAX ? client->streams_peer : HTTP_CLIENT_STREAMS_MAX;
}

/* Whether another exchange may begin on it now. */
static bool is_free(const struct link *link) {
        const struct http_connection *connection = &link->connection;

        if (!connection->opened || connection->closing || connection->draining || link->alone)
                return false;
        return connection->multiplexed ? connection->n_exchanges < room_of(link) : connection->n_exchanges == 0;
}

static void on_idle_too_long(uv_timer_t *timer) {
        connection_close(&((struct link *)timer->data)->connection, 0, NULL);
}

/* Of those without work a few stay, and not for ever; each says so once, by its timer. */
static void tend_idle(struct http_client *client) {
        struct link *link;
        unsigned n = 0;

        TAILQ_FOREACH (link, &client->links, entry) {
                if (!is_idle(link))
                        continue;
                if (++n > client->idle_max || (link->alone && link->used))
                        connection_close(&link->connection, 0, NULL);
                else if (client->idle_ms != UINT_MAX && !uv_is_active((uv_handle_t *)&link->timer))
                        uv_timer_start(&link->timer, on_idle_too_long, client->idle_ms, 0);
        }
}

/* --- servers that fall silent --- */

static void on_silence(uv_timer_t *timer) {
        struct link *link = timer->data;
        struct http_connection *connection = &link->connection;
        int r = 0;

        if (connection->closing)
                return;
        if (connection
                    ->deaf) /* an answer would not be read: whether the server takes what waits is TCP's to find out */
                link->pinged = false;
        else if (link->pinged)
                r = -ETIMEDOUT;
        else if ((r = connection->driver->ping(connection)) == 0)
                link->pinged = true;
        if (r < 0)
                connection_close(connection, r, r == -ETIMEDOUT ? "the server does not answer any more" : NULL);
        else if (!connection->closing)
                uv_timer_start(timer, on_silence, link->pinged ? link->client->ping_ms : link->client->silence_ms, 0);
}

/* The time begins anew with all that comes: while something does, nobody is woken for it. */
static void listen_to(struct link *link) {
        const struct http_connection *connection = &link->connection;
        bool busy = connection->opened && !connection->closing && connection->n_exchanges > 0;

        if (busy && connection->driver->ping && (!link->listening || link->heard != connection->heard)) {
                link->listening = true;
                link->pinged = false;
                link->heard = connection->heard;
                uv_timer_start(&link->timer, on_silence, link->client->silence_ms, 0);
        } else if (!busy && link->listening) {
                link->listening = false;
                uv_timer_stop(&link->timer);
        }
}

static void listen_to_all(struct http_client *client) {
        struct link *link;

        if (client->silence_ms > 0)
                TAILQ_FOREACH (link, &client->links, entry)
                        listen_to(link);
}

/* --- exchanges that wait --- */

static void begin_on(struct http_exchange *x, struct link *link) {
        struct http_connection *connection = &link->connection;
        int r;

        lobby_leave(x, connection);
        x->fresh = !link->used;
        x->placed = true;
        link->used = true;
        if (!link->listening)
                uv_timer_stop(&link->timer);
        r = connection->driver->request(x);
        if (r < 0)
                http_reset(x, r);
}

static struct link *find_free(struct http_client *client) {
        struct link *link;

        TAILQ_FOREACH (link, &client->links, entry)
                if (is_free(link))
                        return link;
        return NULL;
}

/* Whether one connection more helps: not while one is being made that may carry all (HTTP/2), or as many as wait. */
static bool wants_link(const struct http_client *client, unsigned n_waiting) {
        if (client->n_links >= client->connections_max)
                return false;
        if (client->version == HTTP_VERSION_1)
                return client->n_connecting < n_waiting;
        return client->n_connecting == 0;
}

/* Begins what can begin. From the hub's turn, when no driver is at work. */
static void serve(struct http_client *client) {
        struct http_exchange *x, *next;
        unsigned n_waiting = 0;
        struct link *link;

        for (x = TAILQ_FIRST(&client->lobby.exchanges); x; x = next) {
                next = TAILQ_NEXT(x, link);
                link = x->owner_data;
                if (link) {
                        if (link->connection.opened)
                                begin_on(x, link);
                        continue;
                }
                link = find_free(client);
                if (link)
                        begin_on(x, link);
                else
                        n_waiting++;
        }
        while (n_waiting > 0 && wants_link(client, n_waiting) && open_link(client, NULL))
                ;
}

static void on_turn(struct http_hub *hub) {
        struct http_client *client = client_of(hub);

        if (client->closing)
                return;
        serve(client);
        listen_to_all(client);
        tend_idle(client);
}

/* --- a connection's life --- */

static void on_progress(struct http_connection *connection) {
        struct http_client *client = client_of(connection->hub);
        struct link *link = link_of(connection);

        if (connection != &client->lobby && connection->opened && !link->alone && client->version == HTTP_VERSION_ANY)
                client->version = connection->multiplexed ? HTTP_VERSION_2 : HTTP_VERSION_1;
        hub_wake(&client->hub);
}

static void on_opened(struct http_connection *connection) {
        struct link *link = link_of(connection);

        if (!link->alone)
                link->client->n_connecting--;
        on_progress(connection);
}

/* Those that waited for a connection that did not come about. */
static void fail_waiting(struct http_client *client, struct link *link, int error, const char *why) {
        struct http_exchange *x, *next;

        for (x = TAILQ_FIRST(&client->lobby.exchanges); x; x = next) {
                next = TAILQ_NEXT(x, link);
                if (link->alone ? x->owner_data != link : x->owner_data != NULL)
                        continue;
                exchange_finish(x, error < 0 ? error : -ECONNRESET, why);
                if (client->version == HTTP_VERSION_1)
                        return;
        }
}

static void on_hub_closed(struct http_hub *hub) {
        struct http_client *client = client_of(hub);

        tls_context_unref(client->tls);
        free(client->authority);
        free(client->name);
        free(client);
}

static void maybe_gone(struct http_client *client) {
        if (client->closing && client->n_links == 0)
                hub_close(&client->hub, on_hub_closed);
}

static void on_timer_closed(uv_handle_t *handle) {
        struct link *link = handle->data;
        struct http_client *client = link->client;

        free(link);
        client->n_links--;
        if (!client->closing)
                hub_wake(&client->hub);
        maybe_gone(client);
}

static void on_closed(struct http_connection *connection, int error, const char *why) {
        struct link *link = link_of(connection);
        struct http_client *client = link->client;

        TAILQ_REMOVE(&client->links, link, entry);
        if (!connection->opened) {
                if (!link->alone)
                        client->n_connecting--;
                fail_waiting(client, link, error, why);
        }
        uv_close((uv_handle_t *)&link->timer, on_timer_closed);
}

static const struct http_owner owner = { .opened = on_opened, .progress = on_progress, .closed = on_closed };

static int connect_link(struct http_client *client, struct link *link) {
        struct transport_target target = { .address = (const struct sockaddr *)&client->address,
                                           .n_address = client->n_address,
                                           .tls = client->tls,
                                           .name = client->name };
        struct http_connection *connection = &link->connection;

        *connection = (struct http_connection){
                .hub = &client->hub,
                .owner = &owner,
                .streams_max = HTTP_CLIENT_STREAMS_MAX,
                .head_max = HTTP_HEAD_MAX,
                .lenient = client->lenient,
        };
        if (!client->tls)
                connection->driver = client->version == HTTP_VERSION_2 ? &http_driver_2 : &http_driver_1;
        TAILQ_INIT(&connection->exchanges);
        return transport_connect(client->hub.loop, &target, &http_connection_events, connection, &connection->stream);
}

/* Who waited for a connection that could not even be begun. */
static void fail_unbegun(struct http_client *client, struct http_exchange *alone, int error) {
        struct link none = { 0 };

        if (alone)
                exchange_finish(alone, error, NULL);
        else
                fail_waiting(client, &none, error, NULL);
}

static bool open_link(struct http_client *client, struct http_exchange *alone) {
        struct link *link = calloc(1, sizeof(*link));
        int r = link ? connect_link(client, link) : -ENOMEM;

        if (r < 0) {
                free(link);
                fail_unbegun(client, alone, r);
                return false;
        }
        link->client = client;
        link->alone = alone != NULL;
        if (alone)
                alone->owner_data = link;
        uv_timer_init(client->hub.loop, &link->timer);
        link->timer.data = link;
        TAILQ_INSERT_HEAD(&client->links, link, entry);
        client->n_links++;
        client->n_connecting += !alone;
        return true;
}

/* --- the client --- */

int http_client_new(uv_loop_t *loop, const struct http_client_config *config, struct http_client **ret_client) {
        struct http_client *client = calloc(1, sizeof(*client));

        if (!client)
                return -ENOMEM;
        client->authority = strdup(config->authority);
        client->name = config->name ? strdup(config->name) : NULL;
        if (!client->authority || (config->name && !client->name)) {
                free(client->authority);
                free(client->name);
                free(client);
                return -ENOMEM;
        }
        memcpy(&client->address, config->address, config->n_address);
        client->n_address = config->n_address;
        client->tls = config->tls ? tls_context_ref(config->tls) : NULL;
        client->version = config->tls || config->version != HTTP_VERSION_ANY ? config->version : HTTP_VERSION_1;
        client->connections_max = config->connections_max ?: HTTP_CLIENT_CONNECTIONS_MAX;
        client->lenient = config->lenient;
        client->streams_peer = STREAMS_GUESS;
        client->idle_max = config->idle_max ?: HTTP_CLIENT_IDLE_MAX;
        client->idle_ms = config->idle_ms ?: HTTP_CLIENT_IDLE_MS;
        client->silence_ms = config->silence_ms;
        client->ping_ms = config->ping_ms ?: HTTP_CLIENT_PING_MS;
        TAILQ_INIT(&client->links);
        hub_init(&client->hub, loop);
        client->hub.turn = on_turn;
        lobby_init(&client->lobby, &client->hub, &owner);
        *ret_client = client;
        return 0;
}

void http_client_reconnect(struct http_client *client) {
        struct link *link, *next;

        for (link = TAILQ_FIRST(&client->links); link; link = next) {
                next = TAILQ_NEXT(link, entry);
                connection_close(&link->connection, -ECONNRESET, NULL);
        }
}

void http_client_free(struct http_client *client) {
        struct http_exchange *x;
        struct link *link;

        if (!client)
                return;
        client->closing = true;
        while ((x = TAILQ_FIRST(&client->lobby.exchanges)))
                exchange_finish(x, -ECANCELED, NULL);
        TAILQ_FOREACH (link, &client->links, entry)
                connection_close(&link->connection, -ECANCELED, NULL);
        maybe_gone(client);
}

static int copy_request(struct http_client *client, const struct http_client_request *from, struct http_exchange *x) {
        struct http_request *to = &x->request;

        to->version = 11;
        to->method = arena_strdup(x->arena, from->method);
        to->target = arena_strdup(x->arena, from->target);
        to->authority = arena_strdup(x->arena, from->authority ?: client->authority);
        to->upgrade = arena_strdup(x->arena, from->upgrade);
        if (!to->method || !to->target || !to->authority || (from->upgrade && !to->upgrade))
                return -ENOMEM;
        for (size_t i = 0; i < from->n_fields; i++) {
                const struct http_field *field = &from->fields[i];
                int r = http_fields_copy(&to->fields, x->arena, field->name, field->value);

                if (r < 0)
                        return r;
        }
        if (from->flags & HTTP_REQUEST_GZIP) {
                int r = http_fields_put(&to->fields, x->arena, "accept-encoding", "gzip");

                if (r < 0)
                        return r;
                x->decodes = true;
                x->head->decoded_max = from->decoded_max ?: HTTP_DECODED_MAX;
        }
        x->out_ended = !(from->flags & HTTP_REQUEST_BODY);
        to->length = x->out_ended ? 0 : from->length;
        x->has_body_left = to->length >= 0;
        x->body_left = to->length;
        return 0;
}

static bool is_target(const char *target, bool lenient) {
        size_t n = strlen(target);

        return lenient ? http_is_value(target, n) && n > 0 && n <= HTTP_TARGET_MAX : http_is_target(target, n);
}

/* Nothing that a caller passes on may end a line, or the head. */
static bool is_valid(const struct http_client_request *request, bool lenient) {
        bool connect = strcmp(request->method, "CONNECT") == 0;

        if (!http_is_token(request->method, strlen(request->method)) ||
            (!connect && !is_target(request->target, lenient)) ||
            (request->authority && !http_is_target(request->authority, strlen(request->authority))) ||
            (request->upgrade && !http_is_target(request->upgrade, strlen(request->upgrade))))
                return false;
        for (size_t i = 0; i < request->n_fields; i++)
                if (!http_is_token(request->fields[i].name, strlen(request->fields[i].name)) ||
                    !http_is_value(request->fields[i].value, strlen(request->fields[i].value)))
                        return false;
        return true;
}

int http_client_request(struct http_client *client, const struct http_client_request *request,
                        const struct http_events *events, void *data, struct http_exchange **ret_x) {
        struct http_exchange *x;
        int r;

        if (!is_valid(request, client->lenient))
                return -EINVAL;
        if (client->closing || client->hub.n_exchanges >= HTTP_CLIENT_EXCHANGES_MAX)
                return -EBUSY;
        x = exchange_new(&client->lobby);
        r = x ? copy_request(client, request, x) : -ENOMEM;
        if (r < 0) {
                if (x)
                        exchange_finish(x, r, NULL);
                return r;
        }
        http_set_events(x, events, data);
        x->head_out = true; /* it will be: the owner may send */
        if (request->flags & HTTP_REQUEST_ALONE)
                open_link(client, x);
        else if (!find_free(client) && wants_link(client, client->lobby.n_exchanges))
                open_link(client, NULL);
        hub_wake(&client->hub);
        *ret_x = x;
        return 0;
}

bool http_client_sent(const struct http_exchange *x) {
        return x->placed;
}

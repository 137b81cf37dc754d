#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cri/streaming/internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"

#define REQUEST_ID_MAX 64

/* One connection: the client has a data and an error stream for it, the pod a socket. */
struct streaming_connection {
        struct streaming_session *session; /* NULL when it was freed while the source connects */
        LIST_ENTRY(streaming_connection) link;
        uint32_t data_stream, error_stream; /* 0: not opened yet */
        uint64_t since;                     /* uv_now() of its first stream */
        char request_id[REQUEST_ID_MAX];
        uint16_t port;
        bool connecting, connected;
        struct pump_sink *sink;
        struct pump_source *source;
        bool input_done, output_done;
};

static struct streaming_connection *find(struct streaming_session *session, uint32_t stream) {
        struct streaming_connection *connection;

        LIST_FOREACH (connection, &session->connections, link)
                if (connection->data_stream == stream || connection->error_stream == stream)
                        return connection;
        return NULL;
}

static struct streaming_connection *find_request(struct streaming_session *session, const char *request_id) {
        struct streaming_connection *connection;

        LIST_FOREACH (connection, &session->connections, link)
                if (strcmp(connection->request_id, request_id) == 0)
                        return connection;
        return NULL;
}

/* All connections come over one stream of bytes: it is read when none of them has too much already. */
static void resume_input(struct streaming_session *session) {
        struct streaming_connection *connection;

        LIST_FOREACH (connection, &session->connections, link)
                if (streaming_pump_sink_full(connection->sink))
                        return;
        if (session->client)
                streaming_client_resume(session->client, CLIENT_INPUT_WAITS);
}

static void connection_free(struct streaming_connection *connection) {
        struct streaming_session *session = connection->session;

        LIST_REMOVE(connection, link);
        session->n_connections--;
        connection->session = NULL;
        resume_input(session);
        streaming_pump_sink_free(TAKE_PTR(connection->sink));
        streaming_pump_source_free(TAKE_PTR(connection->source));
        if (!connection->connecting)
                free(connection); /* else streaming_connected() does */
}

void streaming_forwards_free(struct streaming_session *session) {
        struct streaming_connection *connection;

        while ((connection = LIST_FIRST(&session->connections)))
                connection_free(connection);
        handle_free(TAKE_PTR(session->halves));
}

bool streaming_forwards_full(const struct streaming_session *session) {
        return session->n_connections >= STREAMING_FORWARDS_MAX;
}

/* Both directions are done: the streams end. */
static void maybe_finish(struct streaming_connection *connection) {
        if (connection->input_done && connection->output_done)
                connection_free(connection);
}

static void end_output(struct streaming_connection *connection, const char *error) {
        struct stream_client *client = connection->session->client;

        if (connection->output_done)
                return;
        connection->output_done = true;
        if (error)
                client->protocol->wire->send(client, connection->error_stream, error, strlen(error));
        client->protocol->wire->end(client, connection->error_stream);
        client->protocol->wire->end(client, connection->data_stream);
}

static void on_room(void *data) {
        struct streaming_connection *connection = data;

        if (connection->session)
                resume_input(connection->session);
}

/* What one of them owes the client, it owes for all: they share its stream of bytes. */
static void pause_outputs(struct streaming_session *session) {
        struct streaming_connection *connection;

        if (streaming_client_pending(session->client) < STREAMING_BUFFER_MAX)
                return;
        LIST_FOREACH (connection, &session->connections, link)
                streaming_pump_source_pause(connection->source);
}

static void on_output(void *data, const char *bytes, size_t n) {
        struct streaming_connection *connection = data;
        struct stream_client *client = connection->session->client;

        client->active = uv_now(connection->session->streaming->loop);
        client->protocol->wire->send(client, connection->data_stream, bytes, n);
        pause_outputs(connection->session);
}

/* The pod has closed its side; what the client still sends is of no use to anybody. */
static void on_output_end(void *data) {
        struct streaming_connection *connection = data;

        end_output(connection, NULL);
        connection->input_done = true;
        maybe_finish(connection);
}

static void on_input_end(void *data) {
        struct streaming_connection *connection = data;

        connection->input_done = true;
        maybe_finish(connection);
}

void streaming_forward_drained(struct streaming_session *session) {
        struct streaming_connection *connection;

        LIST_FOREACH (connection, &session->connections, link)
                streaming_pump_source_resume(connection->source);
}

static void start(struct streaming_connection *connection) {
        struct streaming_session *session = connection->session;
        const struct streaming *streaming = session->streaming;

        connection->connecting = true;
        streaming->source->connect(streaming->data, session, &session->request, connection->port, connection);
}

/* --- connections that lack one of their streams --- */

static bool is_half(const struct streaming_connection *connection) {
        return connection->data_stream == 0 || connection->error_stream == 0;
}

static void give_up(struct streaming_connection *connection) {
        char text[REQUEST_ID_MAX + 64];

        snprintf(text, sizeof(text), "request %s: timed out waiting for streams", connection->request_id);
        end_output(connection, text);
        connection_free(connection);
}

static void on_halves_late(uv_timer_t *timer);

/* Waits for the one that is due first. */
static void watch_halves(struct streaming_session *session) {
        uint64_t now = uv_now(session->streaming->loop), due = UINT64_MAX;
        struct streaming_connection *connection;

        LIST_FOREACH (connection, &session->connections, link)
                if (is_half(connection) && connection->since + session->streaming->streams_ms < due)
                        due = connection->since + session->streaming->streams_ms;
        if (due != UINT64_MAX)
                uv_timer_start(session->halves, on_halves_late, due > now ? due - now : 0, 0);
}

static void on_halves_late(uv_timer_t *timer) {
        struct streaming_session *session = timer->data;
        uint64_t now = uv_now(session->streaming->loop);
        struct streaming_connection *connection, *next;

        for (connection = LIST_FIRST(&session->connections); connection; connection = next) {
                next = LIST_NEXT(connection, link);
                if (is_half(connection) && connection->since + session->streaming->streams_ms <= now)
                        give_up(connection);
        }
        watch_halves(session);
}

static int expect_other_half(struct streaming_session *session) {
        if (!session->halves)
                session->halves = handle_timer(session->streaming->loop, session);
        if (!session->halves)
                return -ENOMEM;
        if (!uv_is_active((uv_handle_t *)session->halves))
                watch_halves(session);
        return 0;
}

static int parse_port(const char *text, uint16_t *ret_port) {
        char *end;
        long port = text ? strtol(text, &end, 10) : 0;

        if (port < 1 || port > UINT16_MAX || *end)
                return -EPROTO;
        *ret_port = (uint16_t)port;
        return 0;
}

static struct streaming_connection *connection_new(struct streaming_session *session, uint16_t port,
                                                   const char *request_id) {
        struct streaming_connection *connection = calloc(1, sizeof(*connection));

        if (!connection)
                return NULL;
        connection->sink = streaming_pump_sink_new(session->streaming->loop, STREAMING_BUFFER_MAX, on_room, connection);
        if (!connection->sink) {
                free(connection);
                return NULL;
        }
        connection->session = session;
        connection->port = port;
        connection->since = uv_now(session->streaming->loop);
        snprintf(connection->request_id, sizeof(connection->request_id), "%s", request_id);
        LIST_INSERT_HEAD(&session->connections, connection, link);
        session->n_connections++;
        return connection;
}

int streaming_forward_stream(struct streaming_session *session, uint32_t stream, bool is_error, const char *port,
                             const char *request_id) {
        char number[16];
        struct streaming_connection *connection;
        uint32_t *slot;
        uint16_t n;

        if (parse_port(port, &n) < 0)
                return -EPROTO;
        /* Old clients give no id: their data stream's number follows the error stream's. */
        if (!request_id) {
                snprintf(number, sizeof(number), "%u", is_error ? stream : stream - 2);
                request_id = number;
        }
        if (strlen(request_id) >= REQUEST_ID_MAX)
                return -EPROTO;
        connection = find_request(session, request_id);
        if (!connection)
                connection = connection_new(session, n, request_id);
        if (!connection)
                return -ENOMEM;
        slot = is_error ? &connection->error_stream : &connection->data_stream;
        if (*slot != 0)
                return -EPROTO;
        *slot = stream;
        if (is_half(connection))
                return expect_other_half(session);
        start(connection);
        return 0;
}

void streaming_forward_input(struct streaming_session *session, uint32_t stream, const void *data, size_t n) {
        struct streaming_connection *connection = find(session, stream);

        if (!connection || connection->data_stream != stream)
                return;
        streaming_pump_sink_write(connection->sink, data, n);
        connection = find(session, stream); /* the write may have been its end */
        if (connection && streaming_pump_sink_full(connection->sink))
                streaming_client_pause(session->client, CLIENT_INPUT_WAITS);
}

void streaming_forward_input_end(struct streaming_session *session, uint32_t stream) {
        struct streaming_connection *connection = find(session, stream);

        if (connection && connection->data_stream == stream)
                streaming_pump_sink_end(connection->sink);
}

void streaming_forward_reset(struct streaming_session *session, uint32_t stream) {
        struct streaming_connection *connection = find(session, stream);

        if (connection)
                connection_free(connection);
}

static void fail(struct streaming_connection *connection, const struct err *err) {
        char text[ERR_TEXT_MAX + 128];

        snprintf(text, sizeof(text), "error forwarding port %u to pod %s: %s", connection->port,
                 connection->session->request.id, err_text(err));
        end_output(connection, text);
        connection_free(connection);
}

void streaming_connected(struct streaming_connection *connection, const struct streaming_process *process,
                         const struct err *err) {
        struct streaming_session *session = connection->session;

        connection->connecting = false;
        if (!session) { /* the client has gone */
                if (process) {
                        close_fd(process->in);
                        close_fd(process->out);
                }
                free(connection);
                return;
        }
        if (err || !process)
                return fail(connection, err);
        connection->connected = true;
        connection->source =
                streaming_pump_source_new(session->streaming->loop, process->out, on_output, on_output_end, connection);
        if (!connection->source) {
                close_fd(process->in);
                return fail(connection, NULL);
        }
        pause_outputs(session);
        streaming_pump_sink_open(connection->sink, process->in, on_input_end);
}

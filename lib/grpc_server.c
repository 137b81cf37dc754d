#include "lib/grpc_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grpc_server_internal.h"
#include "lib/listen.h"
#include "lib/log.h"

/* Past it, a client of a Unix socket gets EAGAIN at once. */
#define LISTEN_BACKLOG 1024

struct listener {
        union {
                uv_handle_t handle;
                uv_stream_t stream;
                uv_pipe_t pipe;
                uv_tcp_t tcp;
        } uv;
        struct grpc_server *server;
        LIST_ENTRY(listener) link;
        bool is_unix;
};

static struct grpc_call *call_of(nghttp2_session *session, int32_t stream_id) {
        return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data) {
        struct connection *connection = user_data;
        struct grpc_call *call;

        if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
                return 0;
        call = grpc_call_new(connection, frame->hd.stream_id);
        if (!call)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
        connection->active = uv_now(connection->server->loop);
        return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t n_name,
                     const uint8_t *value, size_t n_value, uint8_t flags, void *user_data) {
        struct grpc_call *call = call_of(session, frame->hd.stream_id);

        if (!call || frame->hd.type != NGHTTP2_HEADERS)
                return 0;
        call->header_bytes += n_name + n_value + 32; /* as RFC 9113, 6.5.2 counts them */
        if (call->header_bytes > GRPC_HEADERS_MAX)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
                grpc_call_header(call, (const char *)name, n_name, (const char *)value, n_value);
        return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data) {
        struct grpc_call *call;

        if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
                return 0;
        call = call_of(session, frame->hd.stream_id);
        if (call && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
                grpc_call_begin(call);
        if (call && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
                grpc_call_end_in(call);
        return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t size,
                         void *user_data) {
        struct grpc_call *call = call_of(session, stream_id);

        if (call)
                grpc_call_data_in(call, data, size);
        return 0;
}

/* An answer that came before the request's end: the client is told that the rest is not wanted (RFC 9113, 8.1). */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data) {
        struct grpc_call *call;

        if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
                return 0;
        call = call_of(session, frame->hd.stream_id);
        if (call && !call->remote_ended)
                nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
        return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *user_data) {
        struct grpc_call *call = call_of(session, stream_id);

        if (call)
                grpc_call_stream_gone(call);
        return 0;
}

static int make_session_parts(struct grpc_server *server) {
        if (nghttp2_session_callbacks_new(&server->callbacks) < 0 || nghttp2_option_new(&server->options) < 0)
                return -ENOMEM;
        nghttp2_session_callbacks_set_on_begin_headers_callback(server->callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(server->callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(server->callbacks, on_frame_recv);
        nghttp2_session_callbacks_set_on_frame_send_callback(server->callbacks, on_frame_send);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(server->callbacks, on_data_chunk);
        nghttp2_session_callbacks_set_on_stream_close_callback(server->callbacks, on_stream_close);
        /* Closed streams are of no use here, and kept ones cost memory. */
        nghttp2_option_set_no_closed_streams(server->options, 1);
        return 0;
}

static void on_later(uv_idle_t *idle) {
        struct grpc_server *server = idle->data;

        uv_idle_stop(idle);
        grpc_server_tell_cancelled(server);
}

void grpc_server_wake(struct grpc_server *server) {
        if (!uv_is_closing((uv_handle_t *)&server->later))
                uv_idle_start(&server->later, on_later);
}

static void server_free(struct grpc_server *server) {
        nghttp2_session_callbacks_del(server->callbacks);
        nghttp2_option_del(server->options);
        if (server->on_gone)
                server->on_gone(server->gone_data);
        free(server);
}

int grpc_server_new(uv_loop_t *loop, struct grpc_server **ret_server) {
        struct grpc_server *server = calloc(1, sizeof(*server));

        if (!server)
                return -ENOMEM;
        if (make_session_parts(server) < 0) {
                server_free(server);
                return -ENOMEM;
        }
        server->loop = loop;
        LIST_INIT(&server->connections);
        LIST_INIT(&server->listeners);
        STAILQ_INIT(&server->cancelled);
        uv_idle_init(loop, &server->later);
        server->later.data = server;
        server->n_handles = 1;
        *ret_server = server;
        return 0;
}

int grpc_server_add(struct grpc_server *server, const struct grpc_method *methods, size_t n, struct err **err) {
        for (size_t i = 0; i < n; i++) {
                for (unsigned j = 0; j < server->n_methods; j++)
                        if (strcmp(server->methods[j]->path, methods[i].path) == 0)
                                return err_set(err, EEXIST, "gRPC method %s is there twice", methods[i].path);
                if (server->n_methods == GRPC_METHODS_MAX)
                        return err_set(err, ENOSPC, "more than %d gRPC methods", GRPC_METHODS_MAX);
                server->methods[server->n_methods++] = &methods[i];
        }
        return 0;
}

static void on_dead(struct h2 *h2) {
        struct connection *connection = h2->data;
        struct grpc_call *call;

        while ((call = LIST_FIRST(&connection->calls)))
                grpc_call_stream_gone(call);
}

static void on_connection_closed(struct h2 *h2, int error) {
        struct connection *connection = h2->data;
        struct grpc_server *server = connection->server;

        if (error < 0 && error != UV_ECONNRESET && error != UV_EPIPE)
                log_debug("gRPC connection of process %d: %s", connection->peer.pid, strerror(-error));
        LIST_REMOVE(connection, link);
        server->n_connections--;
        free(connection);
        grpc_server_maybe_free(server);
}

static int start_session(struct connection *connection) {
        const nghttp2_settings_entry settings[] = {
                { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GRPC_STREAMS_MAX },
                { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEADERS_MAX },
        };
        struct grpc_server *server = connection->server;

        if (nghttp2_session_server_new2(&connection->h2.session, server->callbacks, connection, server->options) < 0 ||
            nghttp2_submit_settings(connection->h2.session, NGHTTP2_FLAG_NONE, settings, ELEMENTS(settings)) < 0)
                return -ENOMEM;
        return h2_start(&connection->h2);
}

/* Closes the connection that has had no call for the longest time. Clients that only hold connections, on purpose or
 * forgotten, so shut nobody out. */
static int make_room(struct grpc_server *server, const struct connection *newest) {
        struct connection *connection, *idle = NULL;

        LIST_FOREACH (connection, &server->connections, link)
                if (connection != newest && !connection->h2.closing && LIST_EMPTY(&connection->calls) &&
                    (!idle || connection->active <= idle->active))
                        idle = connection;
        if (!idle)
                return -EMFILE;
        h2_close(&idle->h2, 0);
        return 0;
}

/* Accepts in any case: a connection left in the backlog would be offered again at once. */
static int accept_connection(struct listener *listener, struct connection *connection) {
        socklen_t size = sizeof(connection->peer);
        uv_os_fd_t fd;
        int r;

        r = uv_accept(&listener->uv.stream, &connection->h2.uv.stream);
        if (r < 0)
                return r;
        if (listener->server->n_connections > GRPC_CONNECTIONS_MAX && make_room(listener->server, connection) < 0)
                return -EMFILE;
        connection->peer = (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
        if (listener->is_unix && uv_fileno(&connection->h2.uv.handle, &fd) == 0 &&
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &connection->peer, &size) < 0)
                return -errno;
        if (!listener->is_unix)
                uv_tcp_nodelay(&connection->h2.uv.tcp, 1);
        return start_session(connection);
}

static void on_connection(uv_stream_t *stream, int status) {
        struct listener *listener = stream->data;
        struct grpc_server *server = listener->server;
        struct connection *connection;
        int r;

        if (status < 0)
                return log_warning("gRPC socket: %s", strerror(-status));
        connection = calloc(1, sizeof(*connection));
        if (!connection) {
                log_error("gRPC socket: out of memory for a connection");
                return listen_refuse(stream);
        }
        connection->server = server;
        connection->active = uv_now(server->loop);
        connection->h2.data = connection;
        connection->h2.on_closed = on_connection_closed;
        connection->h2.on_dead = on_dead;
        LIST_INIT(&connection->calls);
        r = h2_init(&connection->h2, server->loop, listener->is_unix);
        if (r < 0) {
                free(connection);
                return log_error("gRPC socket: %s", strerror(-r));
        }
        LIST_INSERT_HEAD(&server->connections, connection, link);
        server->n_connections++;
        r = accept_connection(listener, connection);
        if (r == -EMFILE)
                log_warning("gRPC socket: more than %d connections, one is closed", GRPC_CONNECTIONS_MAX);
        if (r < 0)
                h2_close(&connection->h2, r);
}

static void on_listener_closed(uv_handle_t *handle) {
        struct listener *listener = handle->data;
        struct grpc_server *server = listener->server;

        free(listener);
        server->n_handles--;
        grpc_server_maybe_free(server);
}

int grpc_server_listen(struct grpc_server *server, int fd, struct err **err) {
        _cleanup_close_ int owned = fd;
        struct listener *listener;
        socklen_t size = sizeof(int);
        int domain, r;

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
                return err_errno(err, errno, "gRPC socket");
        listener = calloc(1, sizeof(*listener));
        if (!listener)
                return err_set(err, ENOMEM, "gRPC socket: out of memory");
        listener->server = server;
        listener->is_unix = domain == AF_UNIX;
        r = listener->is_unix ? uv_pipe_init(server->loop, &listener->uv.pipe, 0) :
                                uv_tcp_init(server->loop, &listener->uv.tcp);
        if (r < 0) {
                free(listener);
                return err_errno(err, -r, "gRPC socket");
        }
        listener->uv.handle.data = listener;
        LIST_INSERT_HEAD(&server->listeners, listener, link);
        server->n_handles++;
        r = listener->is_unix ? uv_pipe_open(&listener->uv.pipe, fd) : uv_tcp_open(&listener->uv.tcp, fd);
        if (r == 0) {
                TAKE_FD(owned);
                r = uv_listen(&listener->uv.stream, LISTEN_BACKLOG, on_connection);
        }
        if (r < 0) {
                LIST_REMOVE(listener, link);
                uv_close(&listener->uv.handle, on_listener_closed);
                return err_errno(err, -r, "gRPC socket: listen");
        }
        return 0;
}

void grpc_server_maybe_free(struct grpc_server *server) {
        if (server->closing && server->n_connections == 0 && server->n_calls == 0 && server->n_handles == 0)
                server_free(server);
}

static void on_later_closed(uv_handle_t *handle) {
        struct grpc_server *server = handle->data;

        server->n_handles--;
        grpc_server_maybe_free(server);
}

void grpc_server_free(struct grpc_server *server) {
        struct connection *connection;
        struct listener *listener;

        if (!server || server->closing)
                return;
        server->closing = true;
        while ((listener = LIST_FIRST(&server->listeners))) {
                LIST_REMOVE(listener, link);
                uv_close(&listener->uv.handle, on_listener_closed);
        }
        LIST_FOREACH (connection, &server->connections, link) {
                if (connection->h2.session)
                        nghttp2_session_terminate_session(connection->h2.session, NGHTTP2_NO_ERROR);
                h2_flush(&connection->h2);
                h2_close(&connection->h2, 0);
        }
        grpc_server_tell_cancelled(server);
        uv_close((uv_handle_t *)&server->later, on_later_closed);
}

void grpc_server_on_gone(struct grpc_server *server, void (*on_gone)(void *data), void *data) {
        server->on_gone = on_gone;
        server->gone_data = data;
}

unsigned grpc_server_connections(const struct grpc_server *server) {
        return server->n_connections;
}

unsigned grpc_server_calls(const struct grpc_server *server) {
        return server->n_calls;
}

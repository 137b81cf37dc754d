#include "cri/streaming/streaming.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cri/streaming/internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/listen.h"
#include "lib/log.h"
#include "lib/sigpipe.h"

#define LISTEN_BACKLOG 512
#define READ_SIZE (64u << 10)

/* The most a client may owe: sessions stop at STREAMING_BUFFER_MAX, and forwards and answers add a little to it. */
#define CLIENT_OUT_MAX ((size_t)4 * STREAMING_BUFFER_MAX)

static void streaming_maybe_free(struct streaming *streaming) {
        if (streaming->closing && streaming->listener_closed && streaming->n_clients == 0)
                free(streaming);
}

static void token_free(struct streaming *streaming, struct token *token) {
        TAILQ_REMOVE(&streaming->tokens, token, link);
        streaming->n_tokens--;
        if (token->session)
                session_free(token->session);
        free(token);
}

static void expire_tokens(struct streaming *streaming) {
        uint64_t now = uv_now(streaming->loop);
        struct token *token;

        while ((token = TAILQ_FIRST(&streaming->tokens)) && token->expires <= now)
                token_free(streaming, token);
}

static int make_token(struct token *token) {
        uint8_t bytes[TOKEN_LENGTH / 2];

        if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
                return -errno;
        for (size_t i = 0; i < sizeof(bytes); i++)
                snprintf(token->text + 2 * i, 3, "%02x", bytes[i]);
        return 0;
}

int streaming_url(struct streaming *streaming, const struct streaming_request *request, char **ret_url,
                  struct err **err) {
        static const char *const names[] = { "exec", "attach", "portforward" };
        struct token *token;

        uv_update_time(streaming->loop);
        expire_tokens(streaming);
        if (streaming->n_tokens >= STREAMING_TOKENS_MAX)
                return err_set(err, ENOBUFS, "more than %d streaming requests wait for their client",
                               STREAMING_TOKENS_MAX);
        token = calloc(1, sizeof(*token));
        if (!token)
                return err_set(err, ENOMEM, "out of memory");
        token->session = session_new(streaming, request);
        token->expires = uv_now(streaming->loop) + STREAMING_TOKEN_SECONDS * 1000;
        TAILQ_INSERT_TAIL(&streaming->tokens, token, link);
        streaming->n_tokens++;
        if (!token->session || make_token(token) < 0 ||
            asprintf(ret_url, "http://%s/%s/%s", streaming->address, names[request->kind], token->text) < 0) {
                token_free(streaming, token);
                return err_set(err, ENOMEM, "out of memory");
        }
        return 0;
}

/* Looks at every token in full: how long it takes tells nothing. */
static bool token_equal(const char *a, const char *b) {
        unsigned char difference = 0;

        for (size_t i = 0; i < TOKEN_LENGTH; i++)
                difference |= (unsigned char)(a[i] ^ b[i]);
        return difference == 0;
}

struct streaming_session *streaming_claim(struct streaming *streaming, enum streaming_kind kind, const char *text) {
        struct streaming_session *session;
        struct token *token;

        expire_tokens(streaming);
        if (strlen(text) != TOKEN_LENGTH)
                return NULL;
        TAILQ_FOREACH (token, &streaming->tokens, link) {
                if (!token_equal(token->text, text) || token->session->request.kind != kind)
                        continue;
                session = TAKE_PTR(token->session);
                token_free(streaming, token);
                return session;
        }
        return NULL;
}

static void on_client_handle_closed(uv_handle_t *handle) {
        struct client *client = handle->data;
        struct streaming *streaming = client->streaming;

        if (--client->n_handles > 0)
                return;
        LIST_REMOVE(client, link);
        streaming->n_clients--;
        free(client->head);
        free(client->writing);
        free(client->out);
        free(client);
        streaming_maybe_free(streaming);
}

/* Only from the loop's own callbacks: sessions and wires further up the stack would lose what they stand on. They use
 * client_doom(). */
static void client_close(struct client *client) {
        if (client->closing)
                return;
        client->closing = true;
        if (client->session)
                session_client_gone(TAKE_PTR(client->session));
        if (client->wire)
                client->wire->done(client);
        uv_close(&client->uv.handle, on_client_handle_closed);
        uv_close((uv_handle_t *)&client->timer, on_client_handle_closed);
}

static void on_timer(uv_timer_t *timer) {
        struct client *client = timer->data;
        uint64_t idle = uv_now(client->streaming->loop) - client->active, most = STREAMING_IDLE_SECONDS * 1000;

        if (!client->doomed && !client->finishing && client->session && client->session->started && idle < most)
                uv_timer_start(timer, on_timer, most - idle, 0);
        else
                client_close(client);
}

void client_set_timer(struct client *client, unsigned seconds) {
        uv_timer_start(&client->timer, on_timer, (uint64_t)seconds * 1000, 0);
}

void client_doom(struct client *client) {
        client->doomed = true;
        if (!client->closing)
                uv_timer_start(&client->timer, on_timer, 0, 0);
}

size_t client_pending(const struct client *client) {
        return client->n_writing + client->n_out;
}

static void flush(struct client *client);

static void on_written(uv_write_t *write, int status) {
        struct client *client = write->data;

        free(TAKE_PTR(client->writing));
        client->n_writing = 0;
        if (client->closing)
                return;
        if (status < 0)
                return client_close(client);
        flush(client);
        if (client->session && client_pending(client) < STREAMING_BUFFER_MAX / 2)
                session_drained(client->session);
}

/* Gives what has gathered to the kernel. */
static void flush(struct client *client) {
        uv_buf_t buf;

        if (client->writing)
                return;
        if (client->n_out == 0) {
                if (client->finishing)
                        client_doom(client);
                return;
        }
        client->writing = TAKE_PTR(client->out);
        client->n_writing = client->n_out;
        client->n_out = client->out_allocated = 0;
        buf = uv_buf_init(client->writing, (unsigned)client->n_writing);
        client->write.data = client;
        if (uv_write(&client->write, &client->uv.stream, &buf, 1, on_written) < 0)
                client_doom(client);
}

static bool append(struct client *client, const void *data, size_t n) {
        size_t size = client->out_allocated ? client->out_allocated : 4096;
        char *out;

        if (client->n_out + n > CLIENT_OUT_MAX)
                return false;
        while (size < client->n_out + n)
                size *= 2;
        if (size > client->out_allocated) {
                out = realloc(client->out, size);
                if (!out)
                        return false;
                client->out = out;
                client->out_allocated = size;
        }
        memcpy(client->out + client->n_out, data, n);
        client->n_out += n;
        return true;
}

/* What the kernel takes at once of the two pieces; 0 when something waits already. */
static size_t write_now(struct client *client, const void *head, size_t n_head, const void *data, size_t n) {
        const uv_buf_t bufs[] = { uv_buf_init((char *)(uintptr_t)head, (unsigned)n_head),
                                  uv_buf_init((char *)(uintptr_t)data, (unsigned)n) };
        int written = client_pending(client) > 0 ? 0 : uv_try_write(&client->uv.stream, bufs, 2);

        return written > 0 ? (size_t)written : 0; /* an error shows itself again in uv_write(), from the loop */
}

void client_write_framed(struct client *client, const void *head, size_t n_head, const void *data, size_t n) {
        size_t written;

        if (client->closing || client->finishing || client->doomed)
                return;
        written = write_now(client, head, n_head, data, n);
        if (written == n_head + n)
                return;
        if (written < n_head && !append(client, (const char *)head + written, n_head - written))
                return client_doom(client);
        written = written < n_head ? 0 : written - n_head;
        if (written < n && !append(client, (const char *)data + written, n - written))
                return client_doom(client);
        flush(client);
}

void client_write(struct client *client, const void *data, size_t n) {
        client_write_framed(client, data, n, "", 0);
}

void client_close_after_flush(struct client *client) {
        if (client->closing || client->finishing)
                return;
        client->finishing = true;
        uv_read_stop(&client->uv.stream);
        client_set_timer(client, STREAMING_DRAIN_SECONDS);
        flush(client);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
        static char buffer[READ_SIZE]; /* used within one callback only */

        *buf = uv_buf_init(buffer, sizeof(buffer));
}

/* Bytes before the upgrade. What comes behind the head belongs to the wire. */
static void read_head(struct client *client, uint8_t *data, size_t n) {
        size_t room = HEAD_SIZE_MAX - client->n_head, took = n < room ? n : room, before = client->n_head, head;

        memcpy(client->head + client->n_head, data, took);
        client->n_head += took;
        head = client_head(client);
        if (head == 0) {
                if (client->n_head == HEAD_SIZE_MAX)
                        client_close(client);
                return;
        }
        free(TAKE_PTR(client->head));
        data += head - before;
        n -= head - before;
        if (client->wire->begin(client) < 0 ||
            (n > 0 && !client->closing && client->wire->receive(client, data, n) < 0))
                client_close(client);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
        struct client *client = stream->data;

        if (n < 0)
                return client_close(client);
        if (n == 0 || client->finishing || client->doomed)
                return;
        client->active = uv_now(client->streaming->loop);
        if (client->head)
                read_head(client, (uint8_t *)buf->base, (size_t)n);
        else if (client->wire->receive(client, (uint8_t *)buf->base, (size_t)n) < 0)
                client_close(client);
}

void client_pause(struct client *client) {
        if (!client->paused && !client->closing)
                uv_read_stop(&client->uv.stream);
        client->paused = true;
}

void client_resume(struct client *client) {
        if (client->paused && !client->closing && !client->finishing)
                uv_read_start(&client->uv.stream, on_alloc, on_read);
        client->paused = false;
}

static void on_connection(uv_stream_t *stream, int status) {
        struct streaming *streaming = stream->data;
        struct client *client;

        if (status < 0)
                return log_warning("streaming: %s", strerror(-status));
        client = calloc(1, sizeof(*client));
        if (!client) {
                log_error("streaming: out of memory for a connection");
                return listen_refuse(stream);
        }
        client->streaming = streaming;
        client->head = malloc(HEAD_SIZE_MAX + 1);
        client->active = uv_now(streaming->loop);
        client->n_handles = 2;
        client->uv.handle.data = client;
        client->timer.data = client;
        uv_tcp_init(streaming->loop, &client->uv.tcp);
        uv_timer_init(streaming->loop, &client->timer);
        uv_unref((uv_handle_t *)&client->timer);
        LIST_INSERT_HEAD(&streaming->clients, client, link);
        streaming->n_clients++;
        if (uv_accept(stream, &client->uv.stream) < 0 || !client->head || streaming->n_clients > STREAMING_CLIENTS_MAX)
                return client_close(client);
        uv_tcp_nodelay(&client->uv.tcp, 1);
        uv_tcp_keepalive(&client->uv.tcp, 1, 60);
        client_set_timer(client, HEAD_SECONDS);
        uv_read_start(&client->uv.stream, on_alloc, on_read);
}

static void on_listener_closed(uv_handle_t *handle) {
        struct streaming *streaming = handle->data;

        streaming->listener_closed = true;
        streaming_maybe_free(streaming);
}

/* The address as it turned out, port included. */
static int read_address(struct streaming *streaming, struct err **err) {
        struct sockaddr_storage address;
        int size = sizeof(address), r;
        char host[48];
        unsigned port;

        r = uv_tcp_getsockname(&streaming->listener, (struct sockaddr *)&address, &size);
        if (r < 0)
                return err_errno(err, -r, "streaming address");
        if (address.ss_family == AF_INET6) {
                uv_ip6_name((struct sockaddr_in6 *)&address, host, sizeof(host));
                port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
        } else {
                uv_ip4_name((struct sockaddr_in *)&address, host, sizeof(host));
                port = ntohs(((struct sockaddr_in *)&address)->sin_port);
        }
        snprintf(streaming->address, sizeof(streaming->address), address.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u",
                 host, port);
        return 0;
}

static int listen_on(struct streaming *streaming, const char *text, struct err **err) {
        struct sockaddr_storage address;
        const char *colon = strrchr(text, ':');
        char host[48];
        int port, r;

        if (!colon || (size_t)(colon - text) >= sizeof(host) || (text[0] == '[' && colon[-1] != ']'))
                return err_set(err, EINVAL, "streaming address \"%s\" is not of the form ADDRESS:PORT", text);
        snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - 2 * (text[0] == '['), text + (text[0] == '['));
        port = atoi(colon + 1);
        r = text[0] == '[' ? uv_ip6_addr(host, port, (struct sockaddr_in6 *)&address) :
                             uv_ip4_addr(host, port, (struct sockaddr_in *)&address);
        if (r < 0 || port < 0 || port > 65535)
                return err_set(err, EINVAL, "streaming address \"%s\" is not of the form ADDRESS:PORT", text);
        r = uv_tcp_bind(&streaming->listener, (struct sockaddr *)&address, 0);
        if (r == 0)
                r = uv_listen((uv_stream_t *)&streaming->listener, LISTEN_BACKLOG, on_connection);
        if (r < 0)
                return err_errno(err, -r, "streaming address %s", text);
        return read_address(streaming, err);
}

int streaming_new(uv_loop_t *loop, const char *address, const struct streaming_backend *backend, void *data,
                  struct streaming **ret_streaming, struct err **err) {
        struct streaming *streaming = calloc(1, sizeof(*streaming));
        int r;

        if (!streaming)
                return err_set(err, ENOMEM, "out of memory");
        sigpipe_survive();
        streaming->loop = loop;
        streaming->backend = backend;
        streaming->data = data;
        TAILQ_INIT(&streaming->tokens);
        LIST_INIT(&streaming->clients);
        uv_tcp_init(loop, &streaming->listener);
        streaming->listener.data = streaming;
        r = listen_on(streaming, address, err);
        if (r < 0) {
                streaming_free(streaming);
                return r;
        }
        *ret_streaming = streaming;
        return 0;
}

void streaming_free(struct streaming *streaming) {
        struct client *client;
        struct token *token;

        if (!streaming || streaming->closing)
                return;
        streaming->closing = true;
        while ((token = TAILQ_FIRST(&streaming->tokens)))
                token_free(streaming, token);
        LIST_FOREACH (client, &streaming->clients, link)
                client_close(client);
        uv_close((uv_handle_t *)&streaming->listener, on_listener_closed);
}

unsigned streaming_clients(const struct streaming *streaming) {
        return streaming->n_clients;
}

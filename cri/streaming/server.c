#include "cri/streaming/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cri/streaming/internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/http/server.h"
#include "lib/transport/listener.h"

static void token_free(struct streaming_token *token) {
        streaming_request_done(&token->request);
        free(token);
}

static void forget(struct streaming_server *server, struct streaming_token *token) {
        TAILQ_REMOVE(&server->tokens, token, link);
        server->n_tokens--;
}

static void expire_tokens(struct streaming_server *server) {
        uint64_t now = uv_now(server->loop);
        struct streaming_token *token;

        while ((token = TAILQ_FIRST(&server->tokens)) && token->expires <= now) {
                forget(server, token);
                token_free(token);
        }
}

static int make_text(struct streaming_token *token) {
        uint8_t bytes[STREAMING_TOKEN_LENGTH / 2];

        if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
                return -errno;
        for (size_t i = 0; i < sizeof(bytes); i++)
                snprintf(token->text + 2 * i, 3, "%02x", bytes[i]);
        return 0;
}

int streaming_server_url(struct streaming_server *server, const struct streaming_request *request, char **ret_url,
                         struct err **err) {
        static const char *const names[] = { "exec", "attach", "portforward" };
        struct streaming_token *token;

        uv_update_time(server->loop);
        expire_tokens(server);
        if (server->n_tokens >= STREAMING_TOKENS_MAX)
                return err_set(err, ENOBUFS, "more than %d streaming requests wait for their client",
                               STREAMING_TOKENS_MAX);
        token = calloc(1, sizeof(*token));
        if (!token)
                return err_set(err, ENOMEM, "out of memory");
        if (make_text(token) < 0 || streaming_request_copy(request, &token->request) < 0 ||
            asprintf(ret_url, "http://%s/%s/%s", server->address, names[request->kind], token->text) < 0) {
                token_free(token);
                return err_set(err, ENOMEM, "out of memory");
        }
        token->expires = uv_now(server->loop) + STREAMING_TOKEN_SECONDS * 1000;
        TAILQ_INSERT_TAIL(&server->tokens, token, link);
        server->n_tokens++;
        return 0;
}

/* Looks at every token in full: how long it takes tells nothing. */
static bool token_equal(const char *a, const char *b) {
        unsigned char difference = 0;

        for (size_t i = 0; i < STREAMING_TOKEN_LENGTH; i++)
                difference |= (unsigned char)(a[i] ^ b[i]);
        return difference == 0;
}

/* NULL: unknown, too old, or of another kind. */
static struct streaming_token *find(struct streaming_server *server, enum streaming_kind kind, const char *text) {
        struct streaming_token *token;

        expire_tokens(server);
        if (strlen(text) != STREAMING_TOKEN_LENGTH)
                return NULL;
        TAILQ_FOREACH (token, &server->tokens, link)
                if (token_equal(token->text, text) && token->request.kind == kind)
                        return token;
        return NULL;
}

static void handle(struct http_exchange *x, struct streaming_server *server, enum streaming_kind kind) {
        static const char text[] = "the token is unknown, used or too old\n";
        struct streaming_token *token = find(server, kind, http_param(x, "token"));

        if (token && streaming_serve(server->streaming, x, &token->request) == 0) {
                forget(server, token);
                token_free(token);
        }
        if (!token && http_reply(x, 404, "text/plain; charset=utf-8", text, sizeof(text) - 1) < 0)
                http_reset(x, -ENOMEM);
}

static void handle_exec(struct http_exchange *x, void *data) {
        handle(x, data, STREAMING_EXEC);
}

static void handle_attach(struct http_exchange *x, void *data) {
        handle(x, data, STREAMING_ATTACH);
}

static void handle_port_forward(struct http_exchange *x, void *data) {
        handle(x, data, STREAMING_PORT_FORWARD);
}

static const struct http_route routes[] = {
        { "GET", "/exec/{token}", handle_exec, HTTP_ROUTE_MAY_UPGRADE },
        { "POST", "/exec/{token}", handle_exec, HTTP_ROUTE_MAY_UPGRADE },
        { "GET", "/attach/{token}", handle_attach, HTTP_ROUTE_MAY_UPGRADE },
        { "POST", "/attach/{token}", handle_attach, HTTP_ROUTE_MAY_UPGRADE },
        { "GET", "/portforward/{token}", handle_port_forward, HTTP_ROUTE_MAY_UPGRADE },
        { "POST", "/portforward/{token}", handle_port_forward, HTTP_ROUTE_MAY_UPGRADE },
};

static int serve(struct streaming_server *server, const char *address, struct err **err) {
        const struct http_server_config config = { .routes = routes,
                                                   .n_routes = ELEMENTS(routes),
                                                   .data = server,
                                                   .connections_max = STREAMING_CLIENTS_MAX,
                                                   .idle_ms = STREAMING_HEAD_SECONDS * 1000 };
        int fd, r = listener_tcp(address, &fd, err);

        if (r < 0)
                return err_wrap(err, r, "streaming server");
        snprintf(server->address, sizeof(server->address), "%.*s:%d", (int)(strrchr(address, ':') - address), address,
                 listener_port(fd));
        r = http_server_new(server->loop, &config, &server->http, err);
        if (r < 0) {
                close_fd(fd);
                return r;
        }
        r = http_server_listen(server->http, fd);
        return r < 0 ? err_errno(err, -r, "streaming server") : 0;
}

int streaming_server_new(uv_loop_t *loop, const char *address, struct streaming *streaming,
                         struct streaming_server **ret_server, struct err **err) {
        struct streaming_server *server = calloc(1, sizeof(*server));
        int r;

        if (!server)
                return err_set(err, ENOMEM, "out of memory");
        server->loop = loop;
        server->streaming = streaming;
        TAILQ_INIT(&server->tokens);
        r = serve(server, address, err);
        if (r < 0) {
                streaming_server_free(server);
                return r;
        }
        *ret_server = server;
        return 0;
}

void streaming_server_free(struct streaming_server *server) {
        struct streaming_token *token;

        if (!server)
                return;
        while ((token = TAILQ_FIRST(&server->tokens))) {
                forget(server, token);
                token_free(token);
        }
        if (server->http)
                http_server_free(server->http, free, server);
        else
                free(server);
}

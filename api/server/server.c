#include "api/server/server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/collection.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/http/loops.h"
#include "lib/http/server.h"
#include "lib/log.h"

#define REQUEST_ARENA_FIRST ((size_t)3072) /* all that a read needs, and what a watch keeps */

/* --- a request's life --- */

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct api_request *r = http_data(x);

        r->x = NULL;
}

static const struct http_events waiting = { .closed = on_closed };

static void handle(struct http_exchange *x, void *data) {
        struct api_loop *loop = data;
        struct arena *arena = arena_new_small(REQUEST_ARENA_FIRST);
        struct api_request *r = arena ? arena_new_of(arena, struct api_request) : NULL;

        if (!r) {
                arena_free(arena);
                return http_reset(x, -ENOMEM);
        }
        r->server = loop->server;
        r->loop = loop;
        r->x = x;
        r->arena = arena;
        http_set_events(x, &waiting, r);
        api_run(r);
}

/* Whoever answers has let go of the exchange. */
void api_request_free(struct api_request *r) {
        if (r->x)
                http_reset(r->x, -ECANCELED);
        api_change_deinit(&r->change);
        assert(!list_linked(&r->waiter.in_turn));
        if (r->turn)
                api_turn_give(r->turn);
        object_unref(r->current);
        bytes_unref(r->current_json);
        if (r->cleared)
                collection_page_clear(r->cleared);
        arena_free(r->arena);
}

/* What http_collect() says of a client that is still there. */
static bool is_answerable(int error) {
        return error == 0 || error == -EMSGSIZE || error == -ETIMEDOUT || error == -EBADMSG || error == -EOPNOTSUPP ||
               error == -ENOMEM;
}

static void on_received(struct http_exchange *x, int error, const void *body, size_t size, void *data) {
        struct api_request *r = data;

        r->body = body;
        r->body_size = size;
        r->body_error = error;
        if (is_answerable(error))
                http_set_events(x, &waiting, r);
        else
                r->x = NULL;
        api_resume(r);
}

enum api_step api_receive(struct api_request *r) {
        http_collect(r->x, API_BODY_MAX, on_received, r);
        return API_WAIT;
}

/* --- changes: decided by the store's writer, told to the loop --- */

bool api_post(struct api_request *r) {
        struct api_loop *loop = r->loop;
        bool closed;

        pthread_mutex_lock(&loop->lock);
        closed = loop->closed;
        if (!closed) {
                api_requests_append(&loop->made, r);
                uv_async_send(&loop->wake);
        }
        pthread_mutex_unlock(&loop->lock);
        if (closed)
                api_request_free(r);
        return !closed;
}

static void on_decided(struct api_change *change, int code, const char *text) {
        struct api_request *r = change->data;

        r->change_code = code;
        r->change_text = text ? arena_strdup(r->arena, text) : NULL;
        api_post(r);
}

enum api_step api_submit(struct api_request *r) {
        int error;

        r->change.done = on_decided;
        r->change.data = r;
        error = api_change_submit(&r->change);
        if (error == 0)
                return API_WAIT;
        r->change_code = error;
        return API_NEXT;
}

static void on_wake(uv_async_t *wake) {
        struct api_loop *loop = wake->data;
        struct api_requests made = { 0 };
        struct api_request *r;

        pthread_mutex_lock(&loop->lock);
        api_requests_take(&made, &loop->made);
        pthread_mutex_unlock(&loop->lock);
        while ((r = api_requests_pop(&made)))
                api_resume(r);
        if (loop->server->config.hooks.woken)
                loop->server->config.hooks.woken(loop);
}

void api_loop_wake(struct api_loop *loop) {
        uv_async_send(&loop->wake);
}

/* --- loops --- */

static int loop_start(void *data, unsigned i, uv_loop_t *uv, void **ret_data) {
        struct api_server *server = data;
        struct api_loop *loop = calloc(1, sizeof(*loop));
        int r;

        if (!loop)
                return -ENOMEM;
        server->all[i] = loop;
        loop->server = server;
        loop->uv = uv;
        loop->number = i;
        loop->wake.data = loop;
        pthread_mutex_init(&loop->lock, NULL);
        r = server->config.hooks.start ? server->config.hooks.start(loop) : 0;
        r = r ?: uv_async_init(uv, &loop->wake, on_wake);
        if (r == 0)
                *ret_data = loop;
        return r;
}

static void loop_stop(void *data) {
        struct api_loop *loop = data;
        struct api_request *r;

        pthread_mutex_lock(&loop->lock);
        loop->closed = true;
        pthread_mutex_unlock(&loop->lock);
        while ((r = api_requests_pop(&loop->made)))
                api_request_free(r);
        if (loop->server->config.hooks.stop)
                loop->server->config.hooks.stop(loop);
        uv_close((uv_handle_t *)&loop->wake, NULL);
}

int api_server_new(const struct api_server_config *config, struct api_server **ret_server, struct err **err) {
        static const struct http_route routes[] = { { NULL, "/{path...}", handle, 0 } };
        struct api_server *server = calloc(1, sizeof(*server));
        struct http_loops_config loops = {
                .server = { .routes = routes,
                            .n_routes = ELEMENTS(routes),
                            .data = server,
                            .tls = config->tls,
                            .connections_max = API_CONNECTIONS_MAX },
                .n_loops = config->n_loops,
                .start = loop_start,
                .stop = loop_stop,
        };
        int r;

        if (!server)
                return err_set(err, ENOMEM, "no memory for the server");
        server->config = *config;
        r = http_loops_new(&loops, &server->loops, err);
        if (r < 0) {
                free(server);
                return r;
        }
        *ret_server = server;
        return 0;
}

int api_server_listen(struct api_server *server, int fd) {
        return http_loops_listen(server->loops, fd);
}

int api_server_start(struct api_server *server) {
        return http_loops_start(server->loops);
}

void api_server_set_tls(struct api_server *server, struct tls_context *tls) {
        http_loops_set_tls(server->loops, tls);
}

void api_server_stop(struct api_server *server) {
        http_loops_free(server->loops);
        server->loops = NULL;
}

void api_server_free(struct api_server *server) {
        if (!server)
                return;
        http_loops_free(server->loops);
        for (size_t i = 0; i < API_LOOPS_MAX; i++)
                free(server->all[i]);
        free(server);
}

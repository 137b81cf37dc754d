#include "api/server/server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "api/cache/collection.h"
#include "api/server/deadline.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/http/loops.h"
#include "lib/http/server.h"
#include "lib/log.h"

#define REQUEST_ARENA_FIRST ((size_t)3072) /* all that a read needs, and what a watch keeps */

/* --- a request's life --- */

void api_keep_body(struct api_request *r) {
        const char *kept;

        if (r->body_size == 0)
                return;
        kept = arena_strndup(r->arena, r->body, r->body_size);
        r->body_size = kept ? r->body_size : 0;
        r->body = kept ?: "";
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct api_request *r = http_data(x);

        api_keep_body(r);
        r->x = NULL;
}

static const struct http_events waiting = { .closed = on_closed };

void api_loop_take(struct api_loop *loop, struct http_exchange *x, const struct auth_user *user) {
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
        if (user)
                r->user = *user;
        r->began_ns = uv_hrtime();
        http_set_events(x, &waiting, r);
        api_run(r);
}

static void handle(struct http_exchange *x, void *data) {
        api_loop_take(data, x, NULL);
}

static void end_charge(struct api_request *r) {
        if (r->charge_ended)
                r->charge_ended(r->charge);
        r->charge_ended = NULL;
}

/* Whoever answers has let go of the exchange. */
void api_request_free(struct api_request *r) {
        if (r->x)
                http_reset(r->x, -ECANCELED);
        if (r->held)
                r->release(r->held);
        if (r->server->config.hooks.ended)
                r->server->config.hooks.ended(r);
        end_charge(r);
        api_count_ended(r);
        api_leave(r);
        api_deadline_disarm(r);
        api_change_deinit(&r->change);
        assert(!list_linked(&r->waiter.in_turn));
        if (r->turn)
                api_turn_give(r->turn);
        bytes_unref(r->answer);
        object_unref(r->current);
        bytes_unref(r->current_json);
        if (r->cleared)
                collection_page_clear(r->cleared);
        free(r->told);
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
        r->receives = false;
        if (is_answerable(error))
                http_set_events(x, &waiting, r);
        else
                r->x = NULL;
        if (error == -ETIMEDOUT)
                api_answer_late(r);
        api_resume(r);
}

enum api_step api_receive(struct api_request *r) {
        r->receives = true;
        http_collect(r->x, API_BODY_MAX, on_received, r);
        return API_WAIT;
}

/* --- changes: decided by the store's writer, told to the loop --- */

bool api_post(struct api_request *r) {
        struct api_loop *loop = r->loop;
        bool closed;

        pthread_mutex_lock(&loop->lock);
        closed = loop->closed;
        api_requests_append(&loop->made, r);
        if (!closed)
                uv_async_send(&loop->wake);
        pthread_mutex_unlock(&loop->lock);
        return !closed;
}

int api_note_told(struct api_request *r, const char *text) {
        free(r->told);
        r->told = text ? strdup(text) : NULL;
        return text && !r->told ? -ENOMEM : 0;
}

static void on_decided(struct api_change *change, int code, const char *text) {
        struct api_request *r = change->data;

        r->change_code = code;
        api_note_told(r, text);
        if (code == 0)
                end_charge(r);
        api_post(r);
}

enum api_step api_submit(struct api_request *r) {
        int error;

        r->submitted_ns = uv_hrtime();
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
        /* Events first: who waits for the answer to a change may look next at what was made of its events. */
        if (loop->server->config.hooks.woken)
                loop->server->config.hooks.woken(loop);
        while ((r = api_requests_pop(&made))) {
                api_count_stored(r, uv_hrtime() - r->submitted_ns);
                api_resume(r);
        }
}

void api_loop_random(struct api_loop *loop, void *ret_bytes, size_t size) {
        if (loop->random_left < size) {
                /* An id that is not random after all is still an id. */
                (void)!getrandom(loop->random, sizeof(loop->random), GRND_INSECURE);
                loop->random_left = sizeof(loop->random);
        }
        loop->random_left -= size;
        memcpy(ret_bytes, loop->random + loop->random_left, size);
}

void api_loop_wake(struct api_loop *loop) {
        uv_async_send(&loop->wake);
}

/* --- loops --- */

static int loop_begin(struct api_server *server, unsigned number, uv_loop_t *uv, struct api_loop **at) {
        struct api_loop *loop = calloc(1, sizeof(*loop));
        int r;

        if (!loop)
                return -ENOMEM;
        *at = loop;
        api_counts_init(&loop->counts);
        loop->server = server;
        loop->uv = uv;
        loop->number = number;
        loop->wake.data = loop;
        pthread_mutex_init(&loop->lock, NULL);
        if ((r = server->config.hooks.start ? server->config.hooks.start(loop) : 0) < 0 ||
            (r = uv_async_init(uv, &loop->wake, on_wake)) < 0)
                return r;
        api_deadlines_start(loop);
        return 0;
}

static int loop_start(void *data, unsigned i, uv_loop_t *uv, void **ret_data) {
        struct api_server *server = data;
        int r = loop_begin(server, i, uv, &server->all[i]);

        if (r == 0)
                *ret_data = server->all[i];
        return r;
}

static void loop_stop(void *data) {
        struct api_loop *loop = data;

        pthread_mutex_lock(&loop->lock);
        loop->closed = true;
        pthread_mutex_unlock(&loop->lock);
        if (loop->server->config.hooks.stop)
                loop->server->config.hooks.stop(loop);
        api_deadlines_stop(loop);
        uv_close((uv_handle_t *)&loop->wake, NULL);
}

int api_server_within(struct api_server *server, uv_loop_t *uv, struct api_loop **ret_loop) {
        int r = loop_begin(server, API_LOOPS_MAX, uv, &server->within);

        if (r == 0)
                *ret_loop = server->within;
        return r;
}

void api_loop_leave(struct api_loop *loop) {
        loop_stop(loop);
}

int api_server_new(const struct api_server_config *config, struct api_server **ret_server, struct err **err) {
        static const struct http_route routes[] = { { NULL, "/{path...}", handle, HTTP_ROUTE_MAY_UPGRADE } };
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
        server->started = time(NULL);
        atomic_init(&server->health.begun, config->begun);
        pthread_mutex_init(&server->source.lock, NULL);
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

void api_server_announce(struct api_server *server) {
        atomic_store(&server->leaves, true);
}

static void leave(void *data) {
        struct api_loop *loop = data;

        loop->leaves = true;
        if (loop->server->config.hooks.leave)
                loop->server->config.hooks.leave(loop);
}

void api_server_drain(struct api_server *server, void (*on_drained)(void *data), void *data) {
        api_server_announce(server);
        http_loops_drain(server->loops, on_drained, data);
        for (unsigned i = 0; i < http_loops_count(server->loops); i++)
                if (http_loops_post(server->loops, i, leave, server->all[i]) < 0)
                        log_warning("loop %u is too busy to end its watches", i);
}

void api_server_stop(struct api_server *server) {
        http_loops_free(server->loops);
        server->loops = NULL;
}

/* Whether there were any. One that goes may hand on what it had (a turn, the lead of a batch) to another. */
static bool free_made(struct api_loop *loop) {
        struct api_request *r;
        bool any = false;

        while (loop && (r = api_requests_pop(&loop->made))) {
                api_request_free(r);
                any = true;
        }
        return any;
}

static void free_all_made(struct api_server *server) {
        bool any;

        do {
                any = free_made(server->within);
                for (size_t i = 0; i < API_LOOPS_MAX; i++)
                        any |= free_made(server->all[i]);
        } while (any);
}

static void loop_free(struct api_loop *loop) {
        if (!loop)
                return;
        api_counts_deinit(&loop->counts);
        pthread_mutex_destroy(&loop->lock);
        free(loop);
}

void api_server_free(struct api_server *server) {
        if (!server)
                return;
        http_loops_free(server->loops);
        free_all_made(server);
        for (size_t i = 0; i < API_LOOPS_MAX; i++)
                loop_free(server->all[i]);
        loop_free(server->within);
        free(server);
}

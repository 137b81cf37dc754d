/* The server: loops that take requests and run each through the pipeline.
 *
 *     new ──► listen ──► start ──► stop ──► (the state is closed) ──► free
 */
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <uv.h>

#include "api/server/pipeline.h"
#include "api/server/request.h"

struct api_openapi;
struct err;
struct http_loops;
struct tls_context;

#define API_CONNECTIONS_MAX 12000
#define API_LOOPS_MAX 64

/* Has api_resume() called on the request's loop. From any thread. False: the loop is gone, and the request was freed.
 */
bool api_post(struct api_request *r);

/* What stages keep for each loop, told on its thread; any may be NULL. */
struct api_loop_hooks {
        int (*start)(struct api_loop *loop); /* 0 or a negative errno */
        void (*woken)(struct api_loop *loop);
        void (*stop)(struct api_loop *loop);
};

struct api_server_config {
        struct api_state *state;
        const struct kube_registry *registry;
        struct api_openapi *openapi; /* its documents */
        struct tls_context *tls;     /* a reference is taken */
        unsigned n_loops;            /* 0: as many as processors */
        const char *address;         /* that clients use, for discovery: "10.0.0.1:6443" */
        struct api_loop_hooks hooks;
        void *data; /* of who has made the table of stages */
};

struct api_server {
        struct api_server_config config;
        struct http_loops *loops;
        struct api_loop *all[API_LOOPS_MAX];
};

LIST_DEFINE(api_requests, struct api_request, in_loop)

struct api_loop {
        struct api_server *server;
        uv_loop_t *uv;
        unsigned number;
        void *data; /* of the hooks */

        /* The server's. */
        uv_async_t wake;
        pthread_mutex_t lock; /* of @made */
        struct api_requests made;
        bool closed; /* nobody takes what is made */
};

/* @config is copied. */
int api_server_new(const struct api_server_config *config, struct api_server **ret_server, struct err **err);

/* The listening socket @fd is taken over also on failure. */
int api_server_listen(struct api_server *server, int fd);
int api_server_start(struct api_server *server);

/* New connections are made with @tls, of which a reference is taken. From any thread, between start and stop. */
void api_server_set_tls(struct api_server *server, struct tls_context *tls);

/* Closes all connections, and waits for the loops. Changes that the store has go on. */
void api_server_stop(struct api_server *server);

/* Once no change is under way any more. NULL is fine. */
void api_server_free(struct api_server *server);

/* Has woken() called on the loop. From any thread. */
void api_loop_wake(struct api_loop *loop);

/* Submits the request's change, which the store's writer then decides: API_WAIT, and the pipeline goes on with
 * change_code and change_text. What cannot be submitted is answered. */
enum api_step api_submit(struct api_request *r);

/* Has the body received: API_WAIT, and the pipeline goes on with body and body_size, or body_error. */
enum api_step api_receive(struct api_request *r);

/* The server: loops that take requests and run each through the pipeline.
 *
 *     new ──► listen ──► start ──► stop ──► (the state is closed) ──► free
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

#include "api/server/count.h"
#include "api/server/flow.h"
#include "api/server/health.h"
#include "api/server/pipeline.h"
#include "api/server/request.h"

struct api_admission;
struct api_openapi;
struct api_services;
struct api_usage;
struct auth_user;
struct audit;
struct err;
struct http_loops;
struct priority;
struct proxy;
struct tls_context;
struct validate_asks;

#define API_CONNECTIONS_MAX 12000
#define API_LOOPS_MAX 64
#define API_ANSWER_LARGE ((size_t)256 << 10) /* bytes: answers from there on are counted */
#define API_UNREAD_MAX ((size_t)128 << 20)   /* of large answers that clients have not read: past it 429 */
#define API_RANDOM_SIZE 1024

/* Has api_resume() called on the request's loop. From any thread. False: the loop is gone, and api_server_free() frees
 * the request, which nobody but it may touch from then on. */
bool api_post(struct api_request *r);

/* What stages keep for each loop, told on its thread; any may be NULL. */
struct api_loop_hooks {
        int (*start)(struct api_loop *loop); /* 0 or a negative errno */
        void (*woken)(struct api_loop *loop);
        void (*stop)(struct api_loop *loop);
        void (*leave)(struct api_loop *loop); /* what has no end of its own ends: the service is to go */

        /* Of a request: its answer's head goes out; it is over, and r->x may be NULL. */
        void (*answered)(struct api_request *r);
        void (*ended)(struct api_request *r);
};

struct api_server_config {
        struct api_state *state;
        const struct kube_registry *registry;
        struct api_openapi *openapi; /* its documents */
        struct tls_context *tls;     /* a reference is taken */
        struct api_services *services;
        struct api_usage *usage;
        unsigned n_loops;    /* 0: as many as processors */
        const char *address; /* that clients use, for discovery: "10.0.0.1:6443" */
        struct audit *audit; /* NULL: none */
        struct api_limits limits;
        struct api_loop_hooks hooks;
        void *data; /* of who has made the table of stages */
        const struct api_admission *admission;
        const struct validate_asks *asks; /* what validation asks, of a request; NULL: nothing */
        struct proxy *proxy;              /* the ways to nodes and pods */
        struct priority *priority;
        unsigned begun;   /* API_BEGUN() of what is done before anything is served */
        string_map flags; /* what it was started with, by the flags' names, in order */
};

struct api_server {
        struct api_server_config config;
        struct http_loops *loops;
        struct api_loop *all[API_LOOPS_MAX];
        struct api_loop *within; /* api_server_within() */
        atomic_uint in_flight[_API_LOADS];
        atomic_size_t unread; /* bytes of large answers that are on their way */
        atomic_bool leaves;   /* it says so at /readyz */
        int64_t started;      /* seconds since 1970 */
        struct api_health health;
        struct api_source source;
};

LIST_DEFINE(api_requests, struct api_request, in_loop)

struct api_loop {
        struct api_server *server;
        uv_loop_t *uv;
        unsigned number;
        void *data; /* of the hooks */
        struct api_counts counts;

        uint8_t random[API_RANDOM_SIZE]; /* for ids and dice: what is left of what the kernel gave */
        size_t random_left;

        /* The server's. */
        uv_async_t wake;
        pthread_mutex_t lock; /* of @made */
        struct api_requests made;
        bool closed; /* nobody takes what is made */
        bool leaves; /* what has no end of its own was ended, and is as soon as it begins */

        struct api_waiting waiting;
        uv_timer_t deadline;
        uint64_t deadline_ms; /* when it is due, in uv_hrtime()'s milliseconds */
};

/* @config is copied. */
int api_server_new(const struct api_server_config *config, struct api_server **ret_server, struct err **err);

/* The listening socket @fd is taken over also on failure. */
int api_server_listen(struct api_server *server, int fd);
int api_server_start(struct api_server *server);

/* A loop of the server's without connections, on the caller's @uv: for requests from within the process. One a server.
 * It is left on its thread, when no exchange of its requests is left. 0 or a negative errno. */
int api_server_within(struct api_server *server, uv_loop_t *uv, struct api_loop **ret_loop);
void api_loop_leave(struct api_loop *loop);

/* Takes a request from within the process, on its loop: @user, who outlives the loop, asks. */
void api_loop_take(struct api_loop *loop, struct http_exchange *x, const struct auth_user *user);

/* New connections are made with @tls, of which a reference is taken. From any thread, between start and stop. */
void api_server_set_tls(struct api_server *server, struct tls_context *tls);

/* From now on /readyz says that it leaves. From any thread. */
void api_server_announce(struct api_server *server);

/* Takes no more connections; what has no end of its own ends, and what is under way may. @on_drained (from one of the
 * loops) when no connection is left. */
void api_server_drain(struct api_server *server, void (*on_drained)(void *data), void *data);

/* @size bytes that nobody guesses, API_RANDOM_SIZE at most. On the loop. */
void api_loop_random(struct api_loop *loop, void *ret_bytes, size_t size);

/* Closes all connections, and waits for the loops. Changes that the store has go on. */
void api_server_stop(struct api_server *server);

/* Once no change is under way any more. NULL is fine. */
void api_server_free(struct api_server *server);

/* Has woken() called on the loop. From any thread. */
void api_loop_wake(struct api_loop *loop);

/* Notes a copy of @text (NULL: none) as r->told. On the thread that posts the request next; 0 or -ENOMEM. */
int api_note_told(struct api_request *r, const char *text);

/* Submits the request's change, which the store's writer then decides: API_WAIT, and the pipeline goes on with
 * change_code and told. What cannot be submitted is answered. */
enum api_step api_submit(struct api_request *r);

/* Has the body received: API_WAIT, and the pipeline goes on with body and body_size, or body_error. The bytes are the
 * exchange's. */
enum api_step api_receive(struct api_request *r);

/* The exchange goes, and the request goes on: the body stays with it, or is empty without memory. */
void api_keep_body(struct api_request *r);

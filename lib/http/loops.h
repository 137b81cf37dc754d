/* Several loops, a thread each, that serve the connections of the same sockets with the same routes.
 *
 * One loop accepts and hands each connection to the loop that has the fewest: the kernel's own ways to divide them
 * leave some loops idle (epoll wakes the same waiter first, SO_REUSEPORT throws dice, and loses who waits in the
 * backlog of a loop that ends). A connection stays with its loop, and so do its exchanges: whoever answers from
 * another thread posts to it.
 *
 *     new ──► listen* ──► start ──► (drain) ──► free
 */
#pragma once

#include "lib/http/server.h"

#define HTTP_LOOPS_MAX 64
#define HTTP_POSTS_MAX 4096 /* calls that may wait for one loop */

struct http_loops;

struct http_loops_config {
        struct http_server_config server; /* of each loop; connections_max is of all together */
        unsigned n_loops;                 /* 0: as many as the process has processors */
        /* What handlers of loop @i get in place of server.data: made before its thread runs, unmade on its thread when
         * all its connections are gone. start() returns 0 or a negative errno. Both may be NULL. */
        int (*start)(void *data, unsigned i, uv_loop_t *loop, void **ret_data);
        void (*stop)(void *loop_data);
};

/* Returns 0; -EINVAL, -ENOMEM, or what start() has returned. Nothing is served yet. */
int http_loops_new(const struct http_loops_config *config, struct http_loops **ret_loops, struct err **err);

/* Serves connections on the listening socket @fd, which is taken over also on failure. Before http_loops_start(). */
int http_loops_listen(struct http_loops *loops, int fd);

/* Runs the threads, which take no signals. 0 or a negative errno; free it then. */
int http_loops_start(struct http_loops *loops);

/* Stops listening; what is under way may end (http_server_drain()). @on_drained (may be NULL) is called once, on one
 * of the threads, when no connection is left; not if http_loops_free() comes before. */
void http_loops_drain(struct http_loops *loops, void (*on_drained)(void *data), void *data);

/* Closes all, and waits for the threads. Not from one of them. NULL is fine. */
void http_loops_free(struct http_loops *loops);

/* New connections are made with @tls, of which a reference is taken. From any thread. */
void http_loops_set_tls(struct http_loops *loops, struct tls_context *tls);

/* Has @run(@data) called on loop @i. From any thread. 0; -EAGAIN when HTTP_POSTS_MAX calls wait there; -EPIPE
 * when the loop has ended. What waits then is still run. */
int http_loops_post(struct http_loops *loops, unsigned i, void (*run)(void *data), void *data);

unsigned http_loops_count(const struct http_loops *loops);

/* http_server_failed_handshakes() of all. */
uint64_t http_loops_failed_handshakes(const struct http_loops *loops);

/* Connections that loop @i has at this moment. From any thread. */
unsigned http_loops_connections(const struct http_loops *loops, unsigned i);

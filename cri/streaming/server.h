/* Where CRI's Exec, Attach and PortForward send their clients: http://127.0.0.1:PORT/KIND/TOKEN, an HTTP server of its
 * own without TLS. A token is 128 random bits, works once and for STREAMING_TOKEN_SECONDS; who has it may do what it
 * stands for.
 */
#pragma once

#include <uv.h>

struct err;
struct streaming;
struct streaming_request;
struct streaming_server;

#define STREAMING_TOKEN_SECONDS 60
#define STREAMING_TOKENS_MAX 1000 /* unclaimed; one more is refused (ENOBUFS) */
#define STREAMING_HEAD_SECONDS 10 /* for a client to send its request */

/* Listens on @address, "127.0.0.1:0" for a free port, and gives clients to @streaming, which must live as long. Returns
 * 0, or a negative errno with *@err. */
int streaming_server_new(uv_loop_t *loop, const char *address, struct streaming *streaming,
                         struct streaming_server **ret_server, struct err **err);

/* Closes everything. Memory goes once the loop has closed the handles. NULL is fine. */
void streaming_server_free(struct streaming_server *server);

/* Makes a token for @request, which is copied. Returns 0 with the URL (free it), -ENOBUFS past STREAMING_TOKENS_MAX, or
 * -ENOMEM. */
int streaming_server_url(struct streaming_server *server, const struct streaming_request *request, char **ret_url,
                         struct err **err);

/* The agent's read-only HTTP endpoint, as kubelet's read-only port: GET on RUN/kubelet.sock, and on a TCP port where
 * one is configured. /healthz is its own; the rest are routes that write JSON or text. Over HTTP/1.1 and HTTP/2.
 */
#pragma once

#include <uv.h>

#include "agent/config/options.h"

struct endpoint;
struct json_writer;

#define ENDPOINT_CLIENTS_MAX 64 /* at a time; one more, and the one that is idle for the longest is closed */

struct endpoint_route {
        const char *path;                                     /* NULL ends the table */
        int (*write)(void *data, struct json_writer *writer); /* 0 or a negative errno: 500 */
        char *(*text)(void *data);                            /* in place of write: plain text, allocated; NULL: 500 */
};

/* @routes is kept. -EADDRINUSE and others with *@err. */
int endpoint_new(uv_loop_t *loop, const struct options *options, const struct endpoint_route *routes, void *data,
                 struct endpoint **ret_endpoint, struct err **err);

/* Closes all; memory goes once the loop has closed the handles. NULL is fine. */
void endpoint_free(struct endpoint *endpoint);

/* What is asked of this server and answered elsewhere: by a node (log, exec, attach, portforward, nodes/proxy), or by
 * what listens in the cluster (pods/proxy, services/proxy).
 *
 *     api_connect    which of them it is, what is wrong with the question, and where the answer is to be had
 *     proxy_send     takes it there
 *
 * The way there is not built yet: proxy_send() says so in the words that kube-apiserver has for a node it does not
 * reach. Whoever builds it begins there: a target has all that has to be known.
 */
#pragma once

#include <stdbool.h>

#include "api/server/pipeline.h"

struct api_request;

#define PROXY_KUBELET_PORT 10250 /* where a node's status names none */

struct proxy_target {
        bool kubelet;       /* known by the client certificate of this server; anything else has none */
        const char *scheme; /* "https"; "": http */
        const char *host;   /* a name or an address */
        const char *port;   /* a number; "": the scheme's own */
        const char *path;   /* with its first slash */
        const char *query;  /* as it is sent, or "" */
        bool upgrades;      /* the connection becomes a tunnel (SPDY, WebSocket) */
};

/* Stage, before the options are read: those that are answered elsewhere; API_NEXT for all others. */
enum api_step api_connect(struct api_request *r);

/* Where the kubelet of node @name is: its status' addresses in kube-apiserver's order. API_NEXT with *@ret_target,
 * whose path and query are empty; else it is answered. */
enum api_step proxy_find_kubelet(struct api_request *r, const char *name, struct proxy_target *ret_target);

/* Has the request answered by @target. */
enum api_step proxy_send(struct api_request *r, const struct proxy_target *target);

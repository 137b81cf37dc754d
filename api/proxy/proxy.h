/* What is asked of this server and answered elsewhere: by a node (log, exec, attach, portforward, nodes/proxy), or by
 * what listens in the cluster (pods/proxy, services/proxy).
 *
 *     api_connect    which of them it is, what is wrong with the question, and where the answer is to be had
 *     proxy_send     takes it there: an HTTP/1.1 client on the loop of the connection that asked
 *
 * Requests and answers pass as they come, either way, with at most PROXY_WAITING_MAX bytes of each held here; when
 * either side goes, so does the other. What becomes a tunnel (SPDY/3.1, WebSocket) is passed on as it is; WebSocket's
 * v5.channel.k8s.io and tunnelled port forwarding are translated to SPDY for nodes that do not say
 * (status.declaredFeatures, ExtendWebSocketsToKubelet) that they speak them: KEP-4006.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/server/pipeline.h"

struct api_loop;
struct api_request;
struct err;
struct proxy;
struct tls_context;

#define PROXY_KUBELET_PORT 10250              /* where a node's status names none */
#define PROXY_WAITING_MAX ((size_t)256 << 10) /* bytes that wait for a side which does not read */
#define PROXY_ERROR_MAX ((size_t)50000)       /* of what a kubelet says of a log that it does not give, as upstream */
#define PROXY_CONNECT_MS 30000                /* to look a name up, connect and shake hands, as Go's dialer there */
#define PROXY_RELAYS_MAX 4096                 /* under way at a time; one more is told 429 */
#define PROXY_ADDRESS_TYPES_MAX 8
#define PROXY_ADDRESS_TYPES                                                                                            \
        "InternalIP,ExternalIP,Hostname,InternalDNS,ExternalDNS" /* as kubeadm sets it: what nodes are called resolves \
                                                                    nowhere at first */

struct proxy_config {
        struct tls_context *kubelet; /* to kubelets: with this server's certificate; a reference is taken */
        const char *address_types;   /* --kubelet-preferred-address-types, best first */
        uint64_t kubelet_ms;         /* as PROXY_CONNECT_MS, to kubelets */
};

int proxy_new(const struct proxy_config *config, struct proxy **ret_proxy, struct err **err);

/* Once the server is gone. NULL is fine. */
void proxy_free(struct proxy *proxy);

/* 0, or -EINVAL where @text is no list of types of addresses. */
int proxy_check_types(const char *text, struct err **err);

/* New connections to kubelets are made with @tls, of which a reference is taken. From any thread. */
void proxy_set_kubelet_tls(struct proxy *proxy, struct tls_context *tls);

/* The service is to go: what passes on @loop ends. On its thread. */
void proxy_leave(struct api_loop *loop);

/* Stage, before the options are read: those that are answered elsewhere; API_NEXT for all others. */
enum api_step api_connect(struct api_request *r);

enum proxy_form {
        PROXY_REQUEST, /* any request, which may become a tunnel */
        PROXY_LOG,     /* this server's own GET, whose body is the answer */
        PROXY_EXEC,    /* a tunnel or nothing: exec and attach */
        PROXY_FORWARD, /* the same: port forwarding */
};

struct proxy_target {
        enum proxy_form form;
        bool kubelet;       /* known by the client certificate of this server; anything else has none */
        bool any_server;    /* with @kubelet: whoever it is, its certificate does not matter */
        bool websockets;    /* with @kubelet: it takes the WebSockets of PROXY_EXEC and PROXY_FORWARD itself */
        bool unicast;       /* refused where an address of @host is none that other hosts have */
        const char *scheme; /* "https"; "": http */
        const char *host;   /* a name or an address */
        const char *port;   /* a number; "": the scheme's own */
        const char *path;   /* with its first slash, encoded; "": none, also without a slash */
        const char *query;  /* as it is sent, or "" */
};

/* Where the kubelet of node @name is: its status' addresses in the order of --kubelet-preferred-address-types. API_NEXT
 * with *@ret_target, whose path and query are empty; else it is answered. */
enum api_step proxy_find_kubelet(struct api_request *r, const char *name, struct proxy_target *ret_target);

/* Has the request answered by @target, whose texts live as long as @r: API_END. */
enum api_step proxy_send(struct api_request *r, const struct proxy_target *target);

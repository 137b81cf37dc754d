/* A request on its way through: the client's exchange, the one with who answers it, and what passes between them.
 *
 *     look up ──► ask ──► head ──► pieces either way ──► both exchanges closed
 *
 * What there is to do with heads and pieces is a form's (relay_forms.c); what it does with lives and back-pressure is
 * the same for all.
 */
#pragma once

#include <netinet/in.h>
#include <uv.h>

#include "api/proxy/internal.h"
#include "lib/list.h"

#define PROXY_LINGER_MS 10000

struct http_client;
struct http_client_request;
struct http_exchange;
struct http_response;
struct proxy_lookup;
struct proxy_relay;

struct proxy_relay_form {
        /* Fills in what is asked: method, fields, upgrade. 0 or -ENOMEM. */
        int (*ask)(struct proxy_relay *relay, struct http_client_request *request);
        void (*head)(struct proxy_relay *relay, const struct http_response *response);
        void (*from_target)(struct proxy_relay *relay, uint8_t *bytes, size_t n);
        void (*from_client)(struct proxy_relay *relay, uint8_t *bytes, size_t n);
        void (*target_ended)(struct proxy_relay *relay, const struct http_fields *trailers);
        void (*client_ended)(struct proxy_relay *relay, const struct http_fields *trailers);
        void (*free)(struct proxy_relay *relay); /* @state; may be NULL */
};

extern const struct proxy_relay_form proxy_request_form, proxy_log_form, proxy_tunnel_form, proxy_translate_form,
        proxy_unwrap_form, proxy_log_socket_form;

struct proxy_relay {
        struct list_node in_open; /* of its loop */
        struct api_request *r;    /* in whose arena all of it is */
        struct proxy_target target;
        const struct proxy_relay_form *form;
        void *state;                 /* the form's */
        struct http_exchange *down;  /* the client's; NULL: gone, or answered by others */
        struct http_exchange *up;    /* NULL: not yet, or gone */
        struct http_client *client;  /* of @up */
        struct proxy_lookup *lookup; /* NULL: none under way */
        uv_timer_t *timer;           /* until the connection is there, and in the end; NULL: it does not run */
        struct sockaddr_storage address;
        const char *address_text; /* "10.0.0.1:10250"; NULL: not known */
        const char *authority;    /* "node-1:10250" */
        uint8_t *early;           /* @n_early bytes of the client's that came before there was @up */
        size_t n_early;
        bool ended_early;
        bool begins;   /* proxy_send() is at work */
        bool answered; /* the client's answer has begun */
        bool ending;   /* nothing goes on any more */
};

LIST_DEFINE(proxy_relays, struct proxy_relay, in_open)

/* Takes the client's exchange over, and gives the rest PROXY_CONNECT_MS. 0 or -ENOMEM. */
int proxy_relay_open(struct proxy_relay *relay);

/* Asks at @relay->address, of @n_address bytes. 0 or a negative errno. */
int proxy_relay_ask(struct proxy_relay *relay, socklen_t n_address);

/* There is no way to the target: the request is refused, and the relay gone. */
void proxy_relay_fail(struct proxy_relay *relay, int error, const char *why);

/* Others answer: what the client still sends is nobody's. */
void proxy_relay_let_go(struct proxy_relay *relay);

/* Ends it and its request where neither side is there; the first alone: of a request that others free. */
void proxy_relay_release(struct proxy_relay *relay);
void proxy_relay_maybe_free(struct proxy_relay *relay);

/* Sends on, and holds the other side back where this one does not read. */
void proxy_relay_down(struct proxy_relay *relay, const void *bytes, size_t n);
void proxy_relay_up(struct proxy_relay *relay, const void *bytes, size_t n);
void proxy_relay_down_ranges(struct proxy_relay *relay, const struct iovec *ranges, unsigned n);
void proxy_relay_up_ranges(struct proxy_relay *relay, const struct iovec *ranges, unsigned n);

/* The answer's head, to the client: 101 makes a tunnel. @length as http_respond(). */
void proxy_relay_answer(struct proxy_relay *relay, int status, const struct http_field *own, uint32_t n,
                        int64_t length);

/* Nothing was answered yet: it is refused in @words, as a server that was reached (@sent) or not, and all ends. */
void proxy_relay_refuse(struct proxy_relay *relay, const char *words, bool sent);

/* The same of a log, by what the kubelet answered. */
void proxy_relay_refuse_log(struct proxy_relay *relay, int status, const char *text);
void proxy_relay_refuse_redirect(struct proxy_relay *relay, const char *location);

/* Gives both sides up. */
void proxy_relay_end(struct proxy_relay *relay, int error);

/* One side of a tunnel has ended: the other may still say what it has to, for PROXY_LINGER_MS. */
void proxy_relay_linger(struct proxy_relay *relay);

/* Says to the client, and to audit, that it has a tunnel now: by WebSocket, with @protocol. False: it has none. */
bool proxy_relay_accept(struct proxy_relay *relay, const char *protocol);

/* What goes to the node is a tunnel already, or is refused: true with the latter, which is passed on. */
bool proxy_relay_refused(struct proxy_relay *relay, const struct http_response *response);

/* --- names (lookup.c) --- */

/* Looks @host up on @loop; @done is told once, from the loop: 0 with the addresses, or libuv's error. 0 or a negative
 * errno. */
typedef void (*proxy_looked_up)(void *data, int error, const struct addrinfo *found);
int proxy_lookup_begin(uv_loop_t *loop, const char *host, proxy_looked_up done, void *data,
                       struct proxy_lookup **ret_lookup);

/* Nobody is told. NULL is fine. */
void proxy_lookup_forget(struct proxy_lookup *lookup);

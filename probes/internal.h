/* What the kinds of probe share: the probe's life, and one connection at a time. For probes/ only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "probes/probe.h"

#define PROBE_REQUEST_MAX ((size_t)64 * 1024)
#define PROBE_READ_SIZE ((size_t)16 * 1024)

struct probe_http_exchange;
struct probe_stream;
struct tls;

/* A probe lives while @holds > 0: one for itself until its end, one for each handle or request that is open. */
struct probe {
        uv_loop_t *loop;
        enum probe_kind kind;
        probe_done done; /* NULL: the end was told, or nobody wants to know */
        void *data;
        uint64_t timeout;
        uv_timer_t timer;
        unsigned holds;
        int start_error; /* negative errno of a start that failed, told from the loop */

        struct probe_stream *stream;      /* the connection under way; NULL: none */
        struct probe_http_exchange *http; /* PROBE_HTTP */
        struct grpc_client *client;       /* PROBE_GRPC */
        struct grpc_client_call *call;
        struct sockaddr_storage address;
        char *host; /* as in the target */
        uint16_t port;
};

/* One TCP connection, with TLS in it if @tls. Freed when its handle has closed. */
struct probe_stream {
        uv_tcp_t tcp;
        uv_connect_t connect;
        struct probe *probe; /* NULL: the probe has dropped it */
        struct tls *tls;
        char *buffer;  /* PROBE_READ_SIZE, while reading */
        char begin[5]; /* the first bytes that came */
        uint8_t n_begin;
};

/* Ends the probe: tells the caller, lets go of all it has. Does nothing the second time. */
void probe_finish(struct probe *probe, enum probe_outcome outcome, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

void probe_hold(struct probe *probe);
void probe_release(struct probe *probe);

/* Connects to probe->address (its port set), with TLS if @tls; the kind's *_connected() or *_failed() follows. */
int probe_connect(struct probe *probe, bool tls);

/* Closes the connection, if there is one. */
void probe_disconnect(struct probe *probe);

/* Sends @data (copied). */
int probe_send(struct probe *probe, const char *data, size_t length);

/* Reads what comes to probe_http_received(); to be called once, when connected. */
int probe_receive(struct probe *probe);

/* PROBE_HTTP. */
int probe_http_start(struct probe *probe, const struct probe_target *target, struct err **err);
void probe_http_free(struct probe_http_exchange *http);
void probe_http_connected(struct probe *probe);
void probe_http_received(struct probe *probe, const char *data, size_t length);
void probe_http_ended(struct probe *probe, int error); /* 0: end of file */
void probe_http_timed_out(struct probe *probe);

/* Where the exchange wants to go next: true with TLS. */
bool probe_http_wants_tls(const struct probe_http_exchange *http);

/* Nothing can be sent: probe_http_timed_out() says why. */
bool probe_http_is_refused(const struct probe_http_exchange *http);

/* What came in place of a handshake is an HTTP answer. */
void probe_http_got_plain(struct probe *probe);

/* PROBE_GRPC. */
int probe_grpc_start(struct probe *probe, const struct probe_target *target, struct err **err);
void probe_grpc_stop(struct probe *probe);

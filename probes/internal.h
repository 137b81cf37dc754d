/* What the kinds of probe share: the probe's life. For probes/ only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "probes/probe.h"

#define PROBE_REQUEST_MAX ((size_t)64 * 1024)

struct probe_http;
struct transport;

/* A probe lives while @holds > 0: one for itself until its end, one for each stream, lookup or call that is open. */
struct probe {
        uv_loop_t *loop;
        enum probe_kind kind;
        probe_done done; /* NULL: the end was told, or nobody wants to know */
        void *data;
        uint64_t timeout;
        uv_timer_t timer;
        unsigned holds;
        int start_error; /* negative errno of a start that failed, told from the loop */

        struct transport *stream;   /* PROBE_TCP */
        struct probe_http *http;    /* PROBE_HTTP */
        struct grpc_client *client; /* PROBE_GRPC */
        struct grpc_client_call *call;
        struct sockaddr_storage address;
        char *host;      /* as in the target */
        bool is_address; /* it is one, and no name */
        uint16_t port;
};

/* Ends the probe: tells the caller, lets go of all it has. Does nothing the second time. */
void probe_finish(struct probe *probe, enum probe_outcome outcome, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

void probe_hold(struct probe *probe);
void probe_release(struct probe *probe);

/* The address for messages: "10.0.0.1:80", "[fd00::1]:80". */
#define PROBE_ENDPOINT_MAX 300
const char *probe_endpoint(const struct probe *probe, char ret_text[PROBE_ENDPOINT_MAX]);

/* probe->address with probe->port; returns its size. */
socklen_t probe_set_port(struct probe *probe);

/* PROBE_TCP. */
int probe_tcp_connect(struct probe *probe);
void probe_tcp_failed(struct probe *probe, int error);
void probe_tcp_stop(struct probe *probe);

/* PROBE_HTTP. */
int probe_http_start(struct probe *probe, const struct probe_target *target, struct err **err);
void probe_http_free(struct probe_http *http);

/* Asks where the URL says, at probe->address. */
int probe_http_connect(struct probe *probe);
void probe_http_failed(struct probe *probe, int error);
void probe_http_timed_out(struct probe *probe);
void probe_http_stop(struct probe *probe);

/* Nothing can be sent: probe_http_timed_out() says why. */
bool probe_http_is_refused(const struct probe_http *http);

/* Frees what HTTPS probes share. */
void probe_http_cleanup(void);

/* PROBE_GRPC. */
int probe_grpc_start(struct probe *probe, const struct probe_target *target, struct err **err);
void probe_grpc_stop(struct probe *probe);

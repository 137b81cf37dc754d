#include "probes/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "probes/internal.h"

static void free_probe(struct probe *probe) {
        probe_http_free(probe->http);
        free(probe->host);
        free(probe);
}

void probe_hold(struct probe *probe) {
        probe->holds++;
}

void probe_release(struct probe *probe) {
        if (--probe->holds == 0)
                free_probe(probe);
}

static void on_timer_closed(uv_handle_t *handle) {
        probe_release(handle->data);
}

/* Lets go of everything; the memory goes with the last handle. */
static void stop(struct probe *probe) {
        probe->done = NULL;
        probe_tcp_stop(probe);
        probe_http_stop(probe);
        probe_grpc_stop(probe);
        if (!uv_is_closing((uv_handle_t *)&probe->timer))
                uv_close((uv_handle_t *)&probe->timer, on_timer_closed);
}

void probe_finish(struct probe *probe, enum probe_outcome outcome, const char *format, ...) {
        probe_done done = probe->done;
        char *message = NULL;
        va_list ap;
        int n;

        if (!done)
                return;
        va_start(ap, format);
        n = vasprintf(&message, format, ap);
        va_end(ap);
        probe_hold(probe);
        stop(probe);
        if (n > (int)PROBE_MESSAGE_MAX)
                message[PROBE_MESSAGE_MAX] = '\0';
        done(probe->data, outcome, n >= 0 ? message : "out of memory");
        if (n >= 0)
                free(message);
        probe_release(probe);
}

void probe_cancel(struct probe *probe) {
        if (!probe)
                return;
        probe_hold(probe);
        stop(probe);
        probe_release(probe);
}

const char *probe_endpoint(const struct probe *probe, char ret_text[PROBE_ENDPOINT_MAX]) {
        bool six = strchr(probe->host, ':');

        snprintf(ret_text, PROBE_ENDPOINT_MAX, "%s%.256s%s:%u", six ? "[" : "", probe->host, six ? "]" : "",
                 probe->port);
        return ret_text;
}

socklen_t probe_set_port(struct probe *probe) {
        if (probe->address.ss_family == AF_INET6) {
                ((struct sockaddr_in6 *)&probe->address)->sin6_port = htons(probe->port);
                return sizeof(struct sockaddr_in6);
        }
        ((struct sockaddr_in *)&probe->address)->sin_port = htons(probe->port);
        return sizeof(struct sockaddr_in);
}

static void on_timeout(uv_timer_t *timer) {
        struct probe *probe = timer->data;
        char text[PROBE_ENDPOINT_MAX];
        int error = probe->start_error;

        switch (probe->kind) {
        case PROBE_HTTP:
                return error < 0 ? probe_http_failed(probe, error) : probe_http_timed_out(probe);
        case PROBE_GRPC:
                return probe_finish(probe, PROBE_FAILURE, "timeout: health rpc did not complete within %gs",
                                    (double)probe->timeout / 1000);
        case PROBE_TCP:
                if (error < 0)
                        return probe_tcp_failed(probe, error);
                probe_finish(probe, PROBE_FAILURE, "dial tcp %s: i/o timeout", probe_endpoint(probe, text));
        }
}

/* Connects; what fails at once is told from the loop. */
static void begin(struct probe *probe) {
        int r = probe->kind == PROBE_HTTP ? probe_http_connect(probe) : probe_tcp_connect(probe);

        if (r < 0) {
                probe->start_error = r;
                uv_timer_start(&probe->timer, on_timeout, 0, 0);
        }
}

struct lookup {
        uv_getaddrinfo_t request;
        struct probe *probe;
};

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
        struct lookup *lookup = request->data;
        struct probe *probe = lookup->probe;

        if (probe->done && status < 0) {
                probe_finish(probe, PROBE_FAILURE, "dial tcp: lookup %.256s: %s", probe->host, uv_strerror(status));
        } else if (probe->done) {
                memcpy(&probe->address, found->ai_addr, found->ai_addrlen);
                begin(probe);
        }
        uv_freeaddrinfo(found);
        free(lookup);
        probe_release(probe);
}

static int resolve(struct probe *probe) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
        struct lookup *lookup = malloc(sizeof(*lookup));
        int r;

        if (!lookup)
                return -ENOMEM;
        lookup->probe = probe;
        lookup->request.data = lookup;
        probe_hold(probe);
        r = uv_getaddrinfo(probe->loop, &lookup->request, on_resolved, probe->host, NULL, &hints);
        if (r < 0) {
                free(lookup);
                probe_release(probe);
        }
        return r;
}

static int start_kind(struct probe *probe, const struct probe_target *target, struct err **err) {
        int r = 0;

        if (probe->kind == PROBE_GRPC)
                return probe_grpc_start(probe, target, err);
        if (probe->kind == PROBE_HTTP)
                r = probe_http_start(probe, target, err);
        if (r < 0)
                return r;
        if (probe->kind == PROBE_HTTP && probe_http_is_refused(probe->http)) {
                uv_timer_start(&probe->timer, on_timeout, 0, 0);
                return 0;
        }
        probe->is_address = uv_ip4_addr(probe->host, probe->port, (struct sockaddr_in *)&probe->address) == 0 ||
                            uv_ip6_addr(probe->host, probe->port, (struct sockaddr_in6 *)&probe->address) == 0;
        if (probe->is_address) {
                begin(probe);
                return 0;
        }
        r = resolve(probe);
        return r < 0 ? err_set(err, -r, "lookup %.256s: %s", probe->host, uv_strerror(r)) : 0;
}

int probe_start(uv_loop_t *loop, const struct probe_target *target, probe_done done, void *data,
                struct probe **ret_probe, struct err **err) {
        struct probe *probe = calloc(1, sizeof(*probe));
        int r;

        if (!probe)
                return err_set(err, ENOMEM, "out of memory");
        probe->loop = loop;
        probe->kind = target->kind;
        probe->done = done;
        probe->data = data;
        probe->timeout = target->timeout;
        probe->port = target->port;
        probe->host = strdup(target->address);
        if (!probe->host) {
                free(probe);
                return err_set(err, ENOMEM, "out of memory");
        }
        probe->holds = 1; /* the timer's */
        uv_timer_init(loop, &probe->timer);
        probe->timer.data = probe;
        uv_timer_start(&probe->timer, on_timeout, probe->timeout, 0);
        r = start_kind(probe, target, err);
        if (r < 0) {
                probe_cancel(probe);
                return r;
        }
        *ret_probe = probe;
        return 0;
}

void probe_cleanup(void) {
        probe_http_cleanup();
}

enum probe_outcome probe_exec_result(int error, bool timed_out, int exit_code) {
        if (timed_out)
                return PROBE_FAILURE;
        if (error < 0)
                return PROBE_UNKNOWN;
        return exit_code == 0 ? PROBE_SUCCESS : PROBE_FAILURE;
}

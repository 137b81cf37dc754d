/* HTTP and HTTPS probes: pkg/probe/http. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/transport/tls.h"
#include "probes/http_request.h"

/* Of all HTTPS probes, and of all hooks: made by the first one. */
static struct tls_context *tls_contexts[2];

void probe_http_cleanup(void) {
        for (size_t i = 0; i < ELEMENTS(tls_contexts); i++)
                tls_contexts[i] = tls_context_unref(tls_contexts[i]);
}

void probe_http_free(struct probe_http *http) {
        if (!http)
                return;
        arena_free(http->arena);
        free(http->body);
        free(http);
}

static bool is_tls(const struct url *url) {
        return strcmp(url->scheme, "https") == 0;
}

bool probe_http_is_refused(const struct probe_http *http) {
        return http->refusal != NULL;
}

int probe_http_start(struct probe *probe, const struct probe_target *target, struct err **err) {
        const struct probe_url_server server = { target->tls, target->address, target->port };
        struct probe_http *http = probe->http = calloc(1, sizeof(*http));
        int r;

        if (!http || !(http->arena = arena_new()))
                return err_set(err, ENOMEM, "out of memory");
        http->hook = target->hook;
        if ((r = probe_url_of_path(http->arena, &server, target->path ?: "/", &http->url, err)) < 0 ||
            (r = probe_http_take_headers(http, target, err)) < 0)
                return r;
        http->first_host = probe_url_host_name(http->arena, &http->url);
        if (!http->first_host)
                return err_set(err, ENOMEM, "out of memory");
        if (!http->url.host[0])
                http->refusal = "http: no Host in request URL";
        return 0;
}

/* Nothing is heard of the exchange any more. */
void probe_http_stop(struct probe *probe) {
        static const struct http_events deaf = { 0 };
        struct probe_http *http = probe->http;

        if (!http)
                return;
        if (http->x)
                http_set_events(http->x, &deaf, NULL);
        http->x = NULL;
        http_client_free(http->client);
        http->client = NULL;
}

/* --- how it ends --- */

/* `Get "http://10.0.0.1:80/": `, as Go begins its errors. */
static void fail_at(struct probe *probe, const char *where, const char *what) {
        probe_finish(probe, PROBE_FAILURE, "Get \"%.768s\": %s", where, what);
}

static void fail(struct probe *probe, const char *what) {
        fail_at(probe, probe_url_format(probe->http->arena, &probe->http->url, true) ?: "", what);
}

void probe_http_timed_out(struct probe *probe) {
        if (probe->http->status)
                return probe_finish(
                        probe, PROBE_FAILURE, "%s",
                        "context deadline exceeded (Client.Timeout or context cancellation while reading body)");
        fail(probe,
             probe->http->refusal ?: "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
}

void probe_http_failed(struct probe *probe, int error) {
        char text[PROBE_ENDPOINT_MAX + 256], endpoint[PROBE_ENDPOINT_MAX];

        snprintf(text, sizeof(text), "dial tcp %s: connect: %s", probe_endpoint(probe, endpoint), uv_strerror(error));
        fail(probe, text);
}

/* Before the request was sent: TCP's failures, and TLS's. */
static void fail_to_connect(struct probe *probe, int error, const char *why) {
        char text[TLS_WHY_MAX + 8];

        if (error == -EPROTO) {
                snprintf(text, sizeof(text), "tls: %s", why ?: "handshake failure");
                fail(probe, text);
        } else if (error == -ETIMEDOUT && is_tls(&probe->http->url))
                fail(probe, "net/http: TLS handshake timeout");
        else
                probe_http_failed(probe, error);
}

static void fail_in_head(struct probe *probe, int error, const char *why) {
        if (error == -EPROTO)
                fail(probe, "net/http: HTTP/1.x transport connection broken: malformed HTTP response");
        else if (error == -ECONNRESET && why) /* its end, not a reset */
                fail(probe, "EOF");
        else
                fail(probe, why ?: uv_strerror(error));
}

static void fail_in_body(struct probe *probe, int error, const char *why) {
        if (error == -ECONNRESET && why)
                why = "unexpected EOF";
        probe_finish(probe, PROBE_FAILURE, "%s", why ?: uv_strerror(error));
}

static void finish_hook(struct probe *probe) {
        const struct probe_http *http = probe->http;

        if (http->fell_back)
                probe_finish(probe, PROBE_WARNING,
                             "request to HTTPS lifecycle hook %s got HTTP response, retry with HTTP succeeded",
                             http->url.host);
        else
                probe_finish(probe, PROBE_SUCCESS, "%s", "");
}

static void finish_answer(struct probe *probe) {
        const struct probe_http *http = probe->http;
        const char *body = http->body ?: "";
        int status = http->status;

        if (status >= 300 && status < 400)
                probe_finish(probe, PROBE_WARNING, "Probe terminated redirects, Response body: %s", body);
        else if (status >= 200 && status < 400)
                probe_finish(probe, PROBE_SUCCESS, "%s", body);
        else
                probe_finish(probe, PROBE_FAILURE, "HTTP probe failed with statuscode: %d", status);
}

/* --- redirects --- */

/* A request to where the URL says now. */
static void connect_again(struct probe *probe) {
        int r = probe_url_port(&probe->http->url, &probe->port);

        if (r < 0)
                return fail(probe, "dial tcp: invalid port");
        probe_http_stop(probe);
        r = probe_http_connect(probe);
        if (r < 0)
                probe_http_failed(probe, r);
}

/* Where the request comes from, unless that was secret. */
static void set_referer(struct probe_http *http, const struct url *next) {
        struct url last = http->url;

        last.user = last.password = NULL;
        http->referer = is_tls(&last) && !is_tls(next) ? NULL : probe_url_format(http->arena, &last, false);
}

/* The manifest's Host goes along as long as a redirect names no other. */
static void follow_to(struct probe *probe, const char *location, const struct url *next) {
        struct probe_http *http = probe->http;
        size_t scheme = strcspn(location, ":/?#");

        if (location[scheme] == ':' || (http->host_header && strcmp(http->host_header, http->url.host) == 0))
                http->host_header = NULL;
        set_referer(http, next);
        if (++http->redirects >= PROBE_REDIRECTS_MAX)
                return fail_at(probe, location, "stopped after 10 redirects");
        http->url = *next;
        if (!is_tls(next) && strcmp(next->scheme, "http") != 0)
                return fail(probe, "unsupported protocol scheme");
        connect_again(probe);
}

/* Goes where a redirect leads on the same host. False when the answer is the one that counts. */
static bool follow(struct probe *probe, const struct http_response *response) {
        struct probe_http *http = probe->http;
        const char *given = http_fields_get(&response->fields, "location"), *location, *host;
        _cleanup_err_ struct err *err = NULL;
        struct url next;
        char text[1024];

        if (!http_is_redirect(response->status) || !given || !*given)
                return false;
        location = arena_strdup(http->arena, given); /* the answer's goes with its connection */
        if (!location)
                return false;
        if (probe_url_resolve(http->arena, &http->url, location, &next, &err) < 0) {
                snprintf(text, sizeof(text), "failed to parse Location header \"%.256s\": parse \"%.256s\": %s",
                         location, location, err_text(err));
                fail(probe, text);
                return true;
        }
        host = probe_url_host_name(http->arena, &next);
        if (!host || strcmp(host, http->first_host) != 0)
                return false;
        follow_to(probe, location, &next);
        return true;
}

/* The server of an https hook answers in plain HTTP: kubelet asks it so, without the manifest's credentials. */
static void take_plain(struct probe *probe) {
        struct probe_http *http = probe->http;

        if (!http->hook || http->fell_back)
                return fail(probe, "http: server gave HTTP response to HTTPS client");
        http->fell_back = true;
        http->url.scheme = "http";
        probe_http_drop_credentials(http);
        connect_again(probe);
}

/* --- an answer --- */

static void on_head(struct http_exchange *x, const struct http_response *response) {
        struct probe *probe = http_data(x);

        probe->http->status = response->status;
        if (!follow(probe, response) && probe->http->hook)
                finish_hook(probe);
}

/* Past the bound more would change nothing. */
static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct probe *probe = http_data(x);
        struct probe_http *http = probe->http;

        if (!http->body && !(http->body = malloc(PROBE_MESSAGE_MAX + 1)))
                return fail(probe, "out of memory");
        if (n > PROBE_MESSAGE_MAX - http->body_length)
                n = PROBE_MESSAGE_MAX - http->body_length;
        memcpy(http->body + http->body_length, bytes, n);
        http->body_length += n;
        http->body[http->body_length] = '\0';
        if (http->body_length == PROBE_MESSAGE_MAX)
                finish_answer(probe);
}

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        finish_answer(http_data(x));
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct probe *probe = http_data(x);
        bool sent = http_client_sent(x);

        probe->http->x = NULL;
        if (error == -EPROTOTYPE)
                take_plain(probe);
        else if (!sent)
                fail_to_connect(probe, error, why);
        else if (probe->http->status)
                fail_in_body(probe, error, why);
        else
                fail_in_head(probe, error, why);
}

static const struct http_events events = { .head = on_head, .data = on_data, .end = on_end, .closed = on_closed };

/* As kubelet's: probes speak HTTP/2 where the server does, hooks never, and nobody asks who the server is. */
static int prepare_tls(bool hook, struct http_client_config *config) {
        static const char *const protocols[] = { "h2", "http/1.1", NULL };
        const struct tls_config tls = {
                .side = TLS_CLIENT, .verify = TLS_VERIFY_NONE, .protocols = hook ? NULL : protocols, .lenient = true
        };
        int r = tls_contexts[hook] ? 0 : tls_context_new(&tls, &tls_contexts[hook], NULL);

        config->tls = tls_contexts[hook];
        return r;
}

int probe_http_connect(struct probe *probe) {
        struct probe_http *http = probe->http;
        struct http_client_config config = { .address = (struct sockaddr *)&probe->address,
                                             .n_address = probe_set_port(probe),
                                             .authority = probe_http_host(http),
                                             .name = probe->is_address ? NULL : probe->host,
                                             .lenient = true };
        int r = config.authority ? 0 : -ENOMEM;

        http->status = 0;
        if (r < 0 || (is_tls(&http->url) && (r = prepare_tls(http->hook, &config)) < 0) ||
            (r = http_client_new(probe->loop, &config, &http->client)) < 0)
                return r;
        return probe_http_ask(http, http->client, &events, probe, &http->x);
}

/* HTTP and HTTPS probes: pkg/probe/http. */
#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "probes/http_exchange.h"

void probe_http_free(struct probe_http_exchange *http) {
        if (!http)
                return;
        arena_free(http->arena);
        free(http->body);
        free(http->location);
        free(http);
}

static bool is_tls(const struct url *url) {
        return strcmp(url->scheme, "https") == 0;
}

bool probe_http_wants_tls(const struct probe_http_exchange *http) {
        return is_tls(&http->url);
}

bool probe_http_is_refused(const struct probe_http_exchange *http) {
        return http->refusal != NULL;
}

int probe_http_start(struct probe *probe, const struct probe_target *target, struct err **err) {
        struct probe_http_exchange *http = probe->http = calloc(1, sizeof(*http));
        int r;

        if (!http || !(http->arena = arena_new()))
                return err_set(err, ENOMEM, "out of memory");
        http->hook = target->hook;
        r = probe_url_of_path(http->arena, target->tls, target->address, target->port, target->path ?: "/", &http->url,
                              err);
        if (r >= 0)
                r = probe_http_take_headers(http, target, err);
        if (r < 0)
                return r;
        http->first_host = probe_url_host_name(http->arena, &http->url);
        if (!http->first_host)
                return err_set(err, ENOMEM, "out of memory");
        if (!http->url.host[0])
                http->refusal = "http: no Host in request URL";
        return 0;
}

/* `Get "http://10.0.0.1:80/": `, as Go begins its errors. */
static void fail_at(struct probe *probe, const char *where, const char *what) {
        probe_finish(probe, PROBE_FAILURE, "Get \"%.768s\": %s", where, what);
}

static void fail(struct probe *probe, const char *what) {
        fail_at(probe, probe_url_format(probe->http->arena, &probe->http->url, true) ?: "", what);
}

void probe_http_timed_out(struct probe *probe) {
        fail(probe,
             probe->http->refusal ?: "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
}

static void finish_hook(struct probe *probe) {
        const struct probe_http_exchange *http = probe->http;

        if (http->fell_back)
                probe_finish(probe, PROBE_WARNING,
                             "request to HTTPS lifecycle hook %s got HTTP response, retry with HTTP succeeded",
                             http->url.host);
        else
                probe_finish(probe, PROBE_SUCCESS, "%s", "");
}

static void finish_answer(struct probe *probe) {
        struct probe_http_exchange *http = probe->http;
        unsigned code = http->parser.status_code;
        const char *body = http->body ?: "";

        if (http->hook)
                finish_hook(probe);
        else if (code >= 300 && code < 400)
                probe_finish(probe, PROBE_WARNING, "Probe terminated redirects, Response body: %s", body);
        else if (code >= 200 && code < 400)
                probe_finish(probe, PROBE_SUCCESS, "%s", body);
        else
                probe_finish(probe, PROBE_FAILURE, "HTTP probe failed with statuscode: %u", code);
}

void probe_http_ended(struct probe *probe, int error) {
        struct probe_http_exchange *http = probe->http;
        char text[512];

        if (error == 0 && http->answered && http_should_keep_alive(&http->parser) == 0) {
                /* A body without a length ends with the connection. */
                http_parser_settings none;

                http_parser_settings_init(&none);
                if (http_parser_execute(&http->parser, &none, "", 0) == 0) {
                        finish_answer(probe);
                        return;
                }
        }
        if (error == 0)
                fail(probe, http->answered ? "unexpected EOF" : "EOF");
        else if (error == -EPROTO)
                fail(probe, "tls: handshake or record failure");
        else if (error == -ELIBACC)
                fail(probe, "tls: libssl.so.3 cannot be loaded");
        else {
                snprintf(text, sizeof(text), "dial tcp %s%.256s%s:%u: %s", strchr(probe->host, ':') ? "[" : "",
                         probe->host, strchr(probe->host, ':') ? "]" : "", probe->port, uv_strerror(error));
                fail(probe, text);
        }
}

static int on_header_field(http_parser *parser, const char *at, size_t length) {
        struct probe_http_exchange *http = ((struct probe *)parser->data)->http;

        http->has_location |= http->in_location; /* the first one counts */
        http->in_location = !http->has_location && length == 8 && strncasecmp(at, "Location", 8) == 0;
        return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t length) {
        struct probe_http_exchange *http = ((struct probe *)parser->data)->http;
        char *location;

        if (!http->in_location)
                return 0;
        if (http->location_length + length > URL_TEXT_MAX)
                return -1;
        location = realloc(http->location, http->location_length + length + 1);
        if (!location)
                return -1;
        memcpy(location + http->location_length, at, length);
        http->location_length += length;
        location[http->location_length] = '\0';
        http->location = location;
        return 0;
}

static int on_headers_complete(http_parser *parser) {
        ((struct probe *)parser->data)->http->answered = parser->status_code >= 200;
        return 0;
}

static int on_body(http_parser *parser, const char *at, size_t length) {
        struct probe_http_exchange *http = ((struct probe *)parser->data)->http;

        if (!http->body && !(http->body = malloc(PROBE_MESSAGE_MAX + 1)))
                return -1;
        if (length > PROBE_MESSAGE_MAX - http->body_length)
                length = PROBE_MESSAGE_MAX - http->body_length;
        memcpy(http->body + http->body_length, at, length);
        http->body_length += length;
        http->body[http->body_length] = '\0';
        if (http->body_length == PROBE_MESSAGE_MAX)
                http_parser_pause(parser, 1); /* more would change nothing */
        return 0;
}

static int on_message_complete(http_parser *parser) {
        if (parser->status_code >= 200)
                http_parser_pause(parser, 1);
        return 0;
}

static bool is_redirect(unsigned code) {
        return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

/* A request to where the URL says now. */
static void connect_again(struct probe *probe) {
        struct probe_http_exchange *http = probe->http;
        int r = probe_url_port(&http->url, &probe->port);

        if (r < 0) {
                fail(probe, "dial tcp: invalid port");
                return;
        }
        probe_disconnect(probe);
        http->answered = http->in_location = http->has_location = false;
        http->body_length = http->location_length = 0;
        if (probe->address.ss_family == AF_INET6)
                ((struct sockaddr_in6 *)&probe->address)->sin6_port = htons(probe->port);
        else
                ((struct sockaddr_in *)&probe->address)->sin_port = htons(probe->port);
        r = probe_connect(probe, is_tls(&http->url));
        if (r < 0)
                probe_http_ended(probe, r);
}

/* Where the request comes from, unless that was secret. */
static void set_referer(struct probe_http_exchange *http, const struct url *next) {
        struct url last = http->url;

        last.user = last.password = NULL;
        http->referer = is_tls(&last) && !is_tls(next) ? NULL : probe_url_format(http->arena, &last, false);
}

/* The manifest's Host goes along as long as a redirect names no other. */
static void follow_to(struct probe *probe, const struct url *next) {
        struct probe_http_exchange *http = probe->http;
        size_t scheme = strcspn(http->location, ":/?#");

        if (http->location[scheme] == ':' || (http->host_header && strcmp(http->host_header, http->url.host) == 0))
                http->host_header = NULL;
        set_referer(http, next);
        if (++http->redirects >= PROBE_REDIRECTS_MAX) {
                fail_at(probe, http->location, "stopped after 10 redirects");
                return;
        }
        http->url = *next;
        if (!is_tls(next) && strcmp(next->scheme, "http") != 0)
                fail(probe, "unsupported protocol scheme");
        else
                connect_again(probe);
}

/* Goes where a redirect leads on the same host. False when the answer is the one that counts. */
static bool follow(struct probe *probe) {
        struct probe_http_exchange *http = probe->http;
        _cleanup_err_ struct err *err = NULL;
        const char *host;
        struct url next;
        char text[1024];

        if (!is_redirect(http->parser.status_code) || !http->location || !http->location_length)
                return false;
        while (http->location_length > 0 && strchr(" \t", http->location[http->location_length - 1]))
                http->location[--http->location_length] = '\0';
        if (!http->location_length)
                return false;
        if (probe_url_resolve(http->arena, &http->url, http->location, &next, &err) < 0) {
                snprintf(text, sizeof(text), "failed to parse Location header \"%.256s\": parse \"%.256s\": %s",
                         http->location, http->location, err_text(err));
                fail(probe, text);
                return true;
        }
        host = probe_url_host_name(http->arena, &next);
        if (!host || strcmp(host, http->first_host) != 0)
                return false;
        follow_to(probe, &next);
        return true;
}

/* The server of an https hook answers in plain HTTP: kubelet asks it so, without the manifest's credentials. */
void probe_http_got_plain(struct probe *probe) {
        struct probe_http_exchange *http = probe->http;

        if (!http->hook || http->fell_back) {
                fail(probe, "http: server gave HTTP response to HTTPS client");
                return;
        }
        http->fell_back = true;
        http->url.scheme = "http";
        probe_http_drop_credentials(http);
        connect_again(probe);
}

void probe_http_received(struct probe *probe, const char *data, size_t length) {
        struct probe_http_exchange *http = probe->http;
        http_parser_settings settings;
        enum http_errno error;

        http_parser_settings_init(&settings);
        settings.on_header_field = on_header_field;
        settings.on_header_value = on_header_value;
        settings.on_headers_complete = on_headers_complete;
        settings.on_body = on_body;
        settings.on_message_complete = on_message_complete;
        http_parser_execute(&http->parser, &settings, data, length);
        error = HTTP_PARSER_ERRNO(&http->parser);
        if (http->hook && http->answered && !is_redirect(http->parser.status_code)) {
                finish_hook(probe);
                return;
        }
        if (error == HPE_OK)
                return;
        if (error != HPE_PAUSED)
                fail(probe, "net/http: HTTP/1.x transport connection broken: malformed HTTP response");
        else if (!follow(probe))
                finish_answer(probe);
}

void probe_http_connected(struct probe *probe) {
        struct probe_http_exchange *http = probe->http;
        _cleanup_free_ char *request = NULL;
        size_t length = 0;
        int r;

        http_parser_init(&http->parser, HTTP_RESPONSE);
        http->parser.data = probe;
        request = probe_http_write_request(http, &length);
        if (!request) {
                probe_http_ended(probe, -ENOMEM);
                return;
        }
        r = probe_send(probe, request, length);
        if (r >= 0 && !is_tls(&http->url)) /* with TLS it reads since the handshake */
                r = probe_receive(probe);
        if (r < 0)
                probe_http_ended(probe, r);
}

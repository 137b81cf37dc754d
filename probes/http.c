/* HTTP and HTTPS probes: pkg/probe/http. */
#include <ctype.h>
#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "probes/http_url.h"
#include "probes/internal.h"

struct http_exchange {
        http_parser parser;
        struct http_url url; /* where the request under way goes */
        char *host_header;   /* NULL: host and port of the URL */
        char *headers;       /* lines of the request that stay the same, each with its CRLF */
        char *body;          /* PROBE_MESSAGE_MAX + 1 when there is one */
        size_t body_length;
        char *location;
        size_t location_length;
        bool in_location; /* the header whose value comes is Location */
        bool answered;    /* the headers of a final answer are there */
        unsigned redirects;
};

void http_free(struct http_exchange *http) {
        if (!http)
                return;
        free(http->host_header);
        free(http->headers);
        free(http->body);
        free(http->location);
        free(http);
}

bool http_wants_tls(const struct http_exchange *http) {
        return http->url.tls;
}

/* A header that could smuggle in another one. */
static bool is_plain(const char *text) {
        for (; *text; text++)
                if ((unsigned char)*text < ' ' && *text != '\t')
                        return false;
        return true;
}

/* All headers of the manifest but Host, and kubelet's own where the manifest has none. */
static int make_headers(struct http_exchange *http, const struct probe_target *target, struct err **err) {
        bool agent = false, accept = false;
        size_t size = 0;
        FILE *f = open_memstream(&http->headers, &size);

        if (!f)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < target->n_headers; i++) {
                const struct probe_header *h = &target->headers[i];

                if (!is_plain(h->name) || !is_plain(h->value)) {
                        fclose(f);
                        return err_set(err, EINVAL, "http header \"%.64s\" has a control character", h->name);
                }
                if (strcasecmp(h->name, "Host") == 0) {
                        free(http->host_header);
                        http->host_header = strdup(h->value);
                        continue;
                }
                agent |= strcasecmp(h->name, "User-Agent") == 0;
                accept |= strcasecmp(h->name, "Accept") == 0;
                if (*h->value) /* an empty one takes the default away */
                        fprintf(f, "%s: %s\r\n", h->name, h->value);
        }
        if (!agent)
                fprintf(f, "User-Agent: %s\r\n", target->user_agent ?: "kube-probe/1.36");
        if (!accept)
                fputs("Accept: */*\r\n", f);
        fputs("Connection: close\r\n\r\n", f);
        if (fclose(f) != 0)
                return err_set(err, ENOMEM, "out of memory");
        return size > PROBE_REQUEST_MAX ? err_set(err, E2BIG, "http headers larger than 64 KiB") : 0;
}

int http_start(struct probe *probe, const struct probe_target *target, struct err **err) {
        struct http_exchange *http = probe->http = calloc(1, sizeof(*http));

        if (!http)
                return err_set(err, ENOMEM, "out of memory");
        http->url.tls = target->tls;
        http->url.port = target->port;
        if (!http_url_set_path(&http->url, target->path ?: "/"))
                return err_set(err, EINVAL, "http path is longer than %d bytes", PROBE_URL_MAX);
        return make_headers(http, target, err);
}

/* `Get "http://10.0.0.1:80/": `, as Go begins its errors. */
static void fail(struct probe *probe, const char *what) {
        const struct http_url *url = &probe->http->url;
        bool six = strchr(probe->host, ':');

        probe_finish(probe, PROBE_FAILURE, "Get \"%s://%s%.256s%s:%u%.512s\": %s", url->tls ? "https" : "http",
                     six ? "[" : "", probe->host, six ? "]" : "", url->port, url->path, what);
}

void http_timed_out(struct probe *probe) {
        fail(probe, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
}

static void finish_answer(struct probe *probe) {
        struct http_exchange *http = probe->http;
        unsigned code = http->parser.status_code;
        const char *body = http->body ?: "";

        if (code >= 300 && code < 400)
                probe_finish(probe, PROBE_WARNING, "Probe terminated redirects, Response body: %s", body);
        else if (code >= 200 && code < 400)
                probe_finish(probe, PROBE_SUCCESS, "%s", body);
        else
                probe_finish(probe, PROBE_FAILURE, "HTTP probe failed with statuscode: %u", code);
}

void http_ended(struct probe *probe, int error) {
        struct http_exchange *http = probe->http;
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
        struct probe *probe = parser->data;

        probe->http->in_location = length == 8 && strncasecmp(at, "Location", 8) == 0;
        return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t length) {
        struct http_exchange *http = ((struct probe *)parser->data)->http;
        char *location;

        if (!http->in_location)
                return 0;
        if (http->location_length + length > PROBE_URL_MAX)
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
        struct http_exchange *http = ((struct probe *)parser->data)->http;

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

/* Follows a redirect on the same host. False when the answer is the one that counts. */
static bool follow(struct probe *probe) {
        struct http_exchange *http = probe->http;
        struct http_url url = http->url;
        int r;

        if (!is_redirect(http->parser.status_code) || !http->location || !*http->location)
                return false;
        if (!http_url_resolve(&url, probe->host, http->location))
                return false;
        if (++http->redirects >= PROBE_REDIRECTS_MAX) {
                fail(probe, "stopped after 10 redirects");
                return true;
        }
        http->url = url;
        probe->port = url.port;
        probe_disconnect(probe);
        http->answered = false;
        http->body_length = http->location_length = 0;
        if (probe->address.ss_family == AF_INET6)
                ((struct sockaddr_in6 *)&probe->address)->sin6_port = htons(url.port);
        else
                ((struct sockaddr_in *)&probe->address)->sin_port = htons(url.port);
        r = probe_connect(probe, url.tls);
        if (r < 0)
                http_ended(probe, r);
        return true;
}

void http_received(struct probe *probe, const char *data, size_t length) {
        struct http_exchange *http = probe->http;
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
        if (error == HPE_OK)
                return;
        if (error != HPE_PAUSED)
                fail(probe, "net/http: HTTP/1.x transport connection broken: malformed HTTP response");
        else if (!follow(probe))
                finish_answer(probe);
}

void http_connected(struct probe *probe) {
        struct http_exchange *http = probe->http;
        _cleanup_free_ char *request = NULL;
        bool six = strchr(probe->host, ':');
        int n, r;

        http_parser_init(&http->parser, HTTP_RESPONSE);
        http->parser.data = probe;
        if (http->host_header)
                n = asprintf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\n%s", http->url.path, http->host_header,
                             http->headers);
        else
                n = asprintf(&request, "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\n%s", http->url.path, six ? "[" : "",
                             probe->host, six ? "]" : "", http->url.port, http->headers);
        if (n < 0) {
                request = NULL;
                http_ended(probe, -ENOMEM);
                return;
        }
        r = probe_send(probe, request, (size_t)n);
        if (r >= 0 && !http->url.tls) /* with TLS it reads since the handshake */
                r = probe_receive(probe);
        if (r < 0)
                http_ended(probe, r);
}

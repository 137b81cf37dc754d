#include "images/worker/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "images/worker/challenge.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"

#define RECEIVE_BUFFER (64L * 1024) /* stays in the processor's cache until it is copied */
#define SEND_BUFFER (512L * 1024)

struct http {
        CURL *curl;
        bool was_plain;
};

/* One request under way. */
struct exchange {
        struct http *http;
        const struct image_http_request *request;
        struct image_http_response *response;
        size_t room; /* of the response's body */
        uint64_t sent;
        int error; /* the sink's, or ours */
};

struct http *image_http_new(void) {
        struct http *http = calloc(1, sizeof(*http));

        if (http && !(http->curl = curl_easy_init())) {
                free(http);
                return NULL;
        }
        return http;
}

void image_http_free(struct http *http) {
        if (!http)
                return;
        curl_easy_cleanup(http->curl);
        free(http);
}

void image_http_freep(struct http **http) {
        image_http_free(*http);
        *http = NULL;
}

bool image_http_was_plain(const struct http *http) {
        return http->was_plain;
}

void image_http_response_clear(struct image_http_response *r) {
        free(r->body);
        free(r->location);
        free(r->url);
        free(r->authenticate);
        *r = (struct image_http_response){ 0 };
}

char *image_http_resolve(const char *base, const char *location) {
        CURLU *url = curl_url();
        char *whole = NULL, *copy = NULL;

        if (url && curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
            curl_url_set(url, CURLUPART_URL, location, CURLU_URLENCODE) == CURLUE_OK &&
            curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK && strncmp(whole, "http", 4) == 0)
                copy = strdup(whole);
        curl_free(whole);
        curl_url_cleanup(url);
        return copy;
}

char *image_http_server(const char *text) {
        CURLU *url = curl_url();
        char *scheme = NULL, *host = NULL, *port = NULL, *server = NULL;

        if (url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
            curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
            curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
            (curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT) == CURLUE_OK || !port) &&
            asprintf(&server, "%s://%s%s%s", scheme, host, port ? ":" : "", port ?: "") < 0)
                server = NULL;
        for (char *p = server; p && *p; p++)
                *p = (char)tolower((unsigned char)*p);
        curl_free(scheme);
        curl_free(host);
        curl_free(port);
        curl_url_cleanup(url);
        return server;
}

const char *image_http_shown(const char *url, char ret_text[HTTP_SHOWN_MAX]) {
        const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url;
        size_t n = strcspn(host, "/?#");
        const char *user = memrchr(host, '@', n);

        snprintf(ret_text, HTTP_SHOWN_MAX, "%.*s%.*s", (int)(host - url), url,
                 (int)strcspn(user ? user + 1 : host, "?#"), user ? user + 1 : host);
        return ret_text;
}

/* The value of header @line when its name is @name. */
static const char *header_value(const char *line, size_t n, const char *name, size_t *ret_n) {
        size_t length = strlen(name);

        if (n <= length || line[length] != ':' || strncasecmp(line, name, length) != 0)
                return NULL;
        line += length + 1;
        n -= length + 1;
        while (n > 0 && (*line == ' ' || *line == '\t')) {
                line++;
                n--;
        }
        while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == '\n' || line[n - 1] == ' '))
                n--;
        *ret_n = n;
        return line;
}

static void add_challenge(struct image_http_response *r, const char *value, size_t n) {
        size_t have = r->authenticate ? strlen(r->authenticate) : 0;
        char *longer = n < CHALLENGE_LINES_MAX - have ? realloc(r->authenticate, have + n + 2) : NULL;

        if (!longer)
                return;
        r->authenticate = longer;
        snprintf(longer + have, n + 2, "%.*s\n", (int)n, value);
}

static size_t on_header(char *line, size_t size, size_t count, void *data) {
        struct exchange *x = data;
        struct image_http_response *r = x->response;
        size_t n = size * count, length;
        const char *value;

        if (n > 5 && strncmp(line, "HTTP/", 5) == 0) /* of the last answer after redirects */
                image_http_response_clear(r);
        else if ((value = header_value(line, n, "Content-Type", &length)))
                snprintf(r->content_type, sizeof(r->content_type), "%.*s", (int)length, value);
        else if ((value = header_value(line, n, "Docker-Content-Digest", &length)))
                snprintf(r->digest, sizeof(r->digest), "%.*s", (int)length, value);
        else if ((value = header_value(line, n, "WWW-Authenticate", &length)))
                add_challenge(r, value, length);
        else if ((value = header_value(line, n, "Location", &length)) && !r->location)
                r->location = strndup(value, length);
        else if ((value = header_value(line, n, "Retry-After", &length)))
                r->retry_after = (unsigned)strtoul(value, NULL, 10);
        return n;
}

static size_t keep(struct exchange *x, const char *bytes, size_t n, size_t max, bool cut) {
        struct image_http_response *r = x->response;
        size_t left = max - r->n_body, part = n < left ? n : left;

        int grown = part < n && !cut ? -E2BIG : GROW(r->body, x->room, r->n_body + part + 1, GROW_NO_MAX);

        if (grown < 0) {
                x->error = grown;
                return 0;
        }
        memcpy(r->body + r->n_body, bytes, part);
        r->n_body += part;
        r->body[r->n_body] = '\0';
        return n;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data) {
        struct exchange *x = data;
        size_t n = size * count;
        long status = 0;

        curl_easy_getinfo(x->http->curl, CURLINFO_RESPONSE_CODE, &status);
        if (status < 200 || status > 299)
                return keep(x, bytes, n, HTTP_ERROR_BODY_MAX, true);
        if (!x->request->sink)
                return keep(x, bytes, n, x->request->max, false);
        x->error = x->request->sink(x->request->data, status == 206, bytes, n);
        return x->error < 0 ? 0 : n;
}

static size_t on_send(char *buffer, size_t size, size_t count, void *data) {
        struct exchange *x = data;
        const struct image_http_request *q = x->request;
        uint64_t left = (q->body_size ?: q->n_body) - x->sent;
        size_t n = size * count;

        if (n > left)
                n = (size_t)left;
        if (q->body_size) {
                ssize_t got = pread(q->body_fd, buffer, n, (off_t)x->sent);

                if (got < 0) {
                        x->error = -errno;
                        return CURL_READFUNC_ABORT;
                }
                n = (size_t)got;
        } else {
                memcpy(buffer, (const char *)q->body + x->sent, n);
        }
        x->sent += n;
        if (q->sent && q->sent(q->data, x->sent) < 0) {
                x->error = -ECANCELED;
                return CURL_READFUNC_ABORT;
        }
        return n;
}

/* A connection that turns out to be closed makes curl send the body again. */
static int on_seek(void *data, curl_off_t offset, int origin) {
        struct exchange *x = data;

        if (origin != SEEK_SET)
                return CURL_SEEKFUNC_CANTSEEK;
        x->sent = (uint64_t)offset;
        return CURL_SEEKFUNC_OK;
}

static void set_tls(CURL *curl, const struct http_tls *tls) {
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        if (!tls)
                return;
        if (tls->ca_file)
                curl_easy_setopt(curl, CURLOPT_CAINFO, tls->ca_file);
        if (tls->cert_file)
                curl_easy_setopt(curl, CURLOPT_SSLCERT, tls->cert_file);
        if (tls->key_file)
                curl_easy_setopt(curl, CURLOPT_SSLKEY, tls->key_file);
        if (tls->skip_verify) {
                curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
                curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
        }
}

static void set_method(struct exchange *x) {
        const struct image_http_request *q = x->request;
        uint64_t size = q->body_size ?: q->n_body;
        CURL *curl = x->http->curl;

        if (strcmp(q->method, "GET") == 0)
                return;
        if (strcmp(q->method, "HEAD") == 0) {
                curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
                return;
        }
        /* as an upload, so that the body may come from a file */
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, q->method);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(curl, CURLOPT_READDATA, x);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, x);
        curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
}

static void set_options(struct exchange *x, struct curl_slist *headers) {
        const struct image_http_request *q = x->request;
        bool https = strncmp(q->url, "https:", 6) == 0;
        CURL *curl = x->http->curl;

        curl_easy_reset(curl); /* keeps the connection */
        curl_easy_setopt(curl, CURLOPT_URL, q->url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https");
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, q->follow ? 1L : 0L);
        curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)HTTP_REDIRECTS_MAX);
        curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
                         (long)CURL_HTTP_VERSION_1_1); /* one stream each: HTTP/2 only costs */
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT_SECONDS);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)HTTP_STALL_SECONDS);
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "nacelle/" NACELLE_VERSION);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
        set_tls(curl, q->tls);
        set_method(x);
}

static struct curl_slist *make_headers(const struct image_http_request *q) {
        struct curl_slist *list = NULL, *longer;
        char range[64];

        for (size_t i = 0; i < q->n_headers; i++) {
                longer = curl_slist_append(list, q->headers[i]);
                list = longer ?: list;
        }
        longer = curl_slist_append(list, "Expect:"); /* no wait for "100 Continue" */
        list = longer ?: list;
        if (q->offset > 0) {
                snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)q->offset);
                longer = curl_slist_append(list, range);
                list = longer ?: list;
        }
        return list;
}

static int code_of(CURLcode code) {
        switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
                return EHOSTUNREACH;
        case CURLE_COULDNT_CONNECT:
                return ECONNREFUSED;
        case CURLE_OPERATION_TIMEDOUT:
                return ETIMEDOUT;
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_PARTIAL_FILE:
        case CURLE_GOT_NOTHING:
                return ECONNRESET;
        case CURLE_OUT_OF_MEMORY:
                return ENOMEM;
        default:
                return EPROTO;
        }
}

int image_http_perform(struct http *http, const struct image_http_request *q, struct image_http_response *r,
                       struct err **err) {
        struct exchange x = { .http = http, .request = q, .response = r };
        struct curl_slist *headers = make_headers(q);
        char text[CURL_ERROR_SIZE] = "", url[HTTP_SHOWN_MAX];
        const char *effective = NULL;
        CURLcode code;

        image_http_response_clear(r);
        set_options(&x, headers);
        curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, text);
        code = curl_easy_perform(http->curl);
        curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, NULL);
        curl_slist_free_all(headers);
        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &r->status);
        curl_easy_getinfo(http->curl, CURLINFO_EFFECTIVE_URL, &effective);
        r->url = strdup(effective ?: q->url);
        http->was_plain = code == CURLE_SSL_CONNECT_ERROR && strstr(text, "wrong version number");
        image_http_shown(q->url, url);
        if (x.error == -E2BIG)
                return err_set(err, E2BIG, "%s: an answer of more than %zu bytes", url, q->max);
        if (x.error < 0)
                return err_errno(err, -x.error, "%s", url);
        if (code != CURLE_OK)
                return err_set(err, code_of(code), "%s: %s", url, *text ? text : curl_easy_strerror(code));
        return 0;
}

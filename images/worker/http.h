/* One HTTP request, blocking, by libcurl: TLS with the endpoint's certificates, redirects, bounded bodies. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define HTTP_HEADERS_MAX 16
#define HTTP_CONNECT_SECONDS 15
#define HTTP_STALL_SECONDS 45 /* without a byte, then it counts as cut */
#define HTTP_REDIRECTS_MAX 8
#define HTTP_ERROR_BODY_MAX 4096
#define HTTP_SHOWN_MAX 1024 /* bytes of a URL in an error */

/* Texts are borrowed, NULL where not set. */
struct http_tls {
        const char *ca_file, *cert_file, *key_file;
        bool skip_verify;
};

struct image_http_request {
        const char *method; /* "GET", "HEAD", "POST", "PUT", "PATCH" */
        const char *url;
        const char *headers[HTTP_HEADERS_MAX]; /* "Name: value" */
        size_t n_headers;
        bool follow; /* redirects of a GET or HEAD, never from https to http; "Authorization" is for the first server */
        const struct http_tls *tls;
        uint64_t offset; /* Range: bytes=OFFSET- */
        size_t max;      /* of a body that is kept; more is -E2BIG */
        /* Takes the body of a success as it comes; NULL: it is kept. @partial: it begins at @offset, not at 0.
         * Negative: stop. */
        int (*sink)(void *data, bool partial, const void *bytes, size_t n);
        void *data;
        const void *body; /* to send */
        size_t n_body;
        int body_fd; /* to send instead when @body_size is not 0: that many bytes of the file */
        uint64_t body_size;
        int (*sent)(void *data, uint64_t bytes); /* progress of sending; may be NULL */
};

struct image_http_response {
        long status;
        char *body; /* what was kept, NUL-terminated; the beginning of an error's body */
        size_t n_body;
        char content_type[128];
        char digest[128];     /* Docker-Content-Digest */
        char *authenticate;   /* WWW-Authenticate as challenges_parse() takes it, NULL for none */
        char *location;       /* as the server wrote it, maybe relative */
        char *url;            /* that it came from */
        unsigned retry_after; /* seconds; 0: not said */
};

struct http; /* one connection at a time, reused */

/* Returns NULL without memory. */
struct http *image_http_new(void);
void image_http_free(struct http *http);
void image_http_freep(struct http **http);

/* Returns 0 for any answer at all. Else *@err and -ECONNREFUSED, -EHOSTUNREACH (no such host), -ETIMEDOUT, -ECONNRESET
 * (cut), -EPROTO (TLS or no HTTP), -E2BIG, or what the sink returned. @ret_response is filled as far as it came in any
 * case, and must be freed with image_http_response_clear(). */
int image_http_perform(struct http *http, const struct image_http_request *request,
                       struct image_http_response *ret_response, struct err **err);
void image_http_response_clear(struct image_http_response *response);
#define _cleanup_response_ __attribute__((cleanup(image_http_response_clear)))

/* Whether the last failure was a server that speaks no TLS. */
bool image_http_was_plain(const struct http *http);

/* @location as seen from @base, whole; free() it. NULL when it is no URL of http or https, or without memory. */
char *image_http_resolve(const char *base, const char *location);

/* Who answers at @url, as "https://host:5000" in lower case, without the scheme's own port and without user and
 * password; free() it. NULL when it is no URL, or without memory. */
char *image_http_server(const char *url);

/* @url for people, in @ret_text: without what may be secret, user, password and query. Returns @ret_text. */
const char *image_http_shown(const char *url, char ret_text[HTTP_SHOWN_MAX]);

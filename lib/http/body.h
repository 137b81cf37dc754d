/* A response's body that many responses share, with its gzip form: made once, handed out as shared bytes.
 *
 * The first client that takes gzip gets it while it is made, a slice in each turn of the loop, so that a large one does
 * not hold up the loop's other clients; the next ones get it whole.
 */
#pragma once

#include "lib/http/exchange.h"

/* Bodies up to this many bytes go as they are, as kube-apiserver's do. */
#define HTTP_GZIP_ABOVE ((size_t)128 << 10)

/* Answers of one server that are compressed at a time, 400 KB of memory each; one more goes as it is. */
#define HTTP_GZIP_AT_ONCE 16

struct http_body;

/* A body of @plain, of which a reference is taken. Counted, and safe across threads. NULL without memory. */
struct http_body *http_body_new(struct bytes *plain);

/* A body of which only the head differs from one answer to the next: @rest is what comes behind it, for
 * http_respond_headed() alone. A reference of @rest is taken. */
struct http_body *http_body_new_rest(struct bytes *rest);

struct http_body *http_body_ref(struct http_body *body);
struct http_body *http_body_unref(struct http_body *body); /* NULL is fine; returns NULL */

/* Makes the gzip form now, unless it is there, somebody is at it, or the body is small; for any thread. 0 or -ENOMEM.
 */
int http_body_compress(struct http_body *body);

/* What it was made of, still the body's. */
struct bytes *http_body_plain(const struct http_body *body);

/* Bytes that the body holds, in both forms. */
size_t http_body_size(const struct http_body *body);

/* Servers: a whole response, in gzip when the request takes it and the body is large, with Content-Encoding and Vary
 * besides @fields. The exchange's events are the layer's from then on. 0; -ENOMEM, -EALREADY, -EPIPE as
 * http_respond(). */
int http_respond_body(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                      struct http_body *body);

#define HTTP_BODY_HEAD_MAX 65535 /* bytes: what DEFLATE has as they are in one block */

/* The same of @head and, behind it, the rest that @body is. In gzip it is one member, of which the rest's part was
 * compressed once. */
int http_respond_headed(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                        struct bytes *head, struct http_body *body);

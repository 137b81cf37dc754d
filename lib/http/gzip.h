/* Compresses bodies with gzip (RFC 1952), by ISA-L: a fifth of zlib's time for the same size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http/message.h"

/* Whether a message with these fields wants its answer in gzip: Accept-Encoding by its weights (RFC 9110, 12.5.3), gzip
 * at least as much as identity. Without the field: no. */
bool http_accepts_gzip(const struct http_fields *fields);

struct http_gzip;

/* NULL without memory. At the fastest level that finds repetitions. @raw: DEFLATE alone (RFC 1951), without gzip's head
 * and end. */
struct http_gzip *http_gzip_new(bool raw);

/* Compresses from *@bytes, which it moves on with *@n, into @out. @last: nothing comes behind these. Returns bytes
 * written; all is taken, and with @last written, when that is less than @room. */
size_t http_gzip_put(struct http_gzip *gzip, const uint8_t **bytes, size_t *n, bool last, uint8_t *out, size_t room);

/* NULL is fine. */
void http_gzip_free(struct http_gzip *gzip);

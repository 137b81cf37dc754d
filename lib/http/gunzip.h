/* Decompresses gzip (RFC 1952), by zlib. What comes from a peer may be a bomb: who decompresses gives the room. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/http/message.h"

enum http_coding { HTTP_CODING_IDENTITY, HTTP_CODING_GZIP, HTTP_CODING_OTHER };

/* What Content-Encoding says. */
enum http_coding http_coding_of(const struct http_fields *fields);

struct http_gunzip;

/* NULL without memory. */
struct http_gunzip *http_gunzip_new(void);

/* Decompresses from *@bytes, which it moves on with *@n, into @out of @room bytes. Returns bytes written, 0 when more
 * input is needed; -EBADMSG for what is no gzip, bytes behind its end among it; -ENOMEM. */
ssize_t http_gunzip_put(struct http_gunzip *gunzip, const uint8_t **bytes, size_t *n, uint8_t *out, size_t room);

/* Whether it was all there. */
bool http_gunzip_ended(const struct http_gunzip *gunzip);

/* NULL is fine. */
void http_gunzip_free(struct http_gunzip *gunzip);

/* HTTP/1.1 as bytes (RFC 9112), without a socket: heads and chunks are taken apart, strictly.
 *
 * What RFC 9112 lets a lenient reader take - lines that end with LF alone, folded lines, blanks before the colon, both
 * lengths, the same length twice - is refused: those are the ways in which two readers see two different requests
 * (11.2).
 */
#pragma once

#include <sys/types.h>

#include "lib/http/exchange.h"

/* How a message's body ends (RFC 9112, 6.3). */
enum http_framing { HTTP_NO_BODY, HTTP_BY_LENGTH, HTTP_BY_CHUNKS, HTTP_BY_CLOSE };

struct http_parsed {
        enum http_framing framing;
        int64_t length;        /* HTTP_BY_LENGTH */
        bool keep_alive;       /* the peer lets the connection be used again */
        bool expects_continue; /* "Expect: 100-continue" */
        int status;            /* of the answer to a request that is refused: 400, 414, 431, 501, 505 */
        const char *why;       /* and what is wrong with it */
};

/* The length of the head at the front of @bytes, its empty line included; 0: not all there yet; -EPROTO when it cannot
 * become one (a NUL, or a CR or LF by itself); -E2BIG past HTTP_HEAD_MAX. @scanned is how many bytes earlier calls have
 * seen. */
ssize_t http_parse_find(const char *bytes, size_t n, size_t scanned);

/* Reads a request's head of @n bytes into @arena. 0; -EPROTO with ->status and ->why; -ENOMEM. */
int http_parse_request(struct arena *arena, const char *head, size_t n, struct http_request *ret_request,
                       struct http_parsed *ret_parsed);

/* Reads a response's head; @method is the request's. 0; -EPROTO with ->why; -ENOMEM. */
int http_parse_response(struct arena *arena, const char *head, size_t n, const char *method,
                        struct http_response *ret_response, struct http_parsed *ret_parsed);

/* What @response's fields say of its body and of the connection, for who has read the head himself. 0 or -EPROTO. */
int http_parse_response_framing(struct http_response *response, int version, const char *method,
                                struct http_parsed *parsed);

#define HTTP_CHUNK_LINE_MAX 256 /* of a chunk's size with its extensions, which are not looked at */
#define HTTP_TRAILERS_MAX ((size_t)8 << 10)

/* Takes a chunked body apart (RFC 9112, 7.1). Zeroed is at the beginning. */
struct http_chunks {
        enum { HTTP_CHUNK_SIZE, HTTP_CHUNK_DATA, HTTP_CHUNK_END, HTTP_CHUNK_TRAILERS, HTTP_CHUNKS_DONE } state;
        uint64_t left;
        char *line; /* of a size, or the trailers, as they come in */
        size_t n_line;
};

/* A part of bytes that are another's. */
struct http_span {
        uint8_t *data;
        size_t size;
};

/* Takes bytes from *@bytes and moves *@bytes and *@n past them. Returns 1 with a piece of the body, 0 when more is
 * needed or (state HTTP_CHUNKS_DONE) all is there with its trailers, -EPROTO, -E2BIG, -ENOMEM. */
int http_chunks_take(struct http_chunks *chunks, struct arena *arena, uint8_t **bytes, size_t *n,
                     struct http_fields *trailers, struct http_span *ret_piece);

void http_chunks_done(struct http_chunks *chunks);

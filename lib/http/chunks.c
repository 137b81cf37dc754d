#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/hex.h"
#include "lib/http/parse.h"

void http_chunks_done(struct http_chunks *chunks) {
        free(chunks->line);
        chunks->line = NULL;
        chunks->n_line = 0;
}

/* Adds the next line to chunks->line, with its CRLF. 1: it is complete; 0: more is needed. A CR or LF by itself, or a
 * NUL, is no part of a line. */
static int take_line(struct http_chunks *chunks, uint8_t **bytes, size_t *n, size_t max) {
        if (!chunks->line)
                chunks->line = malloc(max);
        if (!chunks->line)
                return -ENOMEM;
        while (*n > 0) {
                char c = (char)**bytes, before = chunks->n_line > 0 ? chunks->line[chunks->n_line - 1] : '\0';

                if (c == '\0' || (c == '\n') != (before == '\r'))
                        return -EPROTO;
                if (chunks->n_line == max)
                        return -E2BIG;
                chunks->line[chunks->n_line++] = c;
                (*bytes)++;
                (*n)--;
                if (c == '\n')
                        return 1;
        }
        return 0;
}

/* "1a2b", perhaps with ";extensions". */
static int read_size(struct http_chunks *chunks) {
        uint64_t size = 0;
        unsigned digits = 0;

        for (const char *c = chunks->line; *c != '\r' && *c != ';' && *c != ' ' && *c != '\t'; c++, digits++) {
                int digit = hex_digit(*c);

                if (digit < 0 || digits == 15)
                        return -EPROTO;
                size = size << 4 | (uint64_t)digit;
        }
        if (digits == 0)
                return -EPROTO;
        chunks->left = size;
        chunks->state = size > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_TRAILERS;
        http_chunks_done(chunks);
        return 0;
}

/* One line of the trailers; the empty one ends the body. They come without names that frame or route a message
 * (RFC 9110, 6.5.1): nobody looks for those there. */
static int read_trailer(struct http_chunks *chunks, size_t begin, struct arena *arena, struct http_fields *trailers) {
        const char *line = chunks->line + begin, *end = chunks->line + chunks->n_line - 2, *colon, *value;

        if (line == end) {
                http_chunks_done(chunks);
                chunks->state = HTTP_CHUNKS_DONE;
                return 0;
        }
        colon = memchr(line, ':', (size_t)(end - line));
        if (!colon || !http_is_token(line, (size_t)(colon - line)))
                return -EPROTO;
        for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
                ;
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
        if (!http_is_value(value, (size_t)(end - value)))
                return -EPROTO;
        return http_fields_add(trailers, arena, line, (size_t)(colon - line), value, (size_t)(end - value));
}

static int take_trailers(struct http_chunks *chunks, struct arena *arena, uint8_t **bytes, size_t *n,
                         struct http_fields *trailers) {
        int r = 1;

        while (r == 1 && chunks->state == HTTP_CHUNK_TRAILERS) {
                size_t begin = chunks->left;

                r = take_line(chunks, bytes, n, HTTP_TRAILERS_MAX);
                if (r < 1)
                        return r;
                chunks->left = chunks->n_line; /* where the next line begins */
                r = read_trailer(chunks, begin, arena, trailers) ?: 1;
        }
        return r < 0 ? r : 0;
}

static void take_data(struct http_chunks *chunks, uint8_t **bytes, size_t *n, struct http_span *ret_piece) {
        size_t size = chunks->left < *n ? (size_t)chunks->left : *n;

        *ret_piece = (struct http_span){ *bytes, size };
        *bytes += size;
        *n -= size;
        chunks->left -= size;
        if (chunks->left == 0)
                chunks->state = HTTP_CHUNK_END;
}

int http_chunks_take(struct http_chunks *chunks, struct arena *arena, uint8_t **bytes, size_t *n,
                     struct http_fields *trailers, struct http_span *ret_piece) {
        while (*n > 0) {
                int r;

                switch (chunks->state) {
                case HTTP_CHUNK_DATA:
                        take_data(chunks, bytes, n, ret_piece);
                        return 1;
                case HTTP_CHUNK_TRAILERS:
                        return take_trailers(chunks, arena, bytes, n, trailers);
                case HTTP_CHUNKS_DONE:
                        return 0;
                case HTTP_CHUNK_SIZE:
                case HTTP_CHUNK_END:
                        r = take_line(chunks, bytes, n, HTTP_CHUNK_LINE_MAX);
                        if (r < 1)
                                return r;
                        if (chunks->state == HTTP_CHUNK_SIZE)
                                r = read_size(chunks);
                        else if (chunks->n_line == 2) {
                                chunks->n_line = 0;
                                chunks->state = HTTP_CHUNK_SIZE;
                                r = 0;
                        } else
                                r = -EPROTO;
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

#include "lib/http/gunzip.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include <zlib.h>

enum http_coding http_coding_of(const struct http_fields *fields) {
        const char *coding = http_fields_get(fields, "content-encoding");

        if (!coding || (http_fields_only(fields, "content-encoding") && strcasecmp(coding, "identity") == 0))
                return HTTP_CODING_IDENTITY;
        if (http_fields_only(fields, "content-encoding") &&
            (strcasecmp(coding, "gzip") == 0 || strcasecmp(coding, "x-gzip") == 0))
                return HTTP_CODING_GZIP;
        return HTTP_CODING_OTHER;
}

struct http_gunzip {
        z_stream stream;
        bool ended;
};

/* 15 bits of window, and gzip's header only. */
#define GZIP_WINDOW (15 + 16)

struct http_gunzip *http_gunzip_new(void) {
        struct http_gunzip *gunzip = calloc(1, sizeof(*gunzip));

        if (gunzip && inflateInit2(&gunzip->stream, GZIP_WINDOW) == Z_OK)
                return gunzip;
        free(gunzip);
        return NULL;
}

ssize_t http_gunzip_put(struct http_gunzip *gunzip, const uint8_t **bytes, size_t *n, uint8_t *out, size_t room) {
        z_stream *stream = &gunzip->stream;
        uInt taking = *n < UINT32_MAX ? (uInt)*n : UINT32_MAX;
        int r;

        if (gunzip->ended)
                return *n > 0 ? -EBADMSG : 0;
        stream->next_in = (Bytef *)(uintptr_t)*bytes;
        stream->avail_in = taking;
        stream->next_out = out;
        stream->avail_out = (uInt)room;
        r = inflate(stream, Z_NO_FLUSH);
        *bytes = stream->next_in;
        *n -= taking - stream->avail_in;
        if (r == Z_MEM_ERROR)
                return -ENOMEM;
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
                return -EBADMSG;
        gunzip->ended = r == Z_STREAM_END;
        return (ssize_t)(room - stream->avail_out);
}

bool http_gunzip_ended(const struct http_gunzip *gunzip) {
        return gunzip->ended;
}

void http_gunzip_free(struct http_gunzip *gunzip) {
        if (gunzip)
                inflateEnd(&gunzip->stream);
        free(gunzip);
}

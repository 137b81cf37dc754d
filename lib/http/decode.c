#include <errno.h>
#include <string.h>

#include "lib/http/gunzip.h"
#include "lib/http/internal.h"
#include "lib/thread_buffer.h"

#define INFLATE_SIZE ((size_t)64 << 10)

static struct thread_buffer buffer = THREAD_BUFFER(INFLATE_SIZE);

/* What was said of the coded form is not true of what is given. */
static void drop_fields(struct http_fields *fields) {
        uint32_t kept = 0;

        for (uint32_t i = 0; i < fields->count; i++)
                if (strcmp(fields->items[i].name, "content-encoding") != 0 &&
                    strcmp(fields->items[i].name, "content-length") != 0)
                        fields->items[kept++] = fields->items[i];
        fields->count = kept;
}

int exchange_begin_decoding(struct http_exchange *x) {
        struct http_response *response = &x->head->response;

        if (x->tunnel || strcmp(x->request.method, "HEAD") == 0 || response->status == 204 || response->status == 304 ||
            http_coding_of(&response->fields) != HTTP_CODING_GZIP)
                return 0;
        x->head->gunzip = http_gunzip_new();
        if (!x->head->gunzip)
                return -ENOMEM;
        drop_fields(&response->fields);
        response->length = -1;
        return 0;
}

int exchange_decode(struct http_exchange *x, const uint8_t *bytes, size_t n) {
        uint8_t *out = thread_buffer(&buffer);
        ssize_t n_out;

        if (!out)
                return -ENOMEM;
        do {
                n_out = http_gunzip_put(x->head->gunzip, &bytes, &n, out, INFLATE_SIZE);
                if (n_out < 0)
                        return (int)n_out;
                if ((size_t)n_out > x->head->decoded_max)
                        return -EMSGSIZE;
                x->head->decoded_max -= (size_t)n_out;
                if (n_out > 0 && x->events && x->events->data)
                        x->events->data(x, out, (size_t)n_out);
        } while (!x->finished && (n > 0 || (size_t)n_out == INFLATE_SIZE));
        return 0;
}

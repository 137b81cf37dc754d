#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/http/gunzip.h"
#include "lib/http/internal.h"
#include "lib/http/server.h"

#define FIRST_SIZE ((size_t)4 << 10)

/* Decompressed at once. */
#define INFLATE_SIZE ((size_t)16 << 10)

/* In the exchange's arena, and so are the bytes: they go with it. */
struct collector {
        void (*done)(struct http_exchange *x, int error, const void *body, size_t size, void *data);
        void *data;
        uint8_t *body;
        size_t size, room, max;
        struct http_gunzip *gunzip; /* of a body that comes compressed */
};

static void finish(struct http_exchange *x, int error) {
        struct collector *collector = http_data(x);

        http_set_events(x, NULL, NULL);
        exchange_uncollect(x);
        http_gunzip_free(collector->gunzip);
        collector->done(x, error,
                        error < 0       ? NULL :
                        collector->body ?:
                                          (const void *)"",
                        collector->size, collector->data);
}

static bool reserve(struct http_exchange *x, struct collector *collector, size_t n) {
        size_t room = collector->room * 2 > FIRST_SIZE ? collector->room * 2 : FIRST_SIZE;
        uint8_t *body;

        if (collector->room - collector->size >= n)
                return true;
        if (room < collector->size + n)
                room = collector->size + n;
        body = arena_alloc(x->arena, room);
        if (!body)
                return false;
        if (collector->size > 0)
                memcpy(body, collector->body, collector->size);
        collector->body = body;
        collector->room = room;
        return true;
}

/* What decompresses to more than there may be is found out with one byte past it. */
static int inflate_data(struct http_exchange *x, struct collector *collector, const uint8_t *bytes, size_t n) {
        for (;;) {
                size_t left = collector->max - collector->size, room = left < INFLATE_SIZE ? left + 1 : INFLATE_SIZE;
                ssize_t n_out;

                if (!reserve(x, collector, room))
                        return -ENOMEM;
                n_out = http_gunzip_put(collector->gunzip, &bytes, &n, collector->body + collector->size, room);
                if (n_out < 0)
                        return (int)n_out;
                if ((size_t)n_out > left)
                        return -EMSGSIZE;
                collector->size += (size_t)n_out;
                if ((size_t)n_out < room && n == 0)
                        return 0;
        }
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct collector *collector = http_data(x);
        int r = collector->gunzip ? inflate_data(x, collector, bytes, n) : 0;

        if (r < 0)
                return finish(x, r);
        if (collector->gunzip)
                return;
        if (collector->size + n > collector->max)
                return finish(x, -EMSGSIZE);
        if (!reserve(x, collector, n))
                return finish(x, -ENOMEM);
        memcpy(collector->body + collector->size, bytes, n);
        collector->size += n;
}

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        const struct collector *collector = http_data(x);

        finish(x, collector->gunzip && !http_gunzip_ended(collector->gunzip) ? -EBADMSG : 0);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        finish(x, error < 0 ? error : -ECANCELED);
}

static void on_late(struct http_exchange *x) {
        finish(x, -ETIMEDOUT);
}

void http_collect_end(struct http_exchange *x, int error) {
        finish(x, error);
}

void http_collect(struct http_exchange *x, size_t max,
                  void (*done)(struct http_exchange *x, int error, const void *body, size_t size, void *data),
                  void *data) {
        static const struct http_events events = { .data = on_data, .end = on_end, .closed = on_closed };
        struct collector *collector = arena_new_of(x->arena, struct collector);
        enum http_coding coding = http_coding_of(&x->request.fields);
        int64_t length = x->request.length;

        if (!collector)
                return done(x, -ENOMEM, NULL, 0, data);
        *collector = (struct collector){ .done = done, .data = data, .max = max };
        http_set_events(x, &events, collector);
        if (length > 0 && (uint64_t)length > max)
                return finish(x, -EMSGSIZE);
        if (length != 0 && !x->in_ended && coding == HTTP_CODING_OTHER)
                return finish(x, -EOPNOTSUPP);
        if (length != 0 && !x->in_ended && coding == HTTP_CODING_GZIP) {
                collector->gunzip = http_gunzip_new();
                if (!collector->gunzip)
                        return finish(x, -ENOMEM);
        }
        if (length == 0 || x->in_ended)
                finish(x, 0);
        else if (exchange_collect(x, on_late) < 0)
                finish(x, -ENOMEM);
}

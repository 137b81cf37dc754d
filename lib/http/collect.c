#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/http/internal.h"
#include "lib/http/server.h"

#define FIRST_SIZE ((size_t)4 << 10)

/* In the exchange's arena, and so are the bytes: they go with it. */
struct collector {
        void (*done)(struct http_exchange *x, int error, const void *body, size_t size, void *data);
        void *data;
        uint8_t *body;
        size_t size, room, max;
};

static void finish(struct http_exchange *x, int error) {
        struct collector *collector = http_data(x);

        http_set_events(x, NULL, NULL);
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

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct collector *collector = http_data(x);

        if (collector->size + n > collector->max)
                return finish(x, -EMSGSIZE);
        if (!reserve(x, collector, n))
                return finish(x, -ENOMEM);
        memcpy(collector->body + collector->size, bytes, n);
        collector->size += n;
}

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        finish(x, 0);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        finish(x, error < 0 ? error : -ECANCELED);
}

void http_collect(struct http_exchange *x, size_t max,
                  void (*done)(struct http_exchange *x, int error, const void *body, size_t size, void *data),
                  void *data) {
        static const struct http_events events = { .data = on_data, .end = on_end, .closed = on_closed };
        struct collector *collector = arena_new_of(x->arena, struct collector);
        int64_t length = x->request.length;

        if (!collector)
                return done(x, -ENOMEM, NULL, 0, data);
        *collector = (struct collector){ .done = done, .data = data, .max = max };
        http_set_events(x, &events, collector);
        if (length > 0 && (uint64_t)length > max)
                return finish(x, -EMSGSIZE);
        if (length == 0 || x->in_ended)
                finish(x, 0);
}

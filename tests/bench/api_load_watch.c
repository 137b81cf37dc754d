#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/api_load.h"

#define PIECE_MAX                                                                                                      \
        (sizeof(LOAD_MARK) + LOAD_MARK_DIGITS) /* bytes of a mark with its number, and the quote behind it             \
                                                */

struct watch {
        struct load *load;
        bool ready;
        size_t n_tail; /* of the piece before: a mark may begin in it */
        char tail[2 * PIECE_MAX];
};

/* Counts the marks that begin in the first @begins bytes of @text. Returns where the last bytes begin that may be the
 * first ones of a mark. */
static size_t count_marks(struct watch *w, const char *text, size_t n, size_t begins) {
        struct load *l = w->load;
        size_t at = 0;

        while (at < begins) {
                const char *mark = memmem(text + at, n - at, LOAD_MARK, sizeof(LOAD_MARK) - 1);
                size_t place = mark ? (size_t)(mark - text) : n;
                uint64_t now = load_now_ns(), made;

                if (!mark || place >= begins)
                        break;
                if (place + PIECE_MAX > n)
                        return place;
                made = strtoull(mark + sizeof(LOAD_MARK) - 1, NULL, 10);
                at = place + PIECE_MAX;
                if (!l->runs || made < l->begin_ns)
                        continue;
                l->delivered++;
                l->end_ns = now;
                load_sample(&l->deliveries, (now - made) / 1000);
        }
        if (at < n - (n < PIECE_MAX ? n : PIECE_MAX))
                at = n - PIECE_MAX;
        return at < n ? at : n;
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct watch *w = http_data(x);
        const char *text = (const char *)bytes;
        size_t part = n < PIECE_MAX ? n : PIECE_MAX, rest;

        w->load->bytes += n;
        if (w->n_tail > 0) {
                memcpy(w->tail + w->n_tail, text, part);
                count_marks(w, w->tail, w->n_tail + part, w->n_tail);
        }
        rest = count_marks(w, text, n, n);
        w->n_tail = n - rest < PIECE_MAX ? n - rest : PIECE_MAX;
        memcpy(w->tail, text + n - w->n_tail, w->n_tail);
}

static void on_head(struct http_exchange *x, const struct http_response *response) {
        struct watch *w = http_data(x);

        if (response->status != 200)
                load_fail("a watch is answered %d", response->status);
        w->ready = true;
        load_ready(w->load);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct watch *w = http_data(x);

        if (!w->ready)
                load_fail("a watch ends: %s", why ?: strerror(-error));
        if (w->load->runs)
                w->load->failed++;
}

static const struct http_events events = { .head = on_head, .data = on_data, .closed = on_closed };

void load_watch_connect(struct load *load, unsigned i) {
        struct http_field fields[] = { { "user-agent", "kubelet/v1.36.3 (linux/amd64)" } };
        char target[LOAD_TARGET_MAX];
        struct http_client_request request = { .method = "GET", .target = target, .fields = fields, .n_fields = 1 };
        struct http_exchange *x;

        if (!load->watches)
                load->watches = calloc(load->n_watches, sizeof(*load->watches));
        if (!load->watches)
                load_fail("no memory");
        if (i % load->options.streams == 0)
                load->watching = load_client(load);
        load->watches[i].load = load;
        if (load->options.same)
                snprintf(target, sizeof(target), "%s", load->options.watch);
        else
                snprintf(target, sizeof(target), "%s%u", load->options.watch, load->first_watch + i);
        if (http_client_request(load->watching, &request, &events, &load->watches[i], &x) < 0)
                load_fail("cannot watch");
}

#include "lib/http/body.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/crc.h>
#include <zlib.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/gzip.h"
#include "lib/http/internal.h"
#include "lib/thread_buffer.h"

/* Compressed in one turn of a loop: half a millisecond. */
#define SLICE ((size_t)64 << 10)

/* While more than this waits for the client, nothing is compressed for it. */
#define WAITING_MAX ((size_t)256 << 10)

struct http_body {
        uint32_t refs;
        struct bytes *plain;
        struct bytes *gzip; /* NULL until it was made: set once */
        bool kept;          /* somebody makes it to be kept: the others do not keep theirs */
        bool rest;          /* behind a head: what is kept is DEFLATE alone, */
        uint32_t crc;       /* and of the plain form; set before @gzip */
};

struct http_body *http_body_new(struct bytes *plain) {
        struct http_body *body = malloc(sizeof(*body));

        if (body)
                *body = (struct http_body){ .refs = 1, .plain = bytes_ref(plain) };
        return body;
}

struct http_body *http_body_new_rest(struct bytes *rest) {
        struct http_body *body = http_body_new(rest);

        if (body)
                body->rest = true;
        return body;
}

struct http_body *http_body_ref(struct http_body *body) {
        __atomic_add_fetch(&body->refs, 1, __ATOMIC_RELAXED);
        return body;
}

struct http_body *http_body_unref(struct http_body *body) {
        if (!body || __atomic_sub_fetch(&body->refs, 1, __ATOMIC_ACQ_REL) > 0)
                return NULL;
        bytes_unref(body->plain);
        bytes_unref(body->gzip);
        free(body);
        return NULL;
}

static struct bytes *gzip_of(const struct http_body *body) {
        return __atomic_load_n(&body->gzip, __ATOMIC_ACQUIRE);
}

struct bytes *http_body_plain(const struct http_body *body) {
        return body->plain;
}

size_t http_body_size(const struct http_body *body) {
        struct bytes *gzip = gzip_of(body);

        return body->plain->size + (gzip ? gzip->size : 0);
}

/* Who comes second has made it in vain. */
static void publish(struct http_body *body, struct bytes *gzip) {
        struct bytes *none = NULL;

        if (!__atomic_compare_exchange_n(&body->gzip, &none, gzip, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
                bytes_unref(gzip);
}

/* --- the form as it is made --- */

struct maker {
        struct http_body *body;
        struct http_gzip *gzip;
        struct bytes *made; /* all so far, in memory for as much as the plain form; NULL: it is not kept */
        bool keeps;         /* it has set the body's */
        struct bytes *head; /* that was sent before; NULL: none */
        uint32_t crc;       /* of what was taken */
        size_t taken;       /* of the plain form */
        size_t n_made;
        bool done;
};

static int begin(struct maker *maker, struct http_body *body) {
        *maker = (struct maker){ .body = http_body_ref(body), .gzip = http_gzip_new(body->rest) };
        maker->keeps = !__atomic_exchange_n(&body->kept, true, __ATOMIC_ACQ_REL);
        if (maker->keeps)
                maker->made = bytes_new(body->plain->size);
        return maker->gzip && (maker->made || !maker->keeps) ? 0 : -ENOMEM;
}

/* Who has not come to the end leaves it to the next one. */
static void give_up(struct maker *maker) {
        if (maker->keeps && !maker->done)
                __atomic_store_n(&maker->body->kept, false, __ATOMIC_RELEASE);
        http_gzip_free(maker->gzip);
        bytes_unref(maker->made);
        bytes_unref(maker->head);
        http_body_unref(maker->body);
        *maker = (struct maker){ 0 };
}

static void keep(struct maker *maker, const uint8_t *bytes, size_t n) {
        if (!maker->made)
                return;
        if (maker->made->size - maker->n_made < n) {
                maker->made = bytes_unref(maker->made); /* it does not become smaller */
                return;
        }
        memcpy(maker->made->data + maker->n_made, bytes, n);
        maker->n_made += n;
}

/* Compresses up to a slice into @out, of which it returns how much. */
static size_t make_slice(struct maker *maker, uint8_t *out, size_t room) {
        const struct bytes *plain = maker->body->plain;
        const uint8_t *from = plain->data + maker->taken;
        size_t left = plain->size - maker->taken, n = left < SLICE ? left : SLICE, n_out;
        bool last = n == left;

        n_out = http_gzip_put(maker->gzip, &from, &n, last, out, room);
        if (maker->body->rest)
                maker->crc = crc32_gzip_refl(maker->crc, plain->data + maker->taken,
                                             (size_t)(from - plain->data) - maker->taken);
        maker->taken = (size_t)(from - plain->data);
        maker->done = last && n == 0 && n_out < room;
        keep(maker, out, n_out);
        if (maker->done && maker->made) {
                if (!gzip_of(maker->body))
                        maker->body->crc = maker->crc;
                publish(maker->body, bytes_shrink(maker->made, maker->n_made));
                maker->made = NULL;
        }
        return n_out;
}

static struct thread_buffer buffer = THREAD_BUFFER(2 * SLICE);

int http_body_compress(struct http_body *body) {
        uint8_t *out = thread_buffer(&buffer);
        struct maker maker;
        int r;

        if (body->plain->size <= HTTP_GZIP_ABOVE || gzip_of(body))
                return 0;
        if (!out)
                return -ENOMEM;
        r = begin(&maker, body);
        while (r >= 0 && !maker.done && maker.made) /* another's will be there, or what was made is too large */
                make_slice(&maker, out, 2 * SLICE);
        give_up(&maker);
        return r;
}

/* --- a head and a rest as one member of gzip (RFC 1952): what the head is stands there as it is (RFC 1951, 3.2.4) ---
 */

#define MEMBER_HEAD 15 /* bytes of the member's head and of the block's */
#define MEMBER_END 8

static int send_member_head(struct http_exchange *x, const struct bytes *head) {
        uint16_t n = (uint16_t)head->size;
        uint8_t text[MEMBER_HEAD] = {
                0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n, (uint8_t)(~n >> 8)
        };

        return http_send_ranges(
                x, (struct iovec[]){ { text, sizeof(text) }, { (void *)(uintptr_t)head->data, head->size } }, 2);
}

static int send_member_end(struct http_exchange *x, const struct bytes *head, const struct http_body *body,
                           uint32_t crc_of_rest) {
        size_t rest = body->plain->size;
        uint32_t crc = (uint32_t)crc32_combine(crc32_gzip_refl(0, head->data, head->size), crc_of_rest, (z_off_t)rest);
        uint32_t size = (uint32_t)(head->size + rest);
        uint8_t text[MEMBER_END];

        for (unsigned i = 0; i < 4; i++) {
                text[i] = (uint8_t)(crc >> 8 * i);
                text[4 + i] = (uint8_t)(size >> 8 * i);
        }
        return http_send(x, text, sizeof(text));
}

/* --- responses --- */

static int send_slice(struct http_exchange *x, struct maker *maker) {
        uint8_t *out = thread_buffer(&buffer);
        int r = out ? http_send(x, out, make_slice(maker, out, 2 * SLICE)) : -ENOMEM;

        if (r < 0)
                return r;
        if (!maker->done) {
                http_again(x);
                return 0;
        }
        r = maker->head ? send_member_end(x, maker->head, maker->body, maker->crc) : 0;
        return r < 0 ? r : http_end(x, NULL, 0);
}

static void send_slices(struct http_exchange *x) {
        struct maker *maker = http_data(x);
        int r;

        if (maker->done || x->discards || http_pending(x) > WAITING_MAX)
                return;
        r = send_slice(x, maker);
        if (r < 0)
                http_reset(x, r);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        x->hub->n_compressing--;
        give_up(http_data(x));
}

static int respond_making(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                          struct bytes *head, struct http_body *body) {
        static const struct http_events events = { .drained = send_slices, .closed = on_closed };
        struct maker *maker = arena_new_of(http_arena(x), struct maker);
        int r;

        if (!maker)
                return -ENOMEM;
        if ((r = begin(maker, body)) < 0 || (r = http_respond(x, status, fields, n, -1)) < 0) {
                give_up(maker);
                return r;
        }
        http_set_events(x, &events, maker);
        x->hub->n_compressing++;
        if (x->discards)
                return http_end(x, NULL, 0);
        if (head) {
                maker->head = bytes_ref(head);
                r = send_member_head(x, head);
        }
        if (r == 0)
                http_again(x);
        return r;
}

static int respond_two(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                       struct bytes *head, struct http_body *body) {
        int r = http_respond(x, status, fields, n, (int64_t)(head->size + body->plain->size));

        if (r < 0 || (r = http_send_bytes(x, head)) < 0 || (r = http_send_bytes(x, body->plain)) < 0)
                return r;
        return http_end(x, NULL, 0);
}

static int respond_kept(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                        struct bytes *head, struct http_body *body) {
        struct bytes *gzip = gzip_of(body);
        int r = http_respond(x, status, fields, n, (int64_t)(MEMBER_HEAD + head->size + gzip->size + MEMBER_END));

        if (r < 0 || (r = send_member_head(x, head)) < 0 || (r = http_send_bytes(x, gzip)) < 0 ||
            (r = send_member_end(x, head, body, body->crc)) < 0)
                return r;
        return http_end(x, NULL, 0);
}

int http_respond_headed(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                        struct bytes *head, struct http_body *body) {
        struct http_field all[HTTP_FIELDS_SENT_MAX];
        size_t n_all = n;
        struct bytes *gzip = gzip_of(body);
        bool large = (head ? head->size : 0) + body->plain->size > HTTP_GZIP_ABOVE,
             takes = http_accepts_gzip(&http_request_of(x)->fields) &&
                     (gzip || x->hub->n_compressing < HTTP_GZIP_AT_ONCE);

        assert(!head == !body->rest);
        if (n + 2 > HTTP_FIELDS_SENT_MAX || (head && head->size > HTTP_BODY_HEAD_MAX))
                return -E2BIG;
        if (n > 0)
                memcpy(all, fields, n * sizeof(*all));
        if (large)
                all[n_all++] = (struct http_field){ "vary", "Accept-Encoding" };
        if (!large || !takes)
                return head ? respond_two(x, status, all, n_all, head, body) :
                              http_respond_whole(x, status, all, n_all, body->plain);
        all[n_all++] = (struct http_field){ "content-encoding", "gzip" };
        if (gzip)
                return head ? respond_kept(x, status, all, n_all, head, body) :
                              http_respond_whole(x, status, all, n_all, gzip);
        return respond_making(x, status, all, n_all, head, body);
}

int http_respond_body(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                      struct http_body *body) {
        return http_respond_headed(x, status, fields, n, NULL, body);
}

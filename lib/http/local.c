#include "lib/http/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/http/internal.h"
#include "lib/list.h"

struct http_local_call {
        http_local_done done; /* NULL: nobody waits */
        void *data;
        int error, status;
        struct bytes *body;
        struct list_node in_answered;
};

LIST_DEFINE(answered, struct http_local_call, in_answered)

struct http_local {
        struct http_hub hub;
        struct http_connection connection; /* that all exchanges are of; it has no stream */
        struct answered answered;          /* whose done() is to come */
};

static struct http_local *local_of(struct http_hub *hub) {
        return (struct http_local *)((char *)hub - offsetof(struct http_local, hub));
}

static void free_call(struct http_local_call *call) {
        bytes_unref(call->body);
        free(call);
}

/* --- the driver: what is answered is kept, until it is whole --- */

static void finish(struct http_exchange *x, int error) {
        struct http_local_call *call = x->owner_data;

        if (!call)
                return;
        x->owner_data = NULL;
        call->error = error;
        answered_append(&local_of(x->hub)->answered, call);
        exchange_finish(x, error, NULL);
}

/* Whether it fitted; else the exchange is over. */
static int append(struct http_exchange *x, const void *data, size_t size, struct bytes *bytes) {
        struct http_local_call *call = x->owner_data;
        size_t before = call && call->body ? call->body->size : 0;
        struct bytes *body;

        if (!call)
                return -EPIPE;
        if (size > HTTP_LOCAL_BODY_MAX - before) {
                finish(x, -EMSGSIZE);
                return -EMSGSIZE;
        }
        if (size == 0)
                return 0;
        body = bytes && before == 0 && bytes->size == size ? bytes_ref(bytes) : bytes_new(before + size);
        if (!body)
                return -ENOMEM;
        if (body != bytes) {
                if (before > 0)
                        memcpy(body->data, call->body->data, before);
                memcpy(body->data + before, data, size);
        }
        bytes_unref(call->body);
        call->body = body;
        return 0;
}

static void sent(struct http_exchange *x) {
        x->out_done = true;
        finish(x, 0);
}

static int respond(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes) {
        struct http_local_call *call = x->owner_data;
        int r = append(x, piece->data, piece->size, bytes);

        if (r < 0)
                return r;
        call->status = x->head->response.status;
        if (piece->end)
                sent(x);
        return 0;
}

static int inform(struct http_exchange *x, int status, const struct http_field *fields, size_t n) {
        return 0;
}

static int send_piece(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes) {
        int r = append(x, piece->data, piece->size, bytes);

        if (r == 0 && piece->end)
                sent(x);
        return r;
}

static int send_ranges(struct http_exchange *x, const struct iovec *ranges, unsigned n) {
        int r = 0;

        for (unsigned i = 0; r == 0 && i < n; i++)
                r = append(x, ranges[i].iov_base, ranges[i].iov_len, NULL);
        return r;
}

static int send_end(struct http_exchange *x, const struct http_field *trailers, size_t n) {
        sent(x);
        return 0;
}

static size_t pending(const struct http_exchange *x) {
        return 0;
}

static void hold(struct http_exchange *x, bool pauses) {
}

static const struct http_driver driver = {
        .respond = respond,
        .inform = inform,
        .send = send_piece,
        .send_ranges = send_ranges,
        .end = send_end,
        .pending = pending,
        .pause = hold,
        .reset = finish,
};

static void on_progress(struct http_connection *connection) {
}

static const struct http_owner owner = { .progress = on_progress };

/* --- its life --- */

static void tell_answered(struct http_hub *hub) {
        struct http_local *local = local_of(hub);
        struct answered now = { 0 };
        struct http_local_call *call;

        answered_take(&now, &local->answered);
        while ((call = answered_pop(&now))) {
                if (call->done)
                        call->done(call->data, call->error, call->status, call->body);
                free_call(call);
        }
}

int http_local_new(uv_loop_t *loop, struct http_local **ret_local) {
        struct http_local *local = calloc(1, sizeof(*local));

        if (!local)
                return -ENOMEM;
        hub_init(&local->hub, loop);
        local->hub.turn = tell_answered;
        local->connection = (struct http_connection){ .hub = &local->hub,
                                                      .owner = &owner,
                                                      .driver = &driver,
                                                      .server = true,
                                                      .opened = true,
                                                      .multiplexed = true };
        TAILQ_INIT(&local->connection.exchanges);
        *ret_local = local;
        return 0;
}

static void on_hub_closed(struct http_hub *hub) {
        free(local_of(hub));
}

void http_local_free(struct http_local *local) {
        struct http_local_call *call;
        struct http_exchange *x;

        if (!local)
                return;
        local->hub.turn = NULL;
        while ((x = TAILQ_FIRST(&local->connection.exchanges)))
                finish(x, -ECANCELED);
        while ((call = answered_pop(&local->answered)))
                free_call(call);
        hub_close(&local->hub, on_hub_closed);
}

/* --- a request --- */

static int read_request(struct http_exchange *x, const struct http_local_request *request) {
        struct http_request *q = &x->request;
        const char *query;
        int r = 0;

        q->method = arena_strdup(x->arena, request->method);
        q->target = arena_strdup(x->arena, request->target);
        if (!q->method || !q->target)
                return -ENOMEM;
        query = strchr(q->target, '?');
        q->n_path = query ? (size_t)(query - q->target) : strlen(q->target);
        q->query = query ? query + 1 : "";
        q->authority = "";
        q->length = (int64_t)request->size;
        q->version = 20;
        for (size_t i = 0; r == 0 && i < request->n_fields; i++)
                r = http_fields_add(&q->fields, x->arena, request->fields[i].name, strlen(request->fields[i].name),
                                    request->fields[i].value, strlen(request->fields[i].value));
        return r;
}

/* The body comes when the handler has said who takes it. */
static void give_body(struct http_exchange *x, const struct http_local_request *request) {
        if (request->size > 0)
                exchange_data(x, (uint8_t *)(uintptr_t)request->body, request->size);
        exchange_end(x);
}

int http_local_request(struct http_local *local, const struct http_local_request *request, http_local_done done,
                       void *data, struct http_local_call **ret_call) {
        struct http_local_call *call = calloc(1, sizeof(*call));
        struct http_exchange *x = call ? exchange_new(&local->connection) : NULL;
        int r = x ? read_request(x, request) : -ENOMEM;

        if (r < 0) {
                free(call);
                if (x)
                        exchange_finish(x, r, NULL);
                return r;
        }
        call->done = done;
        call->data = data;
        x->owner_data = call;
        *ret_call = call;
        request->handle(x, request->handle_data);
        give_body(x, request);
        return 0;
}

void http_local_forget(struct http_local_call *call) {
        call->done = NULL;
}

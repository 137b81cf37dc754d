#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/remote/internal.h"
#include "lib/cleanup.h"
#include "lib/grow.h"

#define FIELDS_MAX 4

int remote_ask(struct remote *remote, const struct remote_asking *asking, const struct http_events *events, void *data,
               struct http_exchange **ret_x) {
        struct http_field fields[FIELDS_MAX];
        struct http_client_request request = { .method = asking->method,
                                               .target = asking->target,
                                               .fields = fields,
                                               .length = (int64_t)asking->length,
                                               .flags = asking->body ? HTTP_REQUEST_BODY : 0 };
        int r;

        fields[request.n_fields++] = (struct http_field){ "accept", "application/json" };
        fields[request.n_fields++] = (struct http_field){ "user-agent", remote->base.agent };
        if (remote->authorization)
                fields[request.n_fields++] = (struct http_field){ "authorization", remote->authorization };
        if (asking->body)
                fields[request.n_fields++] = (struct http_field){ "content-type", asking->type };
        r = http_client_request(remote->http, &request, events, data, ret_x);
        if (r < 0 || !asking->body)
                return r;
        /* What cannot be sent ends the exchange, which is told. */
        if (http_send(*ret_x, asking->body, asking->length) < 0 || http_end(*ret_x, NULL, 0) < 0)
                http_reset(*ret_x, -ENOMEM);
        return 0;
}

static int make_room(struct remote_gathered *g, size_t n) {
        return n > CLIENT_BODY_MAX - g->size ? -EMSGSIZE : GROW(g->data, g->room, g->size + n, CLIENT_BODY_MAX);
}

void remote_gather(struct remote_gathered *g, const uint8_t *bytes, size_t n) {
        if (g->error < 0 || (g->error = make_room(g, n)) < 0)
                return;
        memcpy(g->data + g->size, bytes, n);
        g->size += n;
}

int remote_errno(int status) {
        switch (status) {
        case 401:
        case 403:
                return -EACCES;
        case 404:
                return -ENOENT;
        case 410:
                return -ESTALE;
        case 429:
                return -EBUSY;
        default:
                return -EIO;
        }
}

/* What the answer's Status says, or why there was none. */
const char *remote_why(struct arena *arena, const struct remote_gathered *g, const struct bytes *body, int error,
                       const char **ret_reason) {
        const char *message = "";

        *ret_reason = "";
        if (error < 0)
                return strerror(-error);
        if (arena)
                client_status(arena, body, ret_reason, &message);
        return *message ? message : "the server has refused it";
}

void remote_call_end(struct remote_call *call) {
        remote_of(call->base.client)->n_calls--;
        if (call->events)
                kube_list_reader_done(&call->reader);
        free(call->answer.data);
        arena_free(call->arena);
        err_free(call->unreadable);
        free(call);
}

struct remote_call *remote_call_begin(struct client *client, void *data, int *ret_error) {
        struct remote *remote = remote_of(client);
        bool full = remote->n_calls >= CLIENT_CALLS_MAX;
        struct remote_call *call = full ? NULL : calloc(1, sizeof(*call));

        *ret_error = call ? 0 : full ? -EBUSY : -ENOMEM;
        if (!call)
                return NULL;
        call->base.client = client;
        call->data = data;
        remote->n_calls++;
        return call;
}

void remote_count(struct remote *remote, const char *method, int status) {
        struct client_remote_count *end = remote->counts + remote->n_counts;

        for (struct client_remote_count *c = remote->counts; c < end; c++)
                if (c->status == status && strcmp(c->method, method) == 0) {
                        c->n++;
                        return;
                }
        if (remote->n_counts == CLIENT_REMOTE_COUNTS_MAX)
                return;
        *end = (struct client_remote_count){ method, status, 1 };
        remote->n_counts++;
}

void remote_call_head(struct http_exchange *x, const struct http_response *response) {
        struct remote_call *call = http_data(x);

        call->answer.status = response->status;
        remote_count(remote_of(call->base.client), call->method, response->status);
        call->reads = call->events && response->status == 200;
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct remote_call *call = http_data(x);

        remote_gather(&call->answer, bytes, n);
}

static void on_answered(struct http_exchange *x, int error, const char *why) {
        struct remote_call *call = http_data(x);
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_bytes_ struct bytes *body = bytes_copy(call->answer.data ?: "", call->answer.size);
        struct client_answer answer = { .reason = "", .message = "", .body = body };
        client_done done = call->done;
        void *data = call->data;

        error = error ?: call->answer.error;
        if (error == 0 && !body)
                error = -ENOMEM;
        answer.code = error ?: call->answer.status;
        if (call->answer.status == 0)
                remote_count(remote_of(call->base.client), call->method, 0);
        if (!client_succeeded(&answer))
                answer.message = error < 0 && why ? why : remote_why(arena, &call->answer, body, error, &answer.reason);
        remote_call_end(call);
        done(data, &answer);
}

int remote_send(struct client *client, const struct client_request *request, const char *target, client_done done,
                void *data, struct client_call **ret_call) {
        static const struct http_events events = { .head = remote_call_head, .data = on_data, .closed = on_answered };
        const struct remote_asking asking = { client_method(request), target, client_content_type(request),
                                              request->body, request->body ? request->length : 0 };
        struct remote_call *call;
        int r;

        call = remote_call_begin(client, data, &r);
        if (!call)
                return r;
        call->done = done;
        call->method = asking.method;
        r = remote_ask(remote_of(client), &asking, &events, call, &call->x);
        if (r < 0)
                remote_call_end(call);
        else
                *ret_call = &call->base;
        return r;
}

void remote_cancel(struct client_call *base) {
        struct remote_call *call = (struct remote_call *)base;

        http_set_events(call->x, NULL, NULL);
        http_reset(call->x, -ECANCELED);
        remote_call_end(call);
}

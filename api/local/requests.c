/* Requests: the whole pipeline, by an exchange of HTTP that never was on a wire (lib/http/local.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/local/internal.h"
#include "api/server/server.h"
#include "client/backend.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/local.h"

void local_call_end(struct local_call *call) {
        local_calls_remove(call);
        call->local->n_calls--;
        arena_free(call->arena);
        free(call);
}

struct local_call *local_call_begin(struct client *client, void *data, struct local_calls *calls, int *ret_error) {
        struct api_local *local = local_of(client);
        struct local_call *call = local->n_calls < CLIENT_CALLS_MAX ? calloc(1, sizeof(*call)) : NULL;

        *ret_error = call ? 0 : local->n_calls < CLIENT_CALLS_MAX ? -ENOMEM : -EBUSY;
        if (!call)
                return NULL;
        call->base.client = client;
        call->local = local;
        call->data = data;
        local->n_calls++;
        local_calls_append(calls, call);
        return call;
}

static void on_answered(void *data, int error, int status, struct bytes *body) {
        struct local_call *call = data;
        _cleanup_arena_ struct arena *arena = arena_new_small(ARENA_CHUNK_FIRST);
        struct client_answer answer = { .code = error ?: status, .reason = "", .message = "", .body = body };
        client_done done = call->done;

        data = call->data;
        if (error < 0)
                answer.message = strerror(-error);
        else if (status >= 300 && arena)
                client_status(arena, body, &answer.reason, &answer.message);
        local_call_end(call);
        done(data, &answer);
}

static void handle(struct http_exchange *x, void *data) {
        const struct local_client *client = data;

        api_loop_take(client->local->loop, x, &client->user);
}

int local_send(struct client *client, const struct client_request *request, const char *target, client_done done,
               void *data, struct client_call **ret_call) {
        struct api_local *local = local_of(client);
        const struct http_field fields[] = { { "content-type", client_content_type(request) },
                                             { "user-agent", client->agent } };
        const struct http_local_request local_request = { .method = client_method(request),
                                                          .target = target,
                                                          .fields = fields,
                                                          .n_fields = ELEMENTS(fields),
                                                          .body = request->body,
                                                          .size = request->length,
                                                          .handle = handle,
                                                          .handle_data = client };
        struct local_call *call;
        int r;

        call = local_call_begin(client, data, &local->sent, &r);
        if (!call)
                return r;
        call->done = done;
        r = http_local_request(local->http, &local_request, on_answered, call, &call->http);
        if (r < 0) {
                local_call_end(call);
                return r;
        }
        *ret_call = &call->base;
        return 0;
}

void local_cancel(struct client_call *base) {
        struct local_call *call = (struct local_call *)base;

        if (call->http)
                http_local_forget(call->http);
        local_call_end(call);
}

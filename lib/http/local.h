/* Requests from within the process: an exchange without a connection, which a server's handler takes as any other. No
 * bytes are framed, encrypted or parsed, and a body that the handler answers with as shared bytes comes uncopied.
 */
#pragma once

#include <stddef.h>
#include <uv.h>

#include "lib/http/exchange.h"

struct bytes;
struct http_local;
struct http_local_call;

#define HTTP_LOCAL_BODY_MAX ((size_t)64 << 20) /* bytes of an answer's body; a longer one ends with -EMSGSIZE */

struct http_local_request {
        const char *method, *target;
        const struct http_field *fields; /* names in lower case */
        size_t n_fields;
        const void *body;
        size_t size;
        void (*handle)(struct http_exchange *x, void *data); /* who takes it, with @handle_data */
        void *handle_data;
};

/* What came of it: @status and @body (lent; NULL: none), or a negative @error and no status. From the loop. */
typedef void (*http_local_done)(void *data, int error, int status, struct bytes *body);

/* 0 or -ENOMEM. */
int http_local_new(uv_loop_t *loop, struct http_local **ret_local);

/* Calls that are under way are not told any more; their handlers hear closed() before this returns. Memory goes once
 * the loop has closed the handles. NULL is fine. */
void http_local_free(struct http_local *local);

/* Has the request's handle() called, within this call; all of @request is copied, but for the body, which is given to
 * the handler within this call. 0, -ENOMEM, -E2BIG; then nothing comes. */
int http_local_request(struct http_local *local, const struct http_local_request *request, http_local_done done,
                       void *data, struct http_local_call **ret_call);

/* done() does not come any more; the handler goes on. Not after done(). */
void http_local_forget(struct http_local_call *call);

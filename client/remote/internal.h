/* What the parts of the client over HTTPS share: remote.c (the server), request.c, list.c, watch.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/backend.h"
#include "client/remote.h"
#include "client/remote/place.h"
#include "kube/stream/list_reader.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"
#include "lib/http/client.h"
#include "lib/value.h"

struct remote {
        struct client base;
        struct http_client *http;
        struct remote_place place;
        struct arena *arena;
        const char *authorization; /* the header's value; NULL: none */
        unsigned n_calls;
        struct client_remote_count counts[CLIENT_REMOTE_COUNTS_MAX];
        unsigned n_counts;
};

/* An answer that is gathered, up to CLIENT_BODY_MAX bytes. */
struct remote_gathered {
        char *data;
        size_t size, room;
        int status, error;
};

struct remote_call {
        struct client_call base;
        struct http_exchange *x;
        void *data;
        const char *method; /* a literal */
        struct remote_gathered answer;
        client_done done; /* a request's */

        /* A list's. */
        struct arena *arena;
        const char *path, *query; /* @query: what each page is asked with */
        const char *list_kind;
        const struct client_list_events *events;
        struct kube_list_reader reader;
        unsigned n_pages;
        struct err *unreadable; /* what is wrong in it; owned */
        bool reads;             /* the answer is a list */
};

struct remote_asking {
        const char *method, *target, *type, *body; /* @body: NULL, or @length bytes of @type */
        size_t length;
};

static inline struct remote *remote_of(struct client *client) {
        return (struct remote *)client;
}

/* --- request.c --- */

/* Sends a request with the client's credentials; @events are told with @data as http_data(). What is in @asking is
 * copied. Errors: -errno, and nothing is told then. */
int remote_ask(struct remote *remote, const struct remote_asking *asking, const struct http_events *events, void *data,
               struct http_exchange **ret_x);

/* Adds bytes; what is too much, or has no memory, is kept as @g->error. */
void remote_gather(struct remote_gathered *g, const uint8_t *bytes, size_t n);

/* A call of at most CLIENT_CALLS_MAX, with nothing asked yet. NULL: @ret_error is -EBUSY or -ENOMEM. */
struct remote_call *remote_call_begin(struct client *client, void *data, int *ret_error);
void remote_call_end(struct remote_call *call);

/* An answer has come; @status 0: it never will. */
void remote_count(struct remote *remote, const char *method, int status);

/* An exchange's events that requests and lists take alike. */
void remote_call_head(struct http_exchange *x, const struct http_response *response);

/* An answer's status as an errno: what it means to who lists and watches. */
int remote_errno(int status);

/* What the answer's Status says, or why there was none (@error): in @arena, or a constant. */
const char *remote_why(struct arena *arena, const struct remote_gathered *g, const struct bytes *body, int error,
                       const char **ret_reason);

/* The backend's, client/backend.h. */
int remote_send(struct client *client, const struct client_request *request, const char *target, client_done done,
                void *data, struct client_call **ret_call);
void remote_cancel(struct client_call *call);

/* --- object.c --- */

/* @json: its text, or NULL: that of @tree is made. NULL without memory. */
struct client_object *remote_object(const struct value *tree, const char *json, size_t length);

/* A scope's path, and its selectors as "&labelSelector=…&fieldSelector=…", in @arena. NULL without memory. */
const char *remote_scope_path(struct arena *arena, const struct client_scope *scope);
const char *remote_scope_query(struct arena *arena, const struct client_scope *scope);

/* --- list.c and watch.c: the backend's --- */

int remote_list(struct client *client, const struct client_scope *scope, const struct client_list_events *events,
                void *data, struct client_call **ret_call);
int remote_watch(struct client *client, const struct client_scope *scope, int64_t revision,
                 const struct client_watch_events *events, void *data, struct client_watch **ret_watch);
void remote_unwatch(struct client_watch *watch);

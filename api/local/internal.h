/* What the files of this room share: the client, and what it has under way. All is of the loop that local.c was made
 * on, but for what a struct says of itself.
 *
 *     requests.c   calls that answer a request        lists.c   calls that answer a list
 *     watches.c    watches, by resource               scope.c   what is asked for, and an object as the client has it
 */
#pragma once

#include <uv.h>

#include "api/auth/user.h"
#include "api/cache/collection.h"
#include "api/rest/selector.h"
#include "client/backend.h"
#include "lib/list.h"

struct api_resource;
struct arena;
struct object;

/* --- the client --- */

LIST_TYPE(local_calls);
LIST_TYPE(local_sets); /* of watches.c */

struct api_local {
        struct api_server *server;
        struct api_loop *loop;
        struct http_local *http;
        struct arena *arena; /* of the clients */
        struct local_sets sets;
        struct local_calls sent, lists; /* requests; lists that are to be answered */
        uv_async_t wake;                /* something was changed */
        uv_timer_t gather;              /* what has changed since is told together */
        uint64_t told_ms;               /* when watchers were told, by the loop's clock, */
        uint64_t at_once;               /* and how many times more they are told at once */
        uv_idle_t later;                /* lists are to be answered */
        unsigned n_calls, n_clients, n_watches;
        bool closed;
};

struct local_client {
        struct client base; /* first */
        struct api_local *local;
        struct auth_user user;
};

static inline struct api_local *local_of(const struct client *client) {
        return ((const struct local_client *)client)->local;
}

/* --- calls: requests and lists --- */

struct local_call {
        struct client_call base; /* first */
        struct api_local *local;
        void *data;
        struct list_node in_local; /* while it is under way */

        /* A request's. */
        struct http_local_call *http;
        client_done done;

        /* A list's. */
        struct arena *arena; /* the scope's texts */
        struct client_scope scope;
        const struct client_list_events *events;
};

LIST_FUNCTIONS(local_calls, struct local_call, in_local)

/* A new one, in @calls; NULL with *@ret_error -EBUSY past CLIENT_CALLS_MAX, or -ENOMEM. */
struct local_call *local_call_begin(struct client *client, void *data, struct local_calls *calls, int *ret_error);

/* Nobody is told. */
void local_call_end(struct local_call *call);

/* The functions of a backend (client/backend.h), which has what they are to do. */
int local_send(struct client *client, const struct client_request *request, const char *target, client_done done,
               void *data, struct client_call **ret_call);
int local_list(struct client *client, const struct client_scope *scope, const struct client_list_events *events,
               void *data, struct client_call **ret_call);
void local_cancel(struct client_call *base);

/* --- watches --- */

int local_watch(struct client *client, const struct client_scope *scope, int64_t revision,
                const struct client_watch_events *events, void *data, struct client_watch **ret_watch);
void local_unwatch(struct client_watch *base);

/* Something was changed, by whatever thread: watchers are told now, or soon with what follows it. */
void local_wake(uv_async_t *wake);

/* Watchers that are left are not told. */
void local_forget_sets(struct api_local *local);

/* --- scopes and objects --- */

/* Its texts are @arena's. 0 or -ENOMEM. */
int local_scope_copy(struct arena *arena, const struct client_scope *scope, struct client_scope *ret_copy);

/* What of @of's objects is in the scope; @ret_filter points to @ret_selector. 0, -ENOMEM, or -EINVAL: a selector that
 * is none. */
int local_scope_filter(struct arena *arena, const struct client_scope *scope, const struct api_resource *of,
                       struct api_selector *ret_selector, struct collection_filter *ret_filter);

/* @object in the version that the scope asks for, the caller's; NULL without memory. */
struct client_object *local_object(const struct client_scope *scope, const struct api_resource *of,
                                   const struct object *object, int64_t revision);

/* What stands behind a client: for those who make one (api/local, client/remote). */
#pragma once

#include <uv.h>

#include "client/client.h"

struct client_call {
        struct client *client;
};

struct client_watch {
        struct client *client;
};

/* As client.h has them; what is of no kind, or too long, was refused before. Callbacks come from the loop. */
struct client_backend {
        /* @target is the path and query, @method and @type (the body's) go with it; all are gone after the call. */
        int (*send)(struct client *client, const struct client_request *request, const char *target, client_done done,
                    void *data, struct client_call **ret_call);
        int (*list)(struct client *client, const struct client_scope *scope, const struct client_list_events *events,
                    void *data, struct client_call **ret_call);
        void (*cancel)(struct client_call *call);
        int (*watch)(struct client *client, const struct client_scope *scope, int64_t revision,
                     const struct client_watch_events *events, void *data, struct client_watch **ret_watch);
        void (*unwatch)(struct client_watch *watch);
};

struct client {
        const struct client_backend *backend;
        uv_loop_t *loop;
        const char *agent; /* what the server knows it by: User-Agent, and with it the name of who owns fields */
};

/* "/api/v1/namespaces/NAMESPACE/pods/NAME/SUB" in @arena; NULL without memory. */
char *client_path(struct arena *arena, const struct kube_kind *kind, const char *namespace, const char *name,
                  const char *sub);

/* @text as a part of a query in @arena. NULL without memory. */
char *client_escape(struct arena *arena, const char *text);

const char *client_method(const struct client_request *request);
const char *client_content_type(const struct client_request *request);

/* Reads what a Status in @body says: texts in @arena, "" where it does not. */
void client_status(struct arena *arena, const struct bytes *body, const char **ret_reason, const char **ret_message);

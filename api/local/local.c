#include "api/local/local.h"

#include <errno.h>
#include <stdlib.h>

#include "api/auth/user.h"
#include "api/local/internal.h"
#include "api/server/server.h"
#include "client/backend.h"
#include "lib/arena.h"
#include "lib/http/local.h"

#define NAMESPACE "kube-system"

static const struct client_backend backend = {
        .send = local_send,
        .list = local_list,
        .cancel = local_cancel,
        .watch = local_watch,
        .unwatch = local_unwatch,
};

static int read_user(struct api_local *local, struct local_client *client, const char *name) {
        struct auth_user *user = &client->user;
        int r;

        user->name = name ? arena_printf(local->arena, AUTH_ACCOUNT_PREFIX NAMESPACE ":%s", name) : AUTH_USER_SERVER;
        client->base.agent = name ? arena_printf(local->arena, "nacelle-api/%s", name) : "nacelle-api";
        if (!user->name || !client->base.agent)
                return -ENOMEM;
        r = name ? auth_user_add_group(local->arena, user, AUTH_GROUP_ACCOUNTS) ?:
                   auth_user_add_group(local->arena, user, AUTH_GROUP_ACCOUNTS ":" NAMESPACE) :
                   auth_user_add_group(local->arena, user, AUTH_GROUP_MASTERS);
        return r ?: auth_user_add_group(local->arena, user, AUTH_GROUP_AUTHENTICATED);
}

static struct local_client *new_client(struct api_local *local) {
        struct local_client *client =
                local->n_clients < API_LOCAL_CLIENTS_MAX ? arena_new_of(local->arena, struct local_client) : NULL;

        if (!client)
                return NULL;
        client->base.backend = &backend;
        client->base.loop = local->loop->uv;
        client->local = local;
        local->n_clients++;
        return client;
}

struct client *api_local_client(struct api_local *local, const char *name) {
        struct local_client *client = new_client(local);

        return client && read_user(local, client, name) == 0 ? &client->base : NULL;
}

struct client *api_local_user(struct api_local *local, const char *name, const char *agent) {
        struct local_client *client = new_client(local);

        if (!client || auth_user_add_group(local->arena, &client->user, AUTH_GROUP_AUTHENTICATED) < 0)
                return NULL;
        client->user.name = name;
        client->base.agent = agent;
        return &client->base;
}

static void init_handles(struct api_local *local, uv_loop_t *loop) {
        uv_timer_init(loop, &local->gather);
        uv_idle_init(loop, &local->later);
        local->gather.data = local->later.data = local->wake.data = local;
}

int api_local_new(struct api_server *server, uv_loop_t *loop, struct api_local **ret_local) {
        struct api_local *local = calloc(1, sizeof(*local));
        int r;

        if (!local)
                return -ENOMEM;
        local->server = server;
        local->arena = arena_new();
        r = local->arena ? uv_async_init(loop, &local->wake, local_wake) : -ENOMEM;
        if (r < 0) {
                api_local_free(local);
                return r;
        }
        init_handles(local, loop);
        r = http_local_new(loop, &local->http) ?: api_server_within(server, loop, &local->loop);
        if (r < 0) {
                api_local_close(local);
                return r;
        }
        *ret_local = local;
        return 0;
}

static void end_calls(struct local_calls *calls) {
        struct local_call *call;

        while ((call = local_calls_first(calls)))
                local_call_end(call);
}

void api_local_close(struct api_local *local) {
        local->closed = true;
        http_local_free(local->http);
        if (local->loop)
                api_loop_leave(local->loop);
        end_calls(&local->sent);
        end_calls(&local->lists);
        local_forget_sets(local);
        uv_close((uv_handle_t *)&local->wake, NULL);
        uv_close((uv_handle_t *)&local->gather, NULL);
        uv_close((uv_handle_t *)&local->later, NULL);
}

void api_local_free(struct api_local *local) {
        if (!local)
                return;
        arena_free(local->arena);
        free(local);
}

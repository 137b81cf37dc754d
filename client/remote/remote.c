#include "client/remote.h"

#include <errno.h>
#include <stdlib.h>

#include "client/remote/internal.h"
#include "lib/err.h"
#include "lib/transport/tls.h"

static const struct client_backend backend = {
        .send = remote_send,
        .list = remote_list,
        .cancel = remote_cancel,
        .watch = remote_watch,
        .unwatch = remote_unwatch,
};

static int make_http(struct remote *remote, const struct client_remote_config *config, struct http_client **ret_http,
                     struct err **err) {
        static const char *const protocols[] = { "h2", "http/1.1", NULL };
        const struct tls_config tls = { .side = TLS_CLIENT,
                                        .verify = config->unverified ? TLS_VERIFY_NONE : TLS_VERIFY_REQUIRED,
                                        .certificate = config->certificate,
                                        .key = config->key,
                                        .authorities = config->authorities,
                                        .protocols = protocols,
                                        .any_time = config->any_time,
                                        .since = config->since };
        const struct remote_place *place = &remote->place;
        struct http_client_config http = { .address = (const struct sockaddr *)&place->address,
                                           .n_address = place->n_address,
                                           .authority = place->authority,
                                           .name = place->host,
                                           .silence_ms = HTTP_CLIENT_SILENCE_MS };
        int r;

        if (config->unverified && (config->certificate || config->token))
                return err_set(err, EINVAL, "server %s: a credential is not for a server that nobody vouches for",
                               place->authority);
        if ((r = tls_context_new(&tls, &http.tls, err)) < 0)
                return r;
        r = http_client_new(remote->base.loop, &http, ret_http);
        tls_context_unref(http.tls);
        return r < 0 ? err_errno(err, -r, "server %s", place->authority) : 0;
}

static int set_token(struct remote *remote, const char *token) {
        const char *header = token ? arena_printf(remote->arena, "Bearer %s", token) : NULL;

        if (token && !header)
                return -ENOMEM;
        remote->authorization = header;
        return 0;
}

static int make(struct remote *remote, const struct client_remote_config *config, struct err **err) {
        int r = remote_place_find(&remote->place, config->server, err);

        if (r < 0)
                return r;
        remote->arena = arena_new();
        if (remote->arena)
                remote->base.agent = arena_strdup(remote->arena, config->agent ?: "nacelle");
        if (!remote->base.agent || set_token(remote, config->token) < 0)
                return err_set(err, ENOMEM, "no memory for a client");
        return make_http(remote, config, &remote->http, err);
}

int client_remote_new(uv_loop_t *loop, const struct client_remote_config *config, struct client **ret_client,
                      struct err **err) {
        struct remote *remote = calloc(1, sizeof(*remote));
        int r;

        if (!remote)
                return err_set(err, ENOMEM, "no memory for a client");
        remote->base.backend = &backend;
        remote->base.loop = loop;
        r = make(remote, config, err);
        if (r < 0) {
                client_remote_free(&remote->base);
                return r;
        }
        *ret_client = &remote->base;
        return 0;
}

void client_remote_reconnect(struct client *client) {
        http_client_reconnect(remote_of(client)->http);
}

int client_remote_renew(struct client *client, const struct client_remote_config *config, struct err **err) {
        struct remote *remote = remote_of(client);
        struct http_client *old = remote->http, *http;
        int r = make_http(remote, config, &http, err);

        if (r < 0)
                return r;
        if (set_token(remote, config->token) < 0) {
                http_client_free(http);
                return err_set(err, ENOMEM, "no memory for a client");
        }
        remote->http = http;
        http_client_free(old);
        return 0;
}

unsigned client_remote_counts(const struct client *client, const struct client_remote_count **ret_counts,
                              const char **ret_host) {
        const struct remote *remote = (const struct remote *)client;

        *ret_counts = remote->counts;
        *ret_host = remote->place.authority;
        return remote->n_counts;
}

void client_remote_free(struct client *client) {
        struct remote *remote = (struct remote *)client;

        if (!remote)
                return;
        http_client_free(remote->http);
        arena_free(remote->arena);
        free(remote);
}

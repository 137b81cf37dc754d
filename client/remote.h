/* The client of a server elsewhere, over HTTPS: HTTP/2 on one connection where the server has it, JSON, the identity of
 * a client certificate or a token.
 */
#pragma once

#include <uv.h>

#include "client/client.h"

struct err;

#define CLIENT_PAGE 500                         /* objects of a list that are asked for at a time */
#define CLIENT_PAGES_MAX 20000                  /* pages of a list: a server that goes on for ever is left */
#define CLIENT_BODY_MAX ((size_t)8 << 20)       /* bytes of an answer that is no list */
#define CLIENT_WATCH_SECONDS 300                /* of a watch, and up to as much again */
#define CLIENT_KUBECONFIG_MAX ((size_t)1 << 20) /* bytes of a kubeconfig, and of each file that it names */

struct client_remote_config {
        const char *server;            /* https://HOST[:PORT] */
        const char *authorities;       /* PEM: who vouches for it; NULL: whom the system trusts */
        const char *certificate, *key; /* PEM; NULL: none */
        const char *token;             /* NULL: none */
        const char *agent;             /* User-Agent; NULL: "nacelle" */
        bool unverified; /* whoever answers is believed to be the server. With a credential beside it: -EINVAL */
        bool any_time;   /* as struct tls_config has both: */
        int64_t since;   /* the clock is not asked whether the server's certificate counts */
};

/* Connects at the first request; a name of @config->server is looked up here, which may block. All is copied. -EINVAL,
 * -ENOENT (there is no such name), -ENOMEM. */
int client_remote_new(uv_loop_t *loop, const struct client_remote_config *config, struct client **ret_client,
                      struct err **err);

/* Gives up the connections that there are: what is under way fails, and what follows is asked by new ones. */
void client_remote_reconnect(struct client *client);

/* From now on it is who @config says (certificate and key, or token), at the server that it has. What is under way ends
 * with -ECANCELED, and is asked again by who wants it, on a new connection. */
int client_remote_renew(struct client *client, const struct client_remote_config *config, struct err **err);

/* How many requests were answered so, by method and status (0: there was no answer). Lent until the next answer;
 * @ret_host is the server's HOST:PORT. Returns how many there are; pairs beyond that many are counted in none. */
#define CLIENT_REMOTE_COUNTS_MAX 64
struct client_remote_count {
        const char *method; /* a literal */
        int status;
        uint64_t n;
};
unsigned client_remote_counts(const struct client *client, const struct client_remote_count **ret_counts,
                              const char **ret_host);

/* Nothing of it is under way any more, or is told. Memory goes once the loop has closed the handles. NULL is fine. */
void client_remote_free(struct client *client);

/* What @path, a kubeconfig, says of its current context, in @arena; files that it names are read, from where it is.
 * What asks for a program or a provider is refused, as is one without TLS. -EINVAL, -ENOENT, -ENOMEM. Blocks. */
int client_kubeconfig(struct arena *arena, const char *path, struct client_remote_config *ret_config, struct err **err);

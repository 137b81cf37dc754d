/* The controllers: what the cluster does by itself. All run on the loop of one client, each with a queue of its own.
 *
 * A controller is a row (struct controller_kind): what it watches, which keys an object's change makes due, and a
 * function that makes one key's objects as they have to be. That one looks at what informers have, sends what is to be
 * changed, and returns: it never waits. A key is due again when something about it changes, when its function has said
 * so, and, with a back-off, when what it sent has failed. The same rows run in the service's process and, over HTTPS,
 * elsewhere: which of the two is the client's matter.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"

struct auth_keys;
struct controllers;
struct err;
struct kube_registry;
struct node_config;
struct pki_csr;
struct pki_csr_spec;

/* The clients by which controllers write: one each, as a service account of kube-system. */
typedef struct client *(*controllers_client)(void *data, const char *account);

/* Whether changes in @namespace that its quotas were charged for are still on their way. */
typedef bool (*controllers_charged)(void *data, const char *namespace);

/* Signs as pki_csr_sign(). */
typedef int (*controllers_sign)(void *data, const struct pki_csr *csr, const struct pki_csr_spec *spec,
                                const char **ret_pem, struct err **err);

/* Whether the service itself is known by @name, an address or a DNS name. */
typedef bool (*controllers_own_name)(void *data, const char *name);

struct controllers_config {
        struct client *client;        /* by which they look */
        controllers_client client_of; /* NULL: @client writes too */
        void *data;                   /* of client_of, charged, sign, own_name and synced */
        const struct kube_registry *kinds;
        const char *which;                  /* --controllers: "*,-namespace-controller"; NULL: "*" */
        int64_t event_ttl_s;                /* 0: events stay */
        int64_t unused_tokens_s;            /* for how long Secrets' tokens stay that nobody uses; 0: for ever */
        const struct node_config *nodes;    /* NULL: as usual, and no addresses for pods */
        const char *authority;              /* PEM of the cluster's CA; NULL: not published */
        const struct auth_keys *token_keys; /* sign tokens of Secrets; NULL: none are made */
        controllers_sign sign;              /* NULL: no certificates are signed */
        controllers_own_name own_name;      /* NULL: nobody knows */
        controllers_charged charged;        /* NULL: nobody knows */
        void (*synced)(void *data);         /* once all is known that they look at; NULL: nobody asks */
        const char *server;                 /* https://ADDRESS:PORT of cluster-info; NULL: none is kept */
        uint64_t (*now)(void *data);        /* ns, of the monotonic clock; NULL: uv_hrtime() */
        int64_t (*wall)(void *data);        /* s since 1970; NULL: time() */
        void *clock;                        /* data of both */
};

/* Whether @which (NULL: all) names controllers alone: 0, or -EINVAL with the word that names none. */
int controllers_check(const char *which, struct err **err);

/* Errors name what is wrong in @which. Texts of @config, and its objects, outlive the controllers. */
int controllers_new(const struct controllers_config *config, struct controllers **ret_controllers, struct err **err);

/* Begins to watch, and to work once all is known. */
int controllers_start(struct controllers *controllers);

/* Nothing more is begun; then free, when the loop has closed what is theirs. */
void controllers_stop(struct controllers *controllers);
void controllers_free(struct controllers *controllers); /* NULL is fine */

/* What queues came to, by the names of client-go's: from any thread, between new and free. */
struct metrics_writer;
void controllers_write_metrics(const struct controllers *controllers, struct metrics_writer *w);

/* Does what is due now, and sets the timer for the rest; for tests whose clock is their own. */
void controllers_turn(struct controllers *controllers);

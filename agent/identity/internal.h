/* What the files of this room share. Nobody else includes it. */
#pragma once

#include "agent/identity/identity.h"
#include "client/certificate.h"
#include "client/remote.h"
#include "client/signing.h"
#include "lib/pool.h"

enum identity_use { IDENTITY_CLIENT, IDENTITY_SERVING, IDENTITY_USES };

enum holder_state {
        HOLDER_IDLE,      /* nothing is wanted */
        HOLDER_RESTING,   /* the certificate is good until its time */
        HOLDER_PREPARING, /* the key of the next one is being kept */
        HOLDER_ASKING,
        HOLDER_STORING,
        HOLDER_WAITING, /* until it is tried again */
        HOLDER_STATES,
};

/* One certificate, and how the next one comes. */
struct identity_holder {
        struct identity *identity;
        enum identity_use use;
        enum holder_state state;
        char *current, *pending; /* paths */
        char *pem;               /* certificate and key that are in use; NULL: none */
        struct client_life life;
        double share;         /* of a life: then the next one is asked for */
        uint64_t received_ms; /* by the loop's clock, of one that the wall clock does not take; 0: it does */
        unsigned patience_ms;
        uv_timer_t *timer;
        struct client_signing *signing;
        struct holder_work *work; /* under way on the pool */
        char *key, *next;         /* the next one's key; the next one, with its key */
        bool drops_key;           /* the last request is not to be asked again */
};

/* What is done on the pool. Its own memory, since it may outlive the holder. */
struct holder_work {
        struct pool_job job;
        struct identity_holder *holder; /* NULL: nobody waits for it any more */
        struct arena *arena;            /* of the texts */
        const char *directory, *current, *pending;
        const char *pem;                      /* to be stored; NULL: a key is to be made */
        const char *kubeconfig, *config_text; /* to be written behind it; NULL: not */
        bool drops_key;
        const char *key; /* what was made, or found */
        struct err *failure;
};

struct identity {
        struct identity_config config;
        struct arena *arena; /* of the texts */
        struct client *client;
        struct client_remote_config own, bootstrap; /* server NULL: there is none */
        bool known;                                 /* the client is the node's */
        bool managed;                               /* the client certificate is one of our directory */
        bool writes_kubeconfig;
        uint64_t doubted_ms;
        struct identity_holder holders[IDENTITY_USES];
        struct wall *wall;
};

/* holder.c */
int holder_init(struct identity_holder *holder, struct identity *identity, enum identity_use use);
void holder_start(struct identity_holder *holder);
void holder_look(struct identity_holder *holder); /* the clock, or what is wanted, may be another */
bool holder_fits(struct identity_holder *holder); /* its names are those that are wanted */
void holder_renew(struct identity_holder *holder);
void holder_done(struct identity_holder *holder);

/* holder_life.c */
void holder_keep(struct identity_holder *holder, char *pem); /* takes what is on disk */
/* It counts by the wall clock, give or take a day at its beginning. */
bool holder_is_credible(const struct identity_holder *holder);
/* Milliseconds until the next one is needed; 0: now. */
int64_t holder_due_in(const struct identity_holder *holder);
double holder_share(void); /* of a life, by chance */

/* holder_files.c: on the pool. */
void holder_files_prepare(struct pool_job *job);
void holder_files_store(struct pool_job *job);

/* identity.c: the client certificate is another one. */
int identity_use(struct identity *identity, struct err **err);
/* The service has refused the request: another identity may do. */
void identity_refused(struct identity *identity);

/* kubeconfig.c: the text of the node's, in @arena; NULL without memory. */
const char *kubeconfig_text(struct arena *arena, const struct client_remote_config *config, const char *pem_path);

/* wall.c: tells when the wall clock was set. */
int wall_new(uv_loop_t *loop, void (*set)(void *data), void *data, struct wall **ret_wall);
void wall_free(struct wall *wall); /* NULL is fine */

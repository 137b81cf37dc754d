#include "agent/identity/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config/options.h"
#include "agent/identity/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/log.h"

#define AGENT "nacelle-agent/" NACELLE_VERSION

static struct identity_holder *client_of(struct identity *i) {
        return &i->holders[IDENTITY_CLIENT];
}

/* The service's certificate is held to ours, where there is one authority that vouches for both. */
static void set_time(struct client_remote_config *config) {
        struct client_life life = { 0 };

        config->agent = AGENT;
        config->any_time = config->authorities;
        if (config->certificate && client_certificate_life(config->certificate, &life, NULL) == 0)
                config->since = life.begins;
}

int identity_use(struct identity *i, struct err **err) {
        bool first = !i->known;
        int r;

        if (!i->own.server)
                i->own = (struct client_remote_config){ .server = i->bootstrap.server,
                                                        .authorities = i->bootstrap.authorities };
        i->own.certificate = i->own.key = client_of(i)->pem;
        set_time(&i->own);
        if ((r = client_remote_renew(i->client, &i->own, err)) < 0)
                return r;
        i->known = i->managed = true;
        if (first)
                i->config.events.known(i->config.events.data);
        if (first && client_of(i)->identity->holders[IDENTITY_SERVING].current)
                holder_start(&i->holders[IDENTITY_SERVING]);
        return 0;
}

/* A certificate that the service has no use for: the bootstrap's token may still be one. */
void identity_refused(struct identity *i) {
        _cleanup_err_ struct err *err = NULL;

        if (!i->known || !i->bootstrap.server || strcmp(i->bootstrap.server, i->own.server) != 0)
                return;
        log_warning("node %s: the API service does not take its certificate; trying %s", i->config.options->node_name,
                    i->config.options->bootstrap_kubeconfig);
        if (client_remote_renew(i->client, &i->bootstrap, &err) < 0)
                log_error("%s", err_text(err));
}

/* --- what is there at the start --- */

static int read_current(struct identity_holder *h, struct err **err) {
        char *text;
        int r = files_read(h->current, CLIENT_PEM_MAX, &text, NULL, err);

        if (r < 0)
                return r;
        if (!client_certificate_fits(text, text)) {
                free(text);
                return err_set(err, EINVAL, "%s: there is no certificate with its key in it; remove it", h->current);
        }
        holder_keep(h, text);
        return 0;
}

static bool is_there(const char *path) {
        return path && access(path, F_OK) == 0;
}

static int read_bootstrap(struct identity *i, struct err **err) {
        int r = client_kubeconfig(i->arena, i->config.options->bootstrap_kubeconfig, &i->bootstrap, err);

        if (r < 0)
                return err_wrap(err, r, "--bootstrap-kubeconfig");
        set_time(&i->bootstrap);
        return 0;
}

/* The kubeconfig is the node's. What else of it is ours to renew is told by its certificate. */
static int read_own(struct identity *i, struct err **err) {
        const struct options *o = i->config.options;
        struct identity_holder *h = client_of(i);
        int r = client_kubeconfig(i->arena, o->kubeconfig, &i->own, err);

        if (r < 0)
                return err_wrap(err, r, "--kubeconfig");
        set_time(&i->own);
        i->known = true;
        if (o->rotate_certificates && i->own.certificate && read_current(h, NULL) == 0)
                i->managed = strcmp(h->pem, i->own.certificate) == 0;
        if (is_there(o->bootstrap_kubeconfig)) {
                _cleanup_err_ struct err *why = NULL;

                if (read_bootstrap(i, &why) < 0)
                        log_warning("%s", err_text(why));
        }
        return 0;
}

static int read_files(struct identity *i, struct err **err) {
        const struct options *o = i->config.options;
        _cleanup_err_ struct err *why = NULL;
        int r;

        if (is_there(o->kubeconfig) || !o->bootstrap_kubeconfig)
                return read_own(i, err);
        if (!is_there(o->bootstrap_kubeconfig))
                return err_set(
                        err, ENOENT,
                        "--kubeconfig: neither %s is there nor %s (--bootstrap-kubeconfig), with which it would be "
                        "made; `nacelle join` writes it",
                        o->kubeconfig, o->bootstrap_kubeconfig);
        if ((r = read_bootstrap(i, err)) < 0)
                return r;
        i->writes_kubeconfig = true;
        if ((r = read_current(client_of(i), &why)) == -ENOENT || r == -EINVAL)
                return 0;
        return r < 0 ? err_move(err, TAKE_PTR(why)) : 0;
}

static void on_clock(void *data) {
        struct identity *i = data;

        for (size_t n = 0; n < ELEMENTS(i->holders); n++)
                holder_look(&i->holders[n]);
        if (i->config.events.clock)
                i->config.events.clock(i->config.events.data);
}

static int make(struct identity *i, struct err **err) {
        bool serves = i->config.options->rotate_server && i->config.events.names;
        int r;

        if (!(i->arena = arena_new()) || holder_init(client_of(i), i, IDENTITY_CLIENT) < 0 ||
            (serves && holder_init(&i->holders[IDENTITY_SERVING], i, IDENTITY_SERVING) < 0) ||
            wall_new(i->config.loop, on_clock, i, &i->wall) < 0)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = read_files(i, err)) < 0)
                return r;
        if (serves)
                read_current(&i->holders[IDENTITY_SERVING], NULL);
        return client_remote_new(i->config.loop, i->known ? &i->own : &i->bootstrap, &i->client, err);
}

int identity_new(const struct identity_config *config, struct identity **ret_identity, struct err **err) {
        struct identity *i = calloc(1, sizeof(*i));
        int r;

        if (!i)
                return err_set(err, ENOMEM, "out of memory");
        i->config = *config;
        if ((r = make(i, err)) < 0) {
                identity_free(i);
                return r;
        }
        *ret_identity = i;
        return 0;
}

int identity_start(struct identity *i) {
        struct identity_holder *serving = &i->holders[IDENTITY_SERVING];

        if (!i->known || i->managed)
                holder_start(client_of(i));
        if (!i->known)
                return 0;
        i->config.events.known(i->config.events.data);
        if (serving->current)
                holder_start(serving);
        identity_names_changed(i);
        return 0;
}

struct client *identity_client(const struct identity *i) {
        return i->client;
}

void identity_doubt(struct identity *i) {
        uint64_t now = uv_now(i->config.loop);

        if (!i->managed || (i->doubted_ms && now - i->doubted_ms < IDENTITY_DOUBT_MS))
                return;
        i->doubted_ms = now | 1;
        holder_renew(client_of(i));
}

void identity_names_changed(struct identity *i) {
        struct identity_holder *h = &i->holders[IDENTITY_SERVING];

        if (h->current && !holder_fits(h))
                holder_renew(h);
}

const char *identity_serving(const struct identity *i) {
        const struct identity_holder *h = &i->holders[IDENTITY_SERVING];

        return h->pem;
}

void identity_ends(const struct identity *identity, int64_t *ret_client, int64_t *ret_serving) {
        const struct identity_holder *holders = identity->holders;

        *ret_client = holders[IDENTITY_CLIENT].pem ? holders[IDENTITY_CLIENT].life.ends : 0;
        *ret_serving = holders[IDENTITY_SERVING].pem ? holders[IDENTITY_SERVING].life.ends : 0;
}

void identity_free(struct identity *i) {
        if (!i)
                return;
        for (size_t n = 0; n < ELEMENTS(i->holders); n++)
                if (i->holders[n].identity)
                        holder_done(&i->holders[n]);
        client_remote_free(i->client);
        wall_free(i->wall);
        arena_free(i->arena);
        free(i);
}

/* The ways in: the socket, the read-only port, the port. */
#include "agent/kubelet/kubelet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/x509_vfy.h>

#include "agent/kubelet/internal.h"
#include "agent/kubelet/pieces.h"
#include "agent/kubelet/logs.h"
#include "client/remote.h"
#include "cri/state/events.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/handle.h"
#include "lib/listen.h"
#include "lib/log.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"
#include "lib/x509.h"

/* -- the open ways ----------------------------------------------------------------------------------------- */

static int listen_socket(struct kubelet *k, struct err **err) {
        int fd, r;

        if (asprintf(&k->socket, "%s/kubelet.sock", k->world.options->run_dir) < 0) {
                k->socket = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if ((r = listen_unix(k->socket, 0660, &fd, err)) < 0) {
                free(TAKE_PTR(k->socket)); /* it is not ours to remove */
                return r;
        }
        r = http_server_listen(k->readers, fd);
        return r < 0 ? err_errno(err, -r, "cannot listen on %s", k->socket) : 0;
}

static int listen_port(struct http_server *server, const char *address, int port, struct err **err) {
        char text[LISTENER_TEXT_MAX];
        int fd, r = listener_tcp(listener_text(address, (unsigned)port, text), &fd, err);

        if (r < 0)
                return r;
        r = http_server_listen(server, fd);
        return r < 0 ? err_errno(err, -r, "cannot listen on %s", text) : 0;
}

static int make_readers(struct kubelet *k, struct err **err) {
        const struct options *o = k->world.options;
        struct http_server_config config = { .routes = k->reader_routes,
                                             .n_routes = kubelet_routes_of(k, true, k->reader_routes),
                                             .data = k,
                                             .connections_max = KUBELET_READERS_MAX };
        int r;

        if ((r = http_server_new(k->world.loop, &config, &k->readers, err)) < 0 || (r = listen_socket(k, err)) < 0)
                return r;
        if (!o->read_only_port)
                return 0;
        r = listen_port(k->readers, o->server.address ?: "127.0.0.1", o->read_only_port, err);
        return r < 0 ? err_wrap(err, r, "--read-only-port") : 0;
}

/* -- the port ---------------------------------------------------------------------------------------------- */

/* Takes @pem, which is allocated. */
static int trust(struct kubelet *k, char *pem, const char *option, const char *path, struct err **err) {
        int r = pem ? x509_authorities_read(pem, &k->authorities, err) : err_set(err, ENOMEM, "out of memory");

        k->authorities_pem = pem;
        return r < 0 ? err_wrap(err, r, "%s %s", option, path) : 0;
}

/* kubelet wants --client-ca-file named; here those whom the node trusts itself sign clients too. */
static int take_authorities(struct kubelet *k, struct err **err) {
        const struct options *o = k->world.options;
        struct client_remote_config config = { 0 };
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *path;
        char *pem = NULL;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if (o->server.client_ca) {
                r = files_read(o->server.client_ca, X509_AUTHORITIES_MAX, &pem, NULL, err);
                return r < 0 ? err_wrap(err, r, "--client-ca-file") :
                               trust(k, pem, "--client-ca-file", o->server.client_ca, err);
        }
        if (!o->kubeconfig)
                return 0;
        /* Before the node is known there the same authority is in what it joins with. */
        path = o->bootstrap_kubeconfig && access(o->kubeconfig, F_OK) < 0 ? o->bootstrap_kubeconfig : o->kubeconfig;
        if ((r = client_kubeconfig(arena, path, &config, err)) < 0)
                return err_wrap(err, r, "--kubeconfig");
        return config.authorities ? trust(k, strdup(config.authorities), "--kubeconfig", path, err) : 0;
}

int kubelet_use_certificate(struct kubelet *k, const char *certificate, const char *key, struct err **err) {
        static const char *const protocols[] = { "h2", "http/1.1", NULL };
        const struct tls_config config = { .side = TLS_SERVER,
                                           .verify = k->authorities ? TLS_VERIFY_LATER : TLS_VERIFY_NONE,
                                           .certificate = certificate,
                                           .key = key,
                                           .authorities = k->authorities_pem,
                                           .protocols = protocols };
        struct tls_context *tls;
        int r = tls_context_new(&config, &tls, err);

        if (r < 0)
                return r;
        if (k->clients)
                http_server_set_tls(k->clients, tls);
        tls_context_unref(k->tls);
        k->tls = tls;
        return 0;
}

/* One's own is not renewed any more. */
int kubelet_set_certificate(struct kubelet *k, const char *certificate, const char *key, struct err **err) {
        int r;

        if (!k->clients || k->world.options->server.certificate)
                return 0;
        if ((r = kubelet_use_certificate(k, certificate, key, err)) < 0)
                return r;
        handle_free(k->renewal);
        k->renewal = NULL;
        return 0;
}

static int make_reviews(struct kubelet *k, struct err **err) {
        const struct options_server *o = &k->world.options->server;
        const struct kubelet_review_ages ages = { (uint64_t)o->token_ms, (uint64_t)o->allowed_ms,
                                                  (uint64_t)o->denied_ms };

        if (!k->world.client)
                return 0;
        return kubelet_reviews_new(k->world.loop, k->world.client, &ages, &k->reviews) < 0 ?
                       err_set(err, ENOMEM, "out of memory") :
                       0;
}

/* Without an address on those of both families, as far as the host has them. */
static int listen_clients(struct kubelet *k, struct err **err) {
        const struct options_server *o = &k->world.options->server;
        const char *address = o->address ?: "0.0.0.0", *other = strcmp(address, "0.0.0.0") == 0 ? "::" :
                                                                strcmp(address, "::") == 0      ? "0.0.0.0" :
                                                                                                  NULL;
        _cleanup_err_ struct err *lacking = NULL;
        int r = listen_port(k->clients, address, o->port, err);

        if (r < 0)
                return err_wrap(err, r, "--port");
        if (other && listen_port(k->clients, other, o->port, &lacking) < 0)
                log_debug("kubelet's API: %s", err_text(lacking));
        return 0;
}

static int make_clients(struct kubelet *k, struct err **err) {
        struct http_server_config config = { .routes = k->client_routes,
                                             .n_routes = kubelet_routes_of(k, false, k->client_routes),
                                             .data = k,
                                             .connections_max = KUBELET_CLIENTS_MAX };
        int r;

        if ((r = take_authorities(k, err)) < 0 || (r = make_reviews(k, err)) < 0 ||
            (r = kubelet_certificate_begin(k, err)) < 0)
                return r;
        config.tls = k->tls;
        if ((r = http_server_new(k->world.loop, &config, &k->clients, err)) < 0 || (r = listen_clients(k, err)) < 0)
                return r;
        if ((r = cri_subscribe(k->world.cri, kubelet_log_heard, k, &k->heard)) < 0)
                return err_errno(err, -r, "cannot hear cri's events");
        log_info("kubelet's API on port %d", k->world.options->server.port);
        return 0;
}

/* -- life -------------------------------------------------------------------------------------------------- */

int kubelet_new(const struct kubelet_world *world, struct kubelet **ret_kubelet, struct err **err) {
        struct kubelet *k = calloc(1, sizeof(*k));
        _cleanup_err_ struct err *unread = NULL;
        int r = 0;

        if (!k)
                return err_set(err, ENOMEM, "out of memory");
        k->world = *world;
        k->began_ns = time(NULL) * INT64_C(1000000000);
        if (make_readers(k, &unread) < 0)
                log_error("%s", err_text(unread));
        if (world->options->server.port > 0)
                r = make_clients(k, err);
        if (r < 0) {
                kubelet_free(k);
                return r;
        }
        *ret_kubelet = k;
        return 0;
}

static void on_gone(void *data) {
        struct kubelet *k = data;

        if (--k->closing > 0)
                return;
        tls_context_unref(k->tls);
        X509_STORE_free(k->authorities);
        free(k->authorities_pem);
        free(k->socket);
        free(k);
}

/* What is under way finds no kubelet any more, and its exchanges close. */
static void forget_requests(struct kubelet *k) {
        struct kubelet_request *q;

        while ((q = kubelet_requests_pop(&k->requests))) {
                kubelet_log_closed(q);
                kubelet_pieces_closed(q);
                kubelet_waiter_leave(&q->waiter);
                if (q->call)
                        cri_cancel(k->world.cri, q->call);
                q->kubelet = NULL;
        }
}

void kubelet_free(struct kubelet *k) {
        if (!k)
                return;
        if (k->socket)
                unlink(k->socket);
        forget_requests(k);
        kubelet_log_watch_free(k);
        kubelet_volumes_clear(k);
        cri_unsubscribe(k->heard);
        kubelet_reviews_free(k->reviews);
        handle_free(k->renewal);
        k->closing = 1 + !!k->readers + !!k->clients;
        if (k->readers)
                http_server_free(k->readers, on_gone, k);
        if (k->clients)
                http_server_free(k->clients, on_gone, k);
        on_gone(k);
}

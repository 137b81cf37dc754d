#include "images/worker/elsewhere.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/worker/endpoints_internal.h"
#include "images/worker/registry.h"
#include "lib/cleanup.h"
#include "lib/err.h"

void elsewhere_free(struct elsewhere *e) {
        if (!e)
                return;
        free(e->server);
        endpoint_clear(&e->endpoint);
        free(e);
}

static void elsewhere_freep(struct elsewhere **e) {
        elsewhere_free(*e);
}

/* Whether @server is @e's. One asked by plain HTTP may well answer by TLS: what it is told already, it may be told so.
 */
static bool is_at(const struct endpoint *e, const char *server) {
        _cleanup_free_ char *own = image_http_server(e->base);

        return own &&
               (strcmp(own, server) == 0 || (strncmp(own, "http://", 7) == 0 && strncmp(server, "https://", 8) == 0 &&
                                             strcmp(own + 7, server + 8) == 0));
}

/* What files say of the host by its name. */
static int read_own(const struct image_transfer_request *q, struct endpoint *e, struct err **err) {
        bool secret_kept = strncmp(e->base, "https:", 6) == 0 || endpoint_may_be_plain(e->host, q->insecure);
        int r = q->registries ? registries_read_configs(q->registries, e, 1, true, err) : 0;

        if (r < 0 || (q->docker_config && (r = docker_config_read(q->docker_config, "", e, 1, err)) < 0))
                return r;
        if (!secret_kept)
                endpoint_forget_auth(e);
        return 0;
}

static int set_tls(struct endpoint *e, const struct endpoint *from) {
        bool own = e->username || e->identity_token || e->registry_token || e->ca_file || e->cert_file ||
                   e->tls.skip_verify;

        if (!own) {
                if (registry_config_set(&e->ca_file, from->tls.ca_file) < 0)
                        return -ENOMEM;
                e->tls.skip_verify = from->tls.skip_verify;
        }
        e->tls.ca_file = e->ca_file;
        e->tls.cert_file = e->cert_file;
        e->tls.key_file = e->key_file;
        return 0;
}

static int make(const struct image_transfer_request *q, const char *server, const struct endpoint *from,
                struct elsewhere **ret, struct err **err) {
        _cleanup_(elsewhere_freep) struct elsewhere *e = calloc(1, sizeof(*e));
        int r;

        if (!e || !(e->server = strdup(server)) || !(e->endpoint.base = strdup(server)) ||
            !(e->endpoint.host = strdup(strstr(server, "://") + 3)))
                return err_set(err, ENOMEM, "out of memory");
        e->from = from;
        r = read_own(q, &e->endpoint, err);
        if (r < 0)
                return r;
        if (set_tls(&e->endpoint, from) < 0)
                return err_set(err, ENOMEM, "out of memory");
        *ret = TAKE_PTR(e);
        return 0;
}

static int find(struct registry *registry, const char *server, const struct endpoint *from, struct endpoint **ret,
                struct err **err) {
        struct elsewhere **last = &registry->elsewhere[registry->n_elsewhere];
        int r;

        for (size_t i = 0; i < registry->n_elsewhere; i++) {
                struct elsewhere *e = registry->elsewhere[i];

                if (e->from == from && strcmp(e->server, server) == 0) {
                        *ret = &e->endpoint;
                        return 0;
                }
        }
        if (registry->n_elsewhere == REGISTRY_ELSEWHERE_MAX)
                return err_set(err, E2BIG, "%s leads to more than %d servers", from->host, REGISTRY_ELSEWHERE_MAX);
        r = make(registry->request, server, from, last, err);
        if (r < 0)
                return r;
        registry->n_elsewhere++;
        *ret = &(*last)->endpoint;
        return 0;
}

int elsewhere_find(struct registry *registry, struct endpoint *endpoint, const char *url, struct endpoint **ret,
                   struct err **err) {
        _cleanup_free_ char *server = image_http_server(url);
        struct endpoints *own = &registry->endpoints;
        int r;

        if (!server)
                return err_set(err, EPROTO, "%s: \"%.200s\" is no URL", endpoint->host, url);
        if (is_at(endpoint, server)) {
                *ret = endpoint;
                return 0;
        }
        for (size_t i = 0; i < own->count; i++)
                if (is_at(&own->items[i], server)) {
                        *ret = &own->items[i];
                        return 0;
                }
        pthread_mutex_lock(&registry->lock);
        r = find(registry, server, endpoint, ret, err);
        pthread_mutex_unlock(&registry->lock);
        return r;
}

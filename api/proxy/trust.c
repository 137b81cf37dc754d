#include "api/proxy/trust.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/proxy/relay.h"
#include "api/server/server.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/transport/tls.h"

struct proxy {
        pthread_mutex_t lock;        /* of @kubelet */
        struct tls_context *kubelet; /* as --kubelet-certificate-authority has it */
        struct tls_context *anyone;  /* pods, services, other ports of nodes: whose certificates nobody has signed */
        uint64_t kubelet_ms;
        atomic_uint n_relays;
        char *types_text; /* what @types are parts of */
        const char *types[PROXY_ADDRESS_TYPES_MAX];
        size_t n_types;
        struct proxy_relays open[API_LOOPS_MAX + 1]; /* each its loop's */
};

static const char *const known_types[] = { "Hostname", "InternalIP", "ExternalIP", "InternalDNS", "ExternalDNS" };

static bool is_type(const char *text, size_t n) {
        for (size_t i = 0; i < ELEMENTS(known_types); i++)
                if (strlen(known_types[i]) == n && strncmp(known_types[i], text, n) == 0)
                        return true;
        return false;
}

int proxy_check_types(const char *text, struct err **err) {
        size_t n = 0;

        for (const char *at = text;; at++) {
                size_t length = strcspn(at, ",");

                if (!is_type(at, length) || ++n > PROXY_ADDRESS_TYPES_MAX)
                        return err_set(err, EINVAL,
                                       "--kubelet-preferred-address-types %s: give up to %d of Hostname, InternalDNS, "
                                       "InternalIP, ExternalDNS and ExternalIP, with commas between them",
                                       text, PROXY_ADDRESS_TYPES_MAX);
                at += length;
                if (!*at)
                        return 0;
        }
}

static int read_types(struct proxy *proxy, const char *text) {
        char *rest, *type;

        proxy->types_text = rest = strdup(text);
        if (!rest)
                return -ENOMEM;
        while ((type = strsep(&rest, ",")) && proxy->n_types < PROXY_ADDRESS_TYPES_MAX)
                proxy->types[proxy->n_types++] = type;
        return 0;
}

int proxy_new(const struct proxy_config *config, struct proxy **ret_proxy, struct err **err) {
        const struct tls_config any = { .side = TLS_CLIENT, .verify = TLS_VERIFY_NONE, .lenient = true };
        struct proxy *proxy = calloc(1, sizeof(*proxy));
        int r;

        if (!proxy)
                return err_set(err, ENOMEM, "no memory for the ways to nodes");
        pthread_mutex_init(&proxy->lock, NULL);
        proxy->kubelet = tls_context_ref(config->kubelet);
        proxy->kubelet_ms = config->kubelet_ms;
        if ((r = tls_context_new(&any, &proxy->anyone, err)) < 0 ||
            (read_types(proxy, config->address_types) < 0 &&
             (r = err_set(err, ENOMEM, "no memory for the ways to nodes")) < 0))
                proxy_free(proxy);
        else
                *ret_proxy = proxy;
        return r;
}

void proxy_free(struct proxy *proxy) {
        if (!proxy)
                return;
        tls_context_unref(proxy->kubelet);
        tls_context_unref(proxy->anyone);
        pthread_mutex_destroy(&proxy->lock);
        free(proxy->types_text);
        free(proxy);
}

void proxy_set_kubelet_tls(struct proxy *proxy, struct tls_context *tls) {
        struct tls_context *old;

        pthread_mutex_lock(&proxy->lock);
        old = proxy->kubelet;
        proxy->kubelet = tls_context_ref(tls);
        pthread_mutex_unlock(&proxy->lock);
        tls_context_unref(old);
}

struct tls_context *proxy_tls(struct proxy *proxy, const struct proxy_target *target) {
        struct tls_context *tls;

        if (!target->kubelet || target->any_server)
                return tls_context_ref(proxy->anyone);
        pthread_mutex_lock(&proxy->lock);
        tls = tls_context_ref(proxy->kubelet);
        pthread_mutex_unlock(&proxy->lock);
        return tls;
}

uint64_t proxy_patience(const struct proxy *proxy, const struct proxy_target *target) {
        return target->kubelet ? proxy->kubelet_ms : PROXY_CONNECT_MS;
}

const char *const *proxy_address_types(const struct proxy *proxy, size_t *ret_n) {
        *ret_n = proxy->n_types;
        return proxy->types;
}

bool proxy_enter(struct proxy *proxy) {
        if (atomic_fetch_add(&proxy->n_relays, 1) < PROXY_RELAYS_MAX)
                return true;
        proxy_exit(proxy);
        return false;
}

void proxy_exit(struct proxy *proxy) {
        atomic_fetch_sub(&proxy->n_relays, 1);
}

struct proxy_relays *proxy_open(struct proxy *proxy, const struct api_loop *loop) {
        return &proxy->open[loop->number];
}

void proxy_leave(struct api_loop *loop) {
        LIST_EACH (proxy_relays, relay, proxy_open(loop->server->config.proxy, loop))
                proxy_relay_end(relay, -ECANCELED);
}

/* nacelle-api: serves the Kubernetes API. See api/config.h for its command line. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/access.h"
#include "api/bootstrap.h"
#include "api/config.h"
#include "api/discovery/openapi.h"
#include "api/kinds.h"
#include "api/pki/pki.h"
#include "api/rest/rest.h"
#include "api/server/server.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/sigpipe.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"

/* What the server shows and whom it trusts: made at the first start, or given. */
struct credentials {
        struct pki *pki;
        char *certificate, *key, *authorities; /* of files that were given */
};

static void credentials_deinit(struct credentials *c) {
        pki_free(c->pki);
        free(c->certificate);
        free(c->key);
        free(c->authorities);
}

static int open_pki(const struct api_config *c, struct pki **ret_pki, struct err **err) {
        bool any = strcmp(c->bind_address, "0.0.0.0") == 0 || strcmp(c->bind_address, "::") == 0;
        const char *address = any ? "127.0.0.1" : c->bind_address;
        char server[160], host[256] = "localhost", service[64];
        const char *names[] = { address, host, service, NULL };
        struct pki_config config = {
                .directory = c->data_dir, .server = server, .names = names, .domain = "cluster.local"
        };
        int r = api_config_service(c, service, sizeof(service), err);

        if (r < 0)
                return r;
        gethostname(host, sizeof(host) - 1);
        snprintf(server, sizeof(server), strchr(address, ':') ? "https://[%s]:%u" : "https://%s:%u", address, c->port);
        return pki_open(&config, time(NULL), ret_pki, err);
}

static int read_credentials(const struct api_config *c, struct credentials *ret, struct err **err) {
        int r = open_pki(c, &ret->pki, err);

        if (r == 0 && c->certificate)
                r = files_read(c->certificate, TLS_PEM_MAX, &ret->certificate, NULL, err) ?:
                            files_read(c->key, TLS_PEM_MAX, &ret->key, NULL, err);
        if (r == 0 && c->client_ca)
                r = files_read(c->client_ca, TLS_PEM_MAX, &ret->authorities, NULL, err);
        return r;
}

static int make_tls(const struct credentials *c, struct tls_context **ret_tls, struct err **err) {
        static const char *const protocols[] = { "h2", "http/1.1", NULL };
        struct tls_config config = { .side = TLS_SERVER,
                                     .verify = TLS_VERIFY_LATER,
                                     .certificate = c->certificate ?: pki_certificate(c->pki, PKI_SERVING),
                                     .key = c->key ?: pki_key(c->pki, PKI_SERVING),
                                     .authorities = c->authorities ?: pki_certificate(c->pki, PKI_AUTHORITY),
                                     .protocols = protocols };

        return tls_context_new(&config, ret_tls, err);
}

static int listen_on(const struct api_config *c, int *ret_fd, struct err **err) {
        bool six = strchr(c->bind_address, ':');
        char address[128];

        snprintf(address, sizeof(address), six ? "[%s]:%u" : "%s:%u", c->bind_address, c->port);
        return listener_tcp(address, ret_fd, err);
}

static void wait_for_signal(void) {
        sigset_t signals;
        int number;

        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigwait(&signals, &number);
        log_info("%s: leaving", number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static int serve(const struct api_config *c, const struct api_server_config *config, struct err **err) {
        struct api_server_config own = *config;
        struct api_server *server = NULL;
        char address[160];
        int fd, r = listen_on(c, &fd, err);

        if (r < 0)
                return r;
        snprintf(address, sizeof(address), "%s:%d", c->bind_address, listener_port(fd));
        own.address = address;
        r = api_server_new(&own, &server, err);
        if (r < 0) {
                close_fd(fd);
                return r;
        }
        r = api_server_listen(server, fd) ?: api_server_start(server);
        if (r < 0)
                err_errno(err, -r, "cannot serve at %s", address);
        else {
                log_info("nacelle-api %s serves https://%s", NACELLE_VERSION, address);
                wait_for_signal();
        }
        api_server_stop(server);
        api_state_settle(own.state);
        api_server_free(server);
        return r;
}

static int run_with(const struct api_config *c, const struct credentials *credentials, struct err **err) {
        _cleanup_kube_registry_ struct kube_registry *registry = api_kinds_new(err);
        struct api_state_options options = { .directory = c->data_dir, .registry = registry };
        struct api_server_config config = { .registry = registry,
                                            .n_loops = c->loops,
                                            .hooks = { api_watches_start, api_watches_run, api_watches_stop } };
        struct api_access_config access = { .authorities = credentials->authorities ?:
                                                                   pki_certificate(credentials->pki, PKI_AUTHORITY),
                                            .token_key = pki_token_key(credentials->pki) };
        struct api_access *made = NULL;
        int r = registry ? make_tls(credentials, &config.tls, err) : -ENOMEM;

        config.openapi = r == 0 ? api_openapi_new(registry) : NULL;
        if (r == 0 && !config.openapi)
                r = err_set(err, ENOMEM, "no memory for the service");
        r = r ?: api_state_open(&options, &config.state, err);
        r = r ?: api_bootstrap(config.state, err);
        access.state = config.state;
        r = r ?: api_access_new(&access, &made, err);
        config.data = made;
        r = r ?: serve(c, &config, err);
        api_access_free(made);
        api_state_close(config.state);
        api_openapi_free(config.openapi);
        tls_context_unref(config.tls);
        return r;
}

static int run(const struct api_config *c, struct err **err) {
        _cleanup_(credentials_deinit) struct credentials credentials = { 0 };
        int r = files_make_dirs(c->data_dir, 0700, err);

        r = r ?: read_credentials(c, &credentials, err);
        return r ?: run_with(c, &credentials, err);
}

static void block_signals(void) {
        sigset_t signals;

        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv) {
        _cleanup_err_ struct err *err = NULL;
        struct api_config config;

        log_init("api", LOG_LEVEL_INFO);
        if (api_config_parse(argc, argv, &config, &err) < 0) {
                fprintf(stderr, "nacelle-api: %s\n", err_text(err));
                return 2;
        }
        if (config.show_help) {
                fputs(api_config_help(), stdout);
                return 0;
        }
        if (config.show_version) {
                puts("nacelle-api " NACELLE_VERSION);
                return 0;
        }
        log_init("api", config.log_level);
        block_signals();
        if (run(&config, &err) < 0) {
                log_error("%s", err_text(err));
                return 1;
        }
        return 0;
}

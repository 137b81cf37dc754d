/* nacelle-api: serves the Kubernetes API. See api/config.h for its command line. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/bootstrap.h"
#include "api/config.h"
#include "api/kinds.h"
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

static int make_tls(const struct api_config *c, struct tls_context **ret_tls, struct err **err) {
        static const char *const protocols[] = { "h2", "http/1.1", NULL };
        _cleanup_free_ char *chain = NULL, *key = NULL, *authorities = NULL;
        struct tls_config config = { .side = TLS_SERVER, .protocols = protocols };
        int r;

        if (!c->certificate)
                return err_set(err, EINVAL, "give --tls-cert-file and --tls-private-key-file");
        r = files_read(c->certificate, TLS_PEM_MAX, &chain, NULL, err) ?: files_read(c->key, TLS_PEM_MAX, &key, NULL, err);
        if (r == 0 && c->client_ca)
                r = files_read(c->client_ca, TLS_PEM_MAX, &authorities, NULL, err);
        if (r < 0)
                return r;
        config.verify = authorities ? TLS_VERIFY_OPTIONAL : TLS_VERIFY_NONE;
        config.certificate = chain;
        config.key = key;
        config.authorities = authorities;
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

static int serve(const struct api_config *c, const struct kube_registry *registry, struct api_state *state,
                 struct tls_context *tls, struct err **err) {
        struct api_server_config config = {
                .state = state,
                .registry = registry,
                .tls = tls,
                .n_loops = c->loops,
                .hooks = { api_watches_start, api_watches_run, api_watches_stop },
        };
        struct api_server *server = NULL;
        char address[160];
        int fd, port, r = listen_on(c, &fd, err);

        if (r < 0)
                return r;
        port = listener_port(fd);
        snprintf(address, sizeof(address), "%s:%d", c->bind_address, port);
        config.address = address;
        r = api_server_new(&config, &server, err);
        if (r < 0) {
                close_fd(fd);
                return r;
        }
        r = api_server_listen(server, fd);
        r = r ?: api_server_start(server);
        if (r < 0)
                err_errno(err, -r, "cannot serve at %s", address);
        else {
                log_info("nacelle-api %s serves https://%s", NACELLE_VERSION, address);
                wait_for_signal();
        }
        api_server_stop(server);
        api_state_close(state);
        api_server_free(server);
        return r;
}

static int run(const struct api_config *c, struct err **err) {
        _cleanup_kube_registry_ struct kube_registry *registry = api_kinds_new(err);
        struct api_state_options options = { .directory = c->data_dir, .registry = registry };
        struct tls_context *tls = NULL;
        struct api_state *state = NULL;
        int r = registry ? make_tls(c, &tls, err) : -ENOMEM;

        r = r ?: files_make_dirs(c->data_dir, 0700, err);
        r = r ?: api_state_open(&options, &state, err);
        r = r ?: api_bootstrap(state, err);
        if (r == 0)
                r = serve(c, registry, state, tls, err);
        else
                api_state_close(state);
        tls_context_unref(tls);
        return r;
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

/* nacelle-api: serves the Kubernetes API. See api/config.h for its command line. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api/access.h"
#include "api/admission/admission.h"
#include "api/bootstrap.h"
#include "api/chores.h"
#include "api/config.h"
#include "api/credentials.h"
#include "api/discovery/openapi.h"
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

static int listen_on(const struct api_config *c, int *ret_fd, struct err **err) {
        bool six = strchr(c->bind_address, ':');
        char address[128];

        snprintf(address, sizeof(address), six ? "[%s]:%u" : "%s:%u", c->bind_address, c->port);
        return listener_tcp(address, ret_fd, err);
}

static void stop_signals(sigset_t *ret_signals) {
        sigemptyset(ret_signals);
        sigaddset(ret_signals, SIGTERM);
        sigaddset(ret_signals, SIGINT);
}

/* What the main thread does while the loops serve. */
struct service {
        struct api_server *server;
        struct api_credentials *credentials;
        struct api_access *access;
        struct api_chores *chores;
};

static void do_chores(struct api_chores *chores) {
        _cleanup_err_ struct err *err = NULL;

        if (api_chores_run(chores, &err) < 0)
                log_error("%s", err_text(err));
}

/* Until a signal comes, which is blocked. */
static int wait_for_signal(const struct service *s, struct err **err) {
        _cleanup_close_ int timer = -EBADF, signals = -EBADF;
        struct signalfd_siginfo info;
        sigset_t set;
        int r = api_credentials_timer(s->credentials, &timer, err);

        stop_signals(&set);
        signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (r == 0 && signals < 0)
                r = err_errno(err, errno, "cannot wait for signals");
        while (r == 0 && read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
                struct pollfd all[] = { { .fd = signals, .events = POLLIN },
                                        { .fd = timer, .events = POLLIN },
                                        { .fd = api_chores_fd(s->chores), .events = POLLIN } };

                if (poll(all, ELEMENTS(all), -1) <= 0)
                        continue;
                if (all[1].revents)
                        api_credentials_renew(s->credentials, timer, s->server, s->access);
                if (all[2].revents)
                        do_chores(s->chores);
        }
        if (r == 0)
                log_info("%s: leaving", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
        return r;
}

static int serve(const struct api_config *c, const struct api_server_config *config, struct service *s,
                 struct err **err) {
        struct api_server_config own = *config;
        char address[160];
        int fd, r = listen_on(c, &fd, err);

        if (r < 0)
                return r;
        snprintf(address, sizeof(address), "%s:%d", c->bind_address, listener_port(fd));
        own.address = address;
        r = api_server_new(&own, &s->server, err);
        if (r < 0) {
                close_fd(fd);
                return r;
        }
        r = api_server_listen(s->server, fd) ?: api_server_start(s->server);
        if (r < 0)
                err_errno(err, -r, "cannot serve at %s", address);
        else {
                log_info("nacelle-api %s serves https://%s", NACELLE_VERSION, address);
                r = wait_for_signal(s, err);
        }
        api_server_stop(s->server);
        api_state_settle(own.state);
        api_server_free(s->server);
        return r;
}

static void stop_loop(struct api_loop *loop) {
        api_watches_stop(loop);
        api_admission_stop(loop->server->config.admission, loop);
}

static int run_with(const struct api_config *c, struct api_credentials *credentials, struct err **err) {
        _cleanup_kube_registry_ struct kube_registry *registry = api_kinds_new(err);
        struct api_state_options options = { .directory = c->data_dir, .registry = registry };
        struct api_server_config config = { .registry = registry,
                                            .n_loops = c->loops,
                                            .hooks = { api_watches_start, api_watches_run, stop_loop } };
        struct api_access_config access = { .authorities = api_credentials_authorities(credentials),
                                            .token_key = api_credentials_token_key(credentials) };
        struct api_admission_config plugins = { c->enable_admission, c->disable_admission, c->not_ready_s,
                                                c->unreachable_s };
        struct api_chores_config chores = { 0 };
        struct api_admission *admission = NULL;
        struct service service = { .credentials = credentials };
        int r = registry ? api_credentials_tls(credentials, &config.tls, err) : -ENOMEM;

        config.openapi = r == 0 ? api_openapi_new(registry) : NULL;
        if (r == 0 && !config.openapi)
                r = err_set(err, ENOMEM, "no memory for the service");
        r = r ?: api_admission_new(&plugins, &admission, err);
        config.admission = admission;
        r = r ?: api_state_open(&options, &config.state, err);
        r = r ?: api_bootstrap(config.state, err);
        access.state = config.state;
        r = r ?: api_access_new(&access, &service.access, err);
        if (r == 0) {
                config.data = service.access;
                chores.state = config.state;
                chores.roles = api_access_roles(service.access);
                r = api_chores_new(&chores, &service.chores, err) ?: api_chores_run(service.chores, err);
        }
        r = r ?: serve(c, &config, &service, err);
        api_chores_free(service.chores);
        api_access_free(service.access);
        api_admission_free(admission);
        api_state_close(config.state);
        api_openapi_free(config.openapi);
        tls_context_unref(config.tls);
        return r;
}

static int run(const struct api_config *c, struct err **err) {
        struct api_credentials *credentials = NULL;
        int r = files_make_dirs(c->data_dir, 0700, err);

        r = r ?: api_credentials_open(c, &credentials, err);
        r = r ?: run_with(c, credentials, err);
        api_credentials_free(credentials);
        return r;
}

static void block_signals(void) {
        sigset_t signals;

        stop_signals(&signals);
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

/* nacelle-api: serves the Kubernetes API. See api/config.h for its command line. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/access/access.h"
#include "api/access/asks.h"
#include "api/admission/admission.h"
#include "api/advertise.h"
#include "api/audit/audit.h"
#include "api/bootstrap/bootstrap.h"
#include "api/compaction.h"
#include "api/config.h"
#include "api/credentials.h"
#include "api/discovery/openapi.h"
#include "api/kinds.h"
#include "api/manager.h"
#include "api/leave.h"
#include "api/priority/priority.h"
#include "api/proxy/proxy.h"
#include "api/rest/rest.h"
#include "api/server/server.h"
#include "api/services/services.h"
#include "api/state/state.h"
#include "api/usage/usage.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"
#include "store/store.h"

static int listen_on(const char *ip, unsigned port, int *ret_fd, struct err **err) {
        char text[LISTENER_TEXT_MAX];

        return listener_tcp(listener_text(ip, port, text), ret_fd, err);
}

/* Any address is one of either family (kube-apiserver's --bind-address), as far as the host has both. */
static int listen_too(const struct api_config *c, struct api_server *server, unsigned port) {
        _cleanup_err_ struct err *err = NULL;
        const char *other = listener_other_any(c->bind_address);
        int fd, r = other ? listen_on(other, port, &fd, &err) : 0;

        if (r == -EADDRINUSE)
                log_warning("%s: another program has it; the service answers at %s alone", err_text(err),
                            c->bind_address);
        return r < 0 || !other ? 0 : api_server_listen(server, fd);
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
        struct api_keeper *keeper;
};

/* Until a signal comes, which is blocked. */
static int wait_for_signal(const struct api_config *c, const struct service *s, int signals, struct err **err) {
        _cleanup_close_ int timer = -EBADF, compaction = -EBADF;
        struct signalfd_siginfo info;
        int r = api_credentials_timer(s->credentials, &timer, err) ?:
                        api_compaction_timer(c->compaction_ns, &compaction, err);

        while (r == 0 && read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
                struct pollfd all[] = { { .fd = signals, .events = POLLIN },
                                        { .fd = timer, .events = POLLIN },
                                        { .fd = compaction, .events = POLLIN } };

                if (poll(all, ELEMENTS(all), -1) <= 0)
                        continue;
                if (all[1].revents)
                        api_credentials_renew(s->credentials, timer, s->server, s->access, s->keeper);
                if (all[2].revents)
                        api_compaction_run(compaction, s->server->config.state);
        }
        if (r == 0)
                log_info("%s: leaving", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
        return r;
}

static int open_services(const struct api_config *c, int fd, struct api_server_config *own, struct err **err) {
        char advertised[CLUSTER_IP_TEXT_MAX];
        struct api_services_config config = { .state = own->state,
                                              .ranges = c->service_range,
                                              .node_ports = c->node_ports,
                                              .advertised = api_advertised(c, advertised) ? advertised : NULL,
                                              .port = (unsigned)listener_port(fd) };

        int r = api_services_new(&config, &own->services, err);

        if (r == 0)
                own->begun |=
                        API_BEGUN(API_START_ADDRESSES) | API_BEGUN(API_START_SERVICE) | API_BEGUN(API_START_RANGES);
        return r;
}

/* Until it is to end, and to its end. */
static int go_on(const struct api_config *c, const struct service *s, struct err **err) {
        const struct api_leave_times times = { c->shutdown_delay_ns, c->request_timeout_ns };
        _cleanup_close_ int signals = -EBADF;
        sigset_t set;
        int r;

        stop_signals(&set);
        signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signals < 0)
                return err_errno(err, errno, "cannot wait for signals");
        r = wait_for_signal(c, s, signals, err);
        if (r == 0)
                api_leave_server(s->server, &times, signals);
        return r;
}

static int serve(const struct api_config *c, const struct api_server_config *config, struct service *s,
                 struct err **err) {
        struct api_server_config own = *config;
        struct api_manager *manager = NULL;
        char address[LISTENER_TEXT_MAX];
        unsigned port;
        int fd, r = listen_on(c->bind_address, c->port, &fd, err);

        if (r < 0)
                return r;
        r = open_services(c, fd, &own, err);
        if (r < 0) {
                close_fd(fd);
                return r;
        }
        port = (unsigned)listener_port(fd);
        own.address = listener_text(c->bind_address, port, address);
        r = api_server_new(&own, &s->server, err);
        if (r < 0) {
                close_fd(fd);
                api_services_free(own.services);
                return r;
        }
        r = api_server_listen(s->server, fd) ?: listen_too(c, s->server, port) ?: api_server_start(s->server);
        if (r < 0)
                err_errno(err, -r, "cannot serve at %s", address);
        else {
                log_info("nacelle-api %s serves https://%s", NACELLE_VERSION, address);
                r = api_manager_start(c, s->credentials, s->server, &manager, err) ?: go_on(c, s, err);
        }
        api_manager_stop(manager);
        api_server_stop(s->server);
        api_state_settle(own.state);
        api_server_free(s->server);
        api_manager_free(manager);
        api_services_free(own.services);
        return r;
}

static struct api_limits limits_of(const struct api_config *c) {
        return (struct api_limits){ .in_flight = { [API_LOAD_READ] = c->reads_max, [API_LOAD_WRITE] = c->writes_max },
                                    .timeout_ms = (uint64_t)(c->request_timeout_ns / 1000000) ?: 1,
                                    .goaway_chance = c->goaway_chance };
}

/* *@ret_audit stays NULL where none is asked for. */
static int open_audit(const struct api_config *c, struct audit **ret_audit, struct err **err) {
        const struct audit_log_config log = { c->audit_log, c->audit_max_mib, c->audit_max_files, c->audit_max_days };
        struct audit_policy *policy = NULL;
        struct audit_log *file = NULL;
        int r;

        if (!c->audit_policy)
                return 0;
        r = audit_policy_load(c->audit_policy, &policy, err);
        if (r < 0)
                return r;
        r = audit_log_open(&log, &file, err);
        if (r < 0) {
                audit_policy_free(policy);
                return r;
        }
        *ret_audit = audit_new(file, policy);
        return *ret_audit ? 0 : err_set(err, ENOMEM, "no memory for the audit log");
}

static void leave_loop(struct api_loop *loop) {
        api_watches_leave(loop);
        proxy_leave(loop);
}

static int open_proxy(const struct api_config *c, const struct api_credentials *credentials, struct proxy **ret_proxy,
                      struct err **err) {
        struct proxy_config config = { .address_types = c->kubelet_types,
                                       .kubelet_ms = (uint64_t)(c->kubelet_timeout_ns / 1000000) ?: 1 };
        int r = api_credentials_kubelet_tls(credentials, &config.kubelet, err);

        if (r < 0)
                return r;
        r = proxy_new(&config, ret_proxy, err);
        tls_context_unref(config.kubelet);
        return r;
}

static void stop_loop(struct api_loop *loop) {
        api_watches_stop(loop);
        api_admission_stop(loop->server->config.admission, loop);
}

static void end_request(struct api_request *r) {
        audit_ended(r);
        api_admission_ended(r);
}

/* What the server stands on. */
struct parts {
        struct api_server_config config;
        struct service service;
        struct api_admission *admission;
};

static int open_state(const struct api_config *c, struct parts *p, struct err **err) {
        const struct api_state_options options = { .directory = c->data_dir, .registry = p->config.registry };
        int r = api_state_open(&options, &p->config.state, err);

        if (r < 0)
                return r;
        p->config.begun |= API_BEGUN(API_START_STATE);
        p->config.usage = api_usage_new(p->config.state);
        if (!p->config.usage)
                return err_set(err, ENOMEM, "no memory for the service");
        if ((r = api_bootstrap(p->config.state, err)) < 0)
                return r;
        p->config.begun |= API_BEGUN(API_START_ROLES) | API_BEGUN(API_START_CLASSES);
        if ((r = priority_new(p->config.state, &p->config.priority, err)) < 0)
                return r;
        p->config.begun |= API_BEGUN(API_START_FLOWS) | API_BEGUN(API_START_CLASSIFIES);
        r = api_keeper_new(p->config.state, api_credentials_authorities(p->service.credentials), &p->service.keeper,
                           err);
        if (r == 0)
                p->config.begun |=
                        API_BEGUN(API_START_NAMESPACES) | API_BEGUN(API_START_TRUST) | API_BEGUN(API_START_TRACKING);
        return r;
}

static int open_access(const struct api_config *c, struct parts *p, struct err **err) {
        const struct api_access_config access = { .authorities = api_credentials_authorities(p->service.credentials),
                                                  .token_key = api_credentials_token_key(p->service.credentials),
                                                  .extend_tokens = c->extend_tokens,
                                                  .state = p->config.state };
        int r = api_access_new(&access, &p->service.access, err);

        p->config.data = p->service.access;
        p->config.asks = &api_asks;
        return r;
}

static int open_parts(const struct api_config *c, struct parts *p, struct err **err) {
        const struct api_admission_config plugins = { c->enable_admission, c->disable_admission, c->not_ready_s,
                                                      c->unreachable_s };
        struct api_credentials *credentials = p->service.credentials;
        int r;

        if ((r = api_credentials_tls(credentials, &p->config.tls, err)) < 0 ||
            (r = open_proxy(c, credentials, &p->config.proxy, err)) < 0 ||
            (r = open_audit(c, &p->config.audit, err)) < 0)
                return r;
        p->config.openapi = api_openapi_new(p->config.registry);
        if (!p->config.openapi)
                return err_set(err, ENOMEM, "no memory for the service");
        if ((r = api_admission_new(&plugins, &p->admission, err)) < 0)
                return r;
        p->config.admission = p->admission;
        if ((r = open_state(c, p, err)) < 0)
                return r;
        return open_access(c, p, err);
}

static void close_parts(struct parts *p) {
        api_usage_free(p->config.usage);
        api_access_free(p->service.access);
        api_admission_free(p->admission);
        proxy_free(p->config.proxy);
        audit_free(p->config.audit);
        api_keeper_free(p->service.keeper);
        priority_free(p->config.priority);
        api_state_close(p->config.state);
        api_openapi_free(p->config.openapi);
        tls_context_unref(p->config.tls);
}

static int run_with(const struct api_config *c, struct api_credentials *credentials, struct err **err) {
        _cleanup_kube_registry_ struct kube_registry *registry = api_kinds_new(err);
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_(close_parts) struct parts p = { .config = { .registry = registry,
                                                              .n_loops = c->loops,
                                                              .limits = limits_of(c),
                                                              .hooks = { .start = api_watches_start,
                                                                         .woken = api_watches_run,
                                                                         .stop = stop_loop,
                                                                         .leave = leave_loop,
                                                                         .answered = audit_answered,
                                                                         .ended = end_request } },
                                                  .service = { .credentials = credentials } };
        int r;

        if (!registry || !arena || api_config_flags(c, arena, &p.config.flags) < 0)
                return -ENOMEM;
        r = open_parts(c, &p, err);
        return r < 0 ? r : serve(c, &p.config, &p.service, err);
}

static int run(const struct api_config *c, struct err **err) {
        struct api_credentials *credentials = NULL;
        int r = files_make_dirs(c->data_dir, 0700, err);

        if (r < 0 || (r = api_credentials_open(c, &credentials, err)) < 0)
                return r;
        r = run_with(c, credentials, err);
        api_credentials_free(credentials);
        return r;
}

static void block_signals(void) {
        sigset_t signals;

        stop_signals(&signals);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
}

static int obey(const struct api_config *c, struct err **err) {
        switch (c->command) {
        case API_BACKUP:
                return store_backup_of(c->data_dir, c->file, err);
        case API_RESTORE:
                return store_restore(c->file, c->data_dir, err);
        default:
                block_signals();
                return run(c, err);
        }
}

/* The exit code. */
static int start(int argc, char **argv, struct api_config *config) {
        _cleanup_err_ struct err *err = NULL;

        if (api_config_parse(argc, argv, config, &err) < 0) {
                fprintf(stderr, "nacelle-api: %s\n", err_text(err));
                return 2;
        }
        if (config->show_help || config->show_version) {
                fputs(config->show_help ? api_config_help() : "nacelle-api " NACELLE_VERSION "\n", stdout);
                return 0;
        }
        log_init("api", config->log_level);
        if (obey(config, &err) < 0) {
                log_error("%s", err_text(err));
                return 1;
        }
        return 0;
}

int main(int argc, char **argv) {
        struct api_config config = { 0 };
        int code;

        umask(0077); /* objects are secrets, and so are keys */
        log_init("api", LOG_LEVEL_INFO);
        code = start(argc, argv, &config);
        api_config_deinit(&config);
        return code;
}

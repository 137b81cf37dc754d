/* Probes and lifecycle handlers. */

#include "kube/validate/pod_rules.h"

/* What a probe or a hook does: of these one. */
struct handler {
        const struct kube_exec_action *exec;
        const struct kube_http_get_action *http_get;
        const struct kube_tcp_socket_action *tcp_socket;
        const struct kube_grpc_action *grpc;
        const struct kube_sleep_action *sleep;
};

void validate_port_or_name(struct validation *v, const struct place *at, const struct int_or_string *port) {
        if (port->text)
                validate_name(v, at, NAME_PORT, port->text);
        else
                validate_port(v, at, port->number);
}

static void check_http(struct validation *v, const struct place *at, const struct kube_http_get_action *get) {
        if (!get->path || !*get->path)
                validate_required(v, FIELD(at, "path"), "");
        validate_port_or_name(v, FIELD(at, "port"), &get->port);
        validate_choice(v, FIELD(at, "scheme"), get->scheme, POD_TEXTS("HTTP", "HTTPS"));
        list_for_each (header, &get->http_headers)
                validate_name(v, FIELD(at, "httpHeaders"), NAME_HEADER, header->name);
}

static void check_sleep(struct validation *v, const struct place *at, const struct kube_sleep_action *sleep,
                        const struct opt_int *grace) {
        if (grace->set && (sleep->seconds < 0 || sleep->seconds > grace->value))
                validate_invalid_int(
                        v, at, sleep->seconds,
                        validate_text(v, "must be non-negative and less than terminationGracePeriodSeconds (%lld)",
                                      (long long)grace->value));
}

/* True when it is the first; all others are refused. */
static bool is_first(struct validation *v, const struct place *at, const void *action, unsigned *n) {
        if (!action)
                return false;
        if ((*n)++ == 0)
                return true;
        validate_forbidden(v, at, "may not specify more than 1 handler type");
        return false;
}

static void check_handler(struct validation *v, const struct place *at, const struct handler *h,
                          const struct opt_int *grace) {
        unsigned n = 0;

        if (is_first(v, FIELD(at, "exec"), h->exec, &n) && h->exec->command.count == 0)
                validate_required(v, FIELD(FIELD(at, "exec"), "command"), "");
        if (is_first(v, FIELD(at, "httpGet"), h->http_get, &n))
                check_http(v, FIELD(at, "httpGet"), h->http_get);
        if (is_first(v, FIELD(at, "tcpSocket"), h->tcp_socket, &n))
                validate_port_or_name(v, FIELD(FIELD(at, "tcpSocket"), "port"), &h->tcp_socket->port);
        if (is_first(v, FIELD(at, "grpc"), h->grpc, &n))
                validate_port(v, FIELD(FIELD(at, "grpc"), "port"), h->grpc->port);
        if (is_first(v, FIELD(at, "sleep"), h->sleep, &n))
                check_sleep(v, FIELD(at, "sleep"), h->sleep, grace);
        if (n == 0)
                validate_required(v, at, "must specify a handler type");
}

/* --- probes --- */

static void check_probe(struct validation *v, const struct place *at, const struct kube_probe *p) {
        const struct opt_int none = { 0 };

        check_handler(v, at, &(struct handler){ p->exec, p->http_get, p->tcp_socket, p->grpc, NULL }, &none);
        validate_not_negative(v, FIELD(at, "initialDelaySeconds"), p->initial_delay_seconds);
        validate_not_negative(v, FIELD(at, "timeoutSeconds"), p->timeout_seconds);
        validate_not_negative(v, FIELD(at, "periodSeconds"), p->period_seconds);
        validate_not_negative(v, FIELD(at, "successThreshold"), p->success_threshold);
        validate_not_negative(v, FIELD(at, "failureThreshold"), p->failure_threshold);
        if (p->termination_grace_period_seconds.set && p->termination_grace_period_seconds.value <= 0)
                validate_invalid_int(v, FIELD(at, "terminationGracePeriodSeconds"),
                                     p->termination_grace_period_seconds.value, "must be greater than 0");
}

/* Of those that end a container one success is enough. */
static void check_deadly_probe(struct validation *v, const struct place *at, const struct kube_probe *p) {
        if (!p)
                return;
        check_probe(v, at, p);
        if (p->success_threshold != 1)
                validate_invalid_int(v, FIELD(at, "successThreshold"), p->success_threshold, "must be 1");
}

static void check_readiness(struct validation *v, const struct place *at, const struct kube_probe *p) {
        if (!p)
                return;
        check_probe(v, at, p);
        if (p->termination_grace_period_seconds.set)
                validate_invalid_int(v, FIELD(at, "terminationGracePeriodSeconds"),
                                     p->termination_grace_period_seconds.value, "must not be set for readinessProbes");
}

/* --- lifecycle --- */

static const char *const signals[] = {
        "SIGABRT",     "SIGALRM",     "SIGBUS",      "SIGCHLD",     "SIGCLD",      "SIGCONT",     "SIGFPE",
        "SIGHUP",      "SIGILL",      "SIGINT",      "SIGIO",       "SIGIOT",      "SIGKILL",     "SIGPIPE",
        "SIGPOLL",     "SIGPROF",     "SIGPWR",      "SIGQUIT",     "SIGRTMAX",    "SIGRTMAX-1",  "SIGRTMAX-10",
        "SIGRTMAX-11", "SIGRTMAX-12", "SIGRTMAX-13", "SIGRTMAX-14", "SIGRTMAX-2",  "SIGRTMAX-3",  "SIGRTMAX-4",
        "SIGRTMAX-5",  "SIGRTMAX-6",  "SIGRTMAX-7",  "SIGRTMAX-8",  "SIGRTMAX-9",  "SIGRTMIN",    "SIGRTMIN+1",
        "SIGRTMIN+10", "SIGRTMIN+11", "SIGRTMIN+12", "SIGRTMIN+13", "SIGRTMIN+14", "SIGRTMIN+15", "SIGRTMIN+2",
        "SIGRTMIN+3",  "SIGRTMIN+4",  "SIGRTMIN+5",  "SIGRTMIN+6",  "SIGRTMIN+7",  "SIGRTMIN+8",  "SIGRTMIN+9",
        "SIGSEGV",     "SIGSTKFLT",   "SIGSTOP",     "SIGSYS",      "SIGTERM",     "SIGTRAP",     "SIGTSTP",
        "SIGTTIN",     "SIGTTOU",     "SIGURG",      "SIGUSR1",     "SIGUSR2",     "SIGVTALRM",   "SIGWINCH",
        "SIGXCPU",     "SIGXFSZ",     NULL
};

static void check_stop_signal(struct validation *v, const struct place *at, const char *signal,
                              const struct kube_pod_os *os) {
        if (!os)
                validate_forbidden(v, at, "may not be set for containers with empty `spec.os.name`");
        else if (kube_is(os->name, "windows"))
                validate_choice(v, at, signal, POD_TEXTS("SIGKILL", "SIGTERM"));
        else if (kube_is(os->name, "linux"))
                validate_choice(v, at, signal, signals);
}

static void check_hook(struct validation *v, const struct place *at, const struct kube_lifecycle_handler *h,
                       const struct opt_int *grace) {
        if (h)
                check_handler(v, at, &(struct handler){ h->exec, h->http_get, h->tcp_socket, NULL, h->sleep }, grace);
}

void validate_probes(struct validation *v, const struct place *at, const struct kube_container *container,
                     const struct pod_case *c) {
        const struct kube_lifecycle *l = container->lifecycle;
        const struct place *lifecycle = FIELD(at, "lifecycle");

        if (l) {
                check_hook(v, FIELD(lifecycle, "postStart"), l->post_start, &c->spec->termination_grace_period_seconds);
                check_hook(v, FIELD(lifecycle, "preStop"), l->pre_stop, &c->spec->termination_grace_period_seconds);
                if (l->stop_signal)
                        check_stop_signal(v, FIELD(lifecycle, "stopSignal"), l->stop_signal, c->spec->os);
        }
        check_deadly_probe(v, FIELD(at, "livenessProbe"), container->liveness_probe);
        check_readiness(v, FIELD(at, "readinessProbe"), container->readiness_probe);
        check_deadly_probe(v, FIELD(at, "startupProbe"), container->startup_probe);
}

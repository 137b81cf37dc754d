#include "kube/check/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const stop_signals[] = {
        "SIGABRT", "SIGALRM", "SIGBUS",   "SIGCHLD",   "SIGCLD",  "SIGCONT", "SIGFPE",    "SIGHUP",
        "SIGILL",  "SIGINT",  "SIGIO",    "SIGIOT",    "SIGKILL", "SIGPIPE", "SIGPOLL",   "SIGPROF",
        "SIGPWR",  "SIGQUIT", "SIGSEGV",  "SIGSTKFLT", "SIGSTOP", "SIGSYS",  "SIGTERM",   "SIGTRAP",
        "SIGTSTP", "SIGTTIN", "SIGTTOU",  "SIGURG",    "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGWINCH",
        "SIGXCPU", "SIGXFSZ", "SIGRTMIN", "SIGRTMAX",  NULL,
};

static void check_port(struct check *c, const struct kube_container *container, const struct int_or_string *port) {
        if (!port->text) {
                if (port->number < 1 || port->number > 65535)
                        check_invalid_int(c, ".port", port->number, "must be between 1 and 65535, inclusive");
                return;
        }
        check_name_if(c, ".port", NAME_PORT, port->text);
        if (!name_problem(NAME_PORT, port->text) && pod_resolve_port(container, port) == 0) {
                size_t before = TRAIL_ENTER(c, ".port");

                problem_warning(c->problems, c->path,
                                "no port of container %.64s is named \"%.64s\"; it fails until "
                                "there is one",
                                container->name ?: "", port->text);
                TRAIL_LEAVE(c, before);
        }
}

static void check_http_get(struct check *c, const struct kube_container *container,
                           const struct kube_http_get_action *get) {
        static const char *const schemes[] = { "HTTP", "HTTPS", NULL };
        size_t before = TRAIL_ENTER(c, ".httpGet");

        if (strcmp(get->scheme, schemes[0]) != 0 && strcmp(get->scheme, schemes[1]) != 0)
                check_unsupported(c, ".scheme", get->scheme, schemes);
        if (!get->path)
                check_required(c, ".path", "");
        check_port(c, container, &get->port);
        list_for_each (header, &get->http_headers)
                check_name_if(c, ".httpHeaders", NAME_HEADER, header->name ?: "");
        TRAIL_LEAVE(c, before);
}

static void check_sleep(struct check *c, const struct kube_sleep_action *sleep) {
        int64_t grace = c->pod->spec.termination_grace_period_seconds.value;
        char text[128];

        if (sleep->seconds >= 0 && sleep->seconds <= grace)
                return;
        snprintf(text, sizeof(text), "must be non-negative and less than terminationGracePeriodSeconds (%" PRId64 ")",
                 grace);
        check_invalid_int(c, ".sleep", sleep->seconds, text);
}

/* Every kind of handler; those that a place does not have are NULL. */
struct handler {
        const struct kube_exec_action *exec;
        const struct kube_http_get_action *http_get;
        const struct kube_tcp_socket_action *tcp_socket;
        const struct kube_grpc_action *grpc;
        const struct kube_sleep_action *sleep;
};

static void check_one_handler(struct check *c, const struct handler *h) {
        const struct {
                const char *name;
                const void *given;
        } kinds[] = {
                { ".exec", h->exec }, { ".httpGet", h->http_get }, { ".tcpSocket", h->tcp_socket },
                { ".grpc", h->grpc }, { ".sleep", h->sleep },
        };
        bool one = false;

        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                if (kinds[i].given && one)
                        check_forbidden(c, kinds[i].name, "may not specify more than 1 handler type");
                one |= kinds[i].given != NULL;
        }
        if (!one)
                check_required(c, "", "must specify a handler type");
}

static void check_handler(struct check *c, const struct kube_container *container, const struct handler *h) {
        size_t before;

        check_one_handler(c, h);
        if (h->exec && h->exec->command.count == 0)
                check_required(c, ".exec.command", "");
        if (h->http_get)
                check_http_get(c, container, h->http_get);
        if (h->tcp_socket) {
                before = TRAIL_ENTER(c, ".tcpSocket");
                check_port(c, container, &h->tcp_socket->port);
                TRAIL_LEAVE(c, before);
        }
        if (h->grpc) {
                before = TRAIL_ENTER(c, ".grpc");
                check_port(c, container, &(struct int_or_string){ .number = h->grpc->port });
                TRAIL_LEAVE(c, before);
        }
        if (h->sleep)
                check_sleep(c, h->sleep);
}

static void check_probe(struct check *c, const struct kube_container *container, const struct kube_probe *p,
                        const char *child, bool readiness) {
        struct handler handler;
        size_t before;

        if (!p)
                return;
        before = TRAIL_ENTER(c, "%s", child);
        handler = (struct handler){ p->exec, p->http_get, p->tcp_socket, p->grpc, NULL };
        check_handler(c, container, &handler);
        check_not_negative(c, ".initialDelaySeconds", p->initial_delay_seconds);
        check_not_negative(c, ".timeoutSeconds", p->timeout_seconds);
        check_not_negative(c, ".periodSeconds", p->period_seconds);
        check_not_negative(c, ".successThreshold", p->success_threshold);
        check_not_negative(c, ".failureThreshold", p->failure_threshold);
        if (p->termination_grace_period_seconds.set && readiness)
                check_invalid_int(c, ".terminationGracePeriodSeconds", p->termination_grace_period_seconds.value,
                                  "must not be set for readinessProbes");
        else if (p->termination_grace_period_seconds.set && p->termination_grace_period_seconds.value <= 0)
                check_invalid_int(c, ".terminationGracePeriodSeconds", p->termination_grace_period_seconds.value,
                                  "must be greater than 0");
        if (!readiness && p->success_threshold != 1)
                check_invalid_int(c, ".successThreshold", p->success_threshold, "must be 1");
        TRAIL_LEAVE(c, before);
}

static void check_hook(struct check *c, const struct kube_container *container, const struct kube_lifecycle_handler *h,
                       const char *child) {
        struct handler handler;
        size_t before;

        if (!h)
                return;
        before = TRAIL_ENTER(c, "%s", child);
        handler = (struct handler){ h->exec, h->http_get, h->tcp_socket, NULL, h->sleep };
        check_handler(c, container, &handler);
        TRAIL_LEAVE(c, before);
}

/* SIGRTMIN+1 to +15 and SIGRTMAX-1 to -14 as well. */
static bool is_stop_signal(const char *name) {
        unsigned n;
        char end;

        for (size_t i = 0; stop_signals[i]; i++)
                if (strcmp(stop_signals[i], name) == 0)
                        return true;
        return (sscanf(name, "SIGRTMIN+%2u%c", &n, &end) == 1 && n >= 1 && n <= 15) ||
               (sscanf(name, "SIGRTMAX-%2u%c", &n, &end) == 1 && n >= 1 && n <= 14);
}

static void check_stop_signal(struct check *c, const char *name) {
        if (!c->pod->spec.os)
                check_forbidden(c, ".stopSignal", "may not be set for containers with empty `spec.os.name`");
        else if (!is_stop_signal(name))
                check_unsupported(c, ".stopSignal", name, stop_signals);
}

void check_probes(struct check *c, const struct kube_container *container) {
        check_probe(c, container, container->liveness_probe, ".livenessProbe", false);
        check_probe(c, container, container->readiness_probe, ".readinessProbe", true);
        check_probe(c, container, container->startup_probe, ".startupProbe", false);
        if (container->lifecycle) {
                size_t before = TRAIL_ENTER(c, ".lifecycle");

                check_hook(c, container, container->lifecycle->post_start, ".postStart");
                check_hook(c, container, container->lifecycle->pre_stop, ".preStop");
                if (container->lifecycle->stop_signal)
                        check_stop_signal(c, container->lifecycle->stop_signal);
                TRAIL_LEAVE(c, before);
        }
}

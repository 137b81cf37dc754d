/* A container's probes: probes/schedule.h told of time and results, and what its verdicts lead to
 * (pkg/kubelet/prober). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/container/internal.h"
#include "lib/cleanup.h"

static const char *const names[PROBERS] = {
        [SCHEDULE_LIVENESS] = "Liveness",
        [SCHEDULE_READINESS] = "Readiness",
        [SCHEDULE_STARTUP] = "Startup",
};

static const struct kube_probe *spec_of(const struct kube_container *c, int kind) {
        return kind == SCHEDULE_LIVENESS  ? c->liveness_probe :
               kind == SCHEDULE_READINESS ? c->readiness_probe :
                                            c->startup_probe;
}

void probers_init(struct member *m) {
        for (int i = 0; i < PROBERS; i++) {
                struct prober *p = &m->probers[i];

                p->member = m;
                if (m->role == MEMBER_INIT || !(p->spec = spec_of(m->spec, i)))
                        continue;
                probe_schedule_init(&p->schedule, (enum schedule_kind)i,
                                    &(struct schedule_timing){
                                            .initial_delay = (uint32_t)p->spec->initial_delay_seconds,
                                            .period = (uint32_t)p->spec->period_seconds,
                                            .success_threshold = (uint32_t)p->spec->success_threshold,
                                            .failure_threshold = (uint32_t)p->spec->failure_threshold,
                                    });
        }
}

void probers_update(struct member *m) {
        for (int i = 0; i < PROBERS; i++)
                if (m->probers[i].spec)
                        m->probers[i].spec = spec_of(m->spec, i);
}

static void cancel(struct prober *p) {
        const struct node_world *world = p->member->host->world;

        if (p->probe)
                world->ops->probe_cancel(world->data, p->probe);
        p->probe = NULL;
        p->exec = false;
        p->round++;
}

void probers_begin(struct member *m, int64_t started_at, bool take_up) {
        bool gated = m->probers[SCHEDULE_STARTUP].spec != NULL;

        for (int i = 0; i < PROBERS; i++) {
                struct prober *p = &m->probers[i];

                if (!p->spec)
                        continue;
                cancel(p);
                probe_schedule_begin(&p->schedule, node_now(m->host->world), started_at, gated, take_up,
                                     (uint32_t)rand());
        }
        m->started = !gated && (take_up || m->state == MEMBER_RUNNING);
        m->ready = !gated && !m->probers[SCHEDULE_READINESS].spec;
}

void probers_stop(struct member *m) {
        for (int i = 0; i < PROBERS; i++)
                if (m->probers[i].spec) {
                        cancel(&m->probers[i]);
                        probe_schedule_stop(&m->probers[i].schedule);
                }
}

void member_end_probes(struct member *m) {
        for (int i = 0; i < PROBERS; i++)
                if (m->probers[i].spec)
                        probe_schedule_end(&m->probers[i].schedule);
}

void member_each_probe(const struct member *m,
                       void (*each)(void *data, const struct member *member, const struct member_probe *probe),
                       void *data) {
        for (int i = 0; i < PROBERS; i++)
                if (m->probers[i].spec)
                        each(data, m, &(struct member_probe){ names[i], m->probers[i].results, &m->probers[i].times });
}

/* Those of Prometheus' client library for Go. */
const double member_probe_buckets[MEMBER_PROBE_BUCKETS] = {
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
};

static void count_time(struct prober *p) {
        double seconds = (double)(uv_hrtime() - p->began) * 1e-9;
        unsigned bucket = 0;

        while (bucket < MEMBER_PROBE_BUCKETS && seconds > member_probe_buckets[bucket])
                bucket++;
        p->times.counts[bucket]++;
        p->times.sum += seconds;
}

static void condemn(struct member *m, const struct prober *p, const char *reason) {
        const struct opt_int *own = &p->spec->termination_grace_period_seconds;

        member_condemn(m, reason, own->set ? own->value : m->host->ops->grace(m->host->data));
}

static void open_others(struct member *m) {
        m->started = true;
        for (int i = 0; i < PROBERS; i++)
                if (m->probers[i].spec)
                        probe_schedule_open(&m->probers[i].schedule, node_now(m->host->world));
        m->ready = !m->probers[SCHEDULE_READINESS].spec;
}

/* What a verdict means for the container. */
static void apply(struct prober *p) {
        struct member *m = p->member;
        bool success = p->schedule.value == VALUE_IS_SUCCESS;

        switch (p->schedule.kind) {
        case SCHEDULE_READINESS:
                m->ready = success;
                break;
        case SCHEDULE_STARTUP:
                if (success && !m->started)
                        open_others(m);
                else if (p->schedule.value == VALUE_IS_FAILURE)
                        condemn(m, p, "startup");
                break;
        case SCHEDULE_LIVENESS:
                if (p->schedule.value == VALUE_IS_FAILURE)
                        condemn(m, p, "liveness");
                break;
        }
}

static void take_result(struct prober *p, enum probe_outcome outcome, const char *message) {
        struct member *m = p->member;
        const char *name = names[p->schedule.kind];

        p->probe = NULL;
        p->exec = false;
        p->results[outcome == PROBE_FAILURE ? MEMBER_PROBE_FAILED :
                   outcome == PROBE_UNKNOWN ? MEMBER_PROBE_UNKNOWN :
                                              MEMBER_PROBE_SUCCESSFUL]++;
        if (outcome != PROBE_FAILURE)
                count_time(p);
        if (outcome == PROBE_FAILURE)
                member_say(m, true, "Unhealthy", "%s probe failed: %s", name, message);
        else if (outcome == PROBE_UNKNOWN)
                member_say(m, true, "Unhealthy", "%s probe errored and resulted in unknown state: %s", name, message);
        else if (outcome == PROBE_WARNING)
                member_say(m, true, "ProbeWarning", "%s probe warning: %s", name, message);
        if (probe_schedule_result(&p->schedule, node_now(m->host->world), outcome)) {
                apply(p);
                m->host->ops->keep(m->host->data);
        }
        m->host->ops->changed(m->host->data);
}

static void on_probe(void *data, enum probe_outcome outcome, const char *message) {
        take_result(data, outcome, message ? message : "");
}

static void on_exec(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const Cri__ExecSyncResponse *result = (const void *)response;
        struct prober *p = op->pointer;
        bool timed_out = err && err_code(err) == ETIMEDOUT;
        char text[1024];

        if (op->number != p->round || !p->exec)
                return;
        if (timed_out)
                snprintf(text, sizeof(text), "command timed out: \"%s\" timed out after %ds", op->text,
                         p->spec->timeout_seconds);
        else if (err)
                snprintf(text, sizeof(text), "%s", err_text(err));
        else
                snprintf(text, sizeof(text), "%.*s%.*s", (int)(result->stdout.len < 500 ? result->stdout.len : 500),
                         (const char *)result->stdout.data, (int)(result->stderr.len < 500 ? result->stderr.len : 500),
                         (const char *)result->stderr.data);
        take_result(p, probe_exec_result(err ? -err_code(err) : 0, timed_out, err ? 0 : result->exit_code), text);
}

static void run_exec(struct prober *p) {
        struct member *m = p->member;
        Cri__ExecSyncRequest *request;
        _cleanup_op_ struct op *op = OP_NEW(&m->scope, &request, cri__exec_sync_request__init);

        if (!op || !(request->container_id = arena_strdup(op->arena, m->id))) {
                take_result(p, PROBE_UNKNOWN, "out of memory"); /* the next one is due a period later */
                return;
        }
        request->n_cmd = p->spec->exec->command.count;
        request->cmd = (char **)p->spec->exec->command.items;
        request->timeout = p->spec->timeout_seconds;
        op->text = request->n_cmd ? request->cmd[0] : "";
        op->pointer = p;
        op->number = p->round;
        op->done = on_exec;
        op->aside = true;
        p->exec = true;
        op_call(TAKE_PTR(op), CRI_EXEC_SYNC, request);
}

static void fill_target(const struct prober *p, struct probe_target *target) {
        const struct member *m = p->member;
        const struct pod_addresses *own = &m->host->sandbox->addresses;
        const char *host = NULL;

        target->timeout = (uint64_t)p->spec->timeout_seconds * 1000;
        if (p->spec->http_get) {
                const struct kube_http_get_action *get = p->spec->http_get;

                target->kind = PROBE_HTTP;
                host = get->host;
                target->port = pod_resolve_port(m->spec, &get->port);
                target->tls = strcmp(get->scheme, "HTTPS") == 0;
                target->path = get->path;
                target->headers = (const struct probe_header *)get->http_headers.items;
                target->n_headers = get->http_headers.count;
        } else if (p->spec->tcp_socket) {
                target->kind = PROBE_TCP;
                host = p->spec->tcp_socket->host;
                target->port = pod_resolve_port(m->spec, &p->spec->tcp_socket->port);
        } else {
                target->kind = PROBE_GRPC;
                target->port = (uint16_t)p->spec->grpc->port;
                target->service = p->spec->grpc->service;
        }
        target->address = host && host[0] ? host : own->n ? own->list[0] : "127.0.0.1";
}

static void run(struct prober *p) {
        const struct node_world *world = p->member->host->world;
        _cleanup_err_ struct err *err = NULL;
        struct probe_target target = { 0 };

        probe_schedule_probing(&p->schedule, node_now(world));
        p->began = uv_hrtime();
        if (p->spec->exec) {
                run_exec(p);
                return;
        }
        fill_target(p, &target);
        if (target.port == 0) { /* says nothing of the container, so it counts for nothing */
                take_result(p, PROBE_UNKNOWN, "its port is none of the container's");
                return;
        }
        if (world->ops->probe_start(world->data, &target, on_probe, p, &p->probe, &err) < 0)
                take_result(p, PROBE_UNKNOWN, err_text(err));
}

int64_t member_probe(struct member *m) {
        int64_t wake = NODE_NEVER;

        for (int i = 0; i < PROBERS && member_has_process(m); i++) {
                struct prober *p = &m->probers[i];
                int64_t now = node_now(m->host->world), wait;

                if (!p->spec)
                        continue;
                wait = probe_schedule_wait(&p->schedule, now);
                if (wait == 0) {
                        run(p);
                        wait = probe_schedule_wait(&p->schedule, now);
                }
                if (wait > 0)
                        wake = node_earlier(wake, now + wait);
        }
        return wake;
}

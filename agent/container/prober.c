/* A container's probes: probes/schedule.h told of time and results, and what its verdicts lead to
 * (pkg/kubelet/prober). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

static const char *const names[PROBERS] = {
        [SCHEDULE_LIVENESS] = "Liveness",
        [SCHEDULE_READINESS] = "Readiness",
        [SCHEDULE_STARTUP] = "Startup",
};

void probers_init(struct member *m) {
        const struct pod_probe *specs[PROBERS] = {
                [SCHEDULE_LIVENESS] = m->spec->liveness_probe,
                [SCHEDULE_READINESS] = m->spec->readiness_probe,
                [SCHEDULE_STARTUP] = m->spec->startup_probe,
        };

        for (int i = 0; i < PROBERS; i++) {
                struct prober *p = &m->probers[i];

                p->member = m;
                if (m->role == MEMBER_INIT || !(p->spec = specs[i]))
                        continue;
                schedule_init(&p->schedule, (enum schedule_kind)i,
                              &(struct schedule_timing){
                                      .initial_delay = (uint32_t)p->spec->initial_delay,
                                      .period = (uint32_t)p->spec->period,
                                      .success_threshold = (uint32_t)p->spec->success_threshold,
                                      .failure_threshold = (uint32_t)p->spec->failure_threshold,
                              });
        }
}

static void cancel(struct prober *p) {
        if (p->probe)
                p->member->worker->node->ops->probe_cancel(p->member->worker->node->data, p->probe);
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
                schedule_begin(&p->schedule, worker_now(m->worker), started_at, gated, take_up, (uint32_t)rand());
        }
        m->started = !gated && (take_up || m->state == MEMBER_RUNNING);
        m->ready = !gated && !m->probers[SCHEDULE_READINESS].spec;
}

void probers_stop(struct member *m) {
        for (int i = 0; i < PROBERS; i++)
                if (m->probers[i].spec) {
                        cancel(&m->probers[i]);
                        schedule_stop(&m->probers[i].schedule);
                }
}

void probers_end(struct member *m) {
        for (int i = 0; i < PROBERS; i++)
                if (m->probers[i].spec)
                        schedule_end(&m->probers[i].schedule);
}

static void kill_member(struct member *m, const struct prober *p, const char *reason) {
        const struct opt_int *own = &p->spec->termination_grace_period;

        if (m->stop_wanted || m->state < MEMBER_POST_START || m->state > MEMBER_RUNNING)
                return;
        member_condemn(m, reason, own->set ? own->value : worker_grace(m->worker));
        member_event(m, MEMBER_EVENT_STOP);
}

static void open_others(struct member *m) {
        m->started = true;
        for (int i = 0; i < PROBERS; i++)
                if (m->probers[i].spec)
                        schedule_open(&m->probers[i].schedule, worker_now(m->worker));
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
                        kill_member(m, p, "startup");
                break;
        case SCHEDULE_LIVENESS:
                if (p->schedule.value == VALUE_IS_FAILURE)
                        kill_member(m, p, "liveness");
                break;
        }
}

static void take_result(struct prober *p, enum probe_outcome outcome, const char *message) {
        struct member *m = p->member;
        const char *name = names[p->schedule.kind];

        p->probe = NULL;
        p->exec = false;
        if (outcome == PROBE_FAILURE)
                worker_say(m->worker, m, true, "Unhealthy", "%s probe failed: %s", name, message);
        else if (outcome == PROBE_UNKNOWN)
                worker_say(m->worker, m, true, "Unhealthy", "%s probe errored: %s", name, message);
        else if (outcome == PROBE_WARNING)
                worker_say(m->worker, m, true, "ProbeWarning", "%s probe warning: %s", name, message);
        if (schedule_result(&p->schedule, worker_now(m->worker), outcome)) {
                apply(p);
                worker_write_hint(m->worker);
        }
        worker_step(m->worker);
}

static void on_probe(void *data, enum probe_outcome outcome, const char *message) {
        take_result(data, outcome, message ? message : "");
}

static void on_exec(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const Cri__ExecSyncResponse *result = (const void *)response;
        struct prober *p = op->pointer;
        bool timed_out = err && err_code(err) == ETIMEDOUT;
        char text[1024];

        if (op->probe_round != p->round || !p->exec)
                return;
        if (timed_out)
                snprintf(text, sizeof(text), "command timed out: \"%s\" timed out after %ds", op->text,
                         p->spec->timeout);
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
        struct op *op = op_new(m->worker, m);
        Cri__ExecSyncRequest *request = op ? arena_new_of(op->arena, Cri__ExecSyncRequest) : NULL;

        if (!request) {
                if (op)
                        op_drop(op);
                return;
        }
        cri__exec_sync_request__init(request);
        request->container_id = arena_strdup(op->arena, m->id);
        request->n_cmd = p->spec->exec->command.count;
        request->cmd = (char **)p->spec->exec->command.items;
        request->timeout = p->spec->timeout;
        op->text = request->n_cmd ? request->cmd[0] : "";
        op->pointer = p;
        op->probe_round = p->round;
        op->done = on_exec;
        op->aside = true;
        p->exec = true;
        op_call(op, CRI_EXEC_SYNC, request);
}

static void fill_target(const struct prober *p, struct probe_target *target) {
        const struct member *m = p->member;
        const struct worker *w = m->worker;
        const char *host = NULL;

        target->timeout = (uint64_t)p->spec->timeout * 1000;
        if (p->spec->http_get) {
                const struct pod_http_get *get = p->spec->http_get;

                target->kind = PROBE_HTTP;
                host = get->host;
                target->port = pod_resolve_port(m->spec, &get->port);
                target->tls = get->scheme == SCHEME_HTTPS;
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
        target->address = host && host[0] ? host : w->n_ips ? w->ips[0] : "127.0.0.1";
}

static void run(struct prober *p) {
        const struct worker_node *node = p->member->worker->node;
        _cleanup_err_ struct err *err = NULL;
        struct probe_target target = { 0 };

        schedule_probing(&p->schedule, worker_now(p->member->worker));
        if (p->spec->exec) {
                run_exec(p);
                return;
        }
        fill_target(p, &target);
        if (target.port == 0) { /* says nothing of the container, so it counts for nothing */
                take_result(p, PROBE_UNKNOWN, "its port is none of the container's");
                return;
        }
        if (node->ops->probe_start(node->data, &target, on_probe, p, &p->probe, &err) < 0)
                take_result(p, PROBE_UNKNOWN, err_text(err));
}

void probers_run(struct member *m, int64_t *wake) {
        if (m->state != MEMBER_RUNNING && m->state != MEMBER_POST_START && m->state != MEMBER_PRE_STOP &&
            m->state != MEMBER_TURN && m->state != MEMBER_STOPPING)
                return;
        for (int i = 0; i < PROBERS; i++) {
                struct prober *p = &m->probers[i];
                int64_t now = worker_now(m->worker), wait;

                if (!p->spec)
                        continue;
                wait = schedule_wait(&p->schedule, now);
                if (wait == 0) {
                        run(p);
                        wait = schedule_wait(&p->schedule, now);
                }
                if (wait > 0)
                        *wake = earlier(*wake, now + wait);
        }
}

/* Lifecycle handlers: exec, httpGet, sleep (pkg/kubelet/lifecycle/handlers.go). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* An HTTP hook without a deadline of its own; Go's client has none, a pod that never starts helps nobody. */
#define HOOK_HTTP_MS (10 * 60 * 1000)

static void set_failure(struct member *m, const char *text) {
        m->worker->failure = err_free(m->worker->failure);
        err_set(&m->worker->failure, EIO, "%s", text);
}

static void on_exec(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const Cri__ExecSyncResponse *result = (const void *)response;
        struct member *m = op->member;
        char text[512];

        if (m->state != MEMBER_POST_START && m->state != MEMBER_PRE_STOP)
                return;
        m->hook_deadline = WORKER_NEVER;
        if (!err && result->exit_code == 0) {
                member_event(m, MEMBER_EVENT_OK);
                return;
        }
        if (err)
                set_failure(m, err_text(err));
        else {
                const ProtobufCBinaryData *out = result->stderr.len ? &result->stderr : &result->stdout;

                snprintf(text, sizeof(text), "command '%s' exited with %d: %.*s", op->text, result->exit_code,
                         (int)(out->len < 256 ? out->len : 256), (const char *)out->data);
                set_failure(m, text);
        }
        member_event(m, MEMBER_EVENT_FAILED);
}

static void run_exec(struct member *m, const struct pod_exec *exec, int64_t deadline) {
        struct op *op = op_new(m->worker, m);
        Cri__ExecSyncRequest *request = op ? arena_new_of(op->arena, Cri__ExecSyncRequest) : NULL;

        if (!request) {
                if (op)
                        op_drop(op);
                return;
        }
        cri__exec_sync_request__init(request);
        request->container_id = arena_strdup(op->arena, m->id);
        request->n_cmd = exec->command.count;
        request->cmd = (char **)exec->command.items;
        if (deadline != WORKER_NEVER)
                request->timeout = (deadline - worker_now(m->worker) + 999) / 1000;
        op->text = exec->command.count ? exec->command.items[0] : "";
        op->done = on_exec;
        op_call(op, CRI_EXEC_SYNC, request);
}

static void on_probe(void *data, enum probe_outcome outcome, const char *message) {
        struct member *m = data;

        m->hook_probe = NULL;
        m->hook_deadline = WORKER_NEVER;
        if (outcome == PROBE_WARNING)
                worker_say(m->worker, m, true, "LifecycleHTTPFallback", "%s", message);
        if (outcome == PROBE_SUCCESS || outcome == PROBE_WARNING) {
                member_event(m, MEMBER_EVENT_OK);
                return;
        }
        set_failure(m, message ? message : "the request failed");
        member_event(m, MEMBER_EVENT_FAILED);
}

static void run_http(struct member *m, const struct pod_http_get *get, int64_t deadline) {
        struct worker *w = m->worker;
        const char *address = get->host && get->host[0] ? get->host : w->n_ips ? w->ips[0] : "127.0.0.1";
        struct probe_target target = {
                .kind = PROBE_HTTP,
                .address = address,
                .port = pod_resolve_port(m->spec, &get->port),
                .tls = get->scheme == SCHEME_HTTPS,
                .path = get->path,
                .headers = (const struct probe_header *)get->http_headers.items,
                .n_headers = get->http_headers.count,
                .user_agent = "kube-lifecycle/1.36",
                .hook = true,
                .timeout = deadline == WORKER_NEVER ? HOOK_HTTP_MS : (uint64_t)(deadline - worker_now(w)),
        };
        _cleanup_err_ struct err *err = NULL;

        _Static_assert(sizeof(struct probe_header) == sizeof(struct pod_http_header), "one layout");
        if (target.port == 0) {
                set_failure(m, "its port is none of the container's");
                member_event(m, MEMBER_EVENT_FAILED);
                return;
        }
        if (w->node->ops->probe_start(w->node->data, &target, on_probe, m, &m->hook_probe, &err) < 0) {
                set_failure(m, err_text(err));
                member_event(m, MEMBER_EVENT_FAILED);
        }
}

/* Only a sleep ends well by its time running out; see member_event(MEMBER_EVENT_LATE) for the others. */
static void run_sleep(struct member *m, const struct pod_sleep *sleep, int64_t deadline) {
        int64_t until = later(worker_now(m->worker), sleep->seconds);

        m->sleeping = until <= deadline;
        m->hook_deadline = earlier(until, deadline);
        worker_step(m->worker);
}

void hook_run(struct member *m, const struct pod_handler *handler, int64_t deadline) {
        m->hook_deadline = deadline;
        m->sleeping = false;
        if (handler->exec) {
                run_exec(m, handler->exec, deadline);
        } else if (handler->http_get) {
                run_http(m, handler->http_get, deadline);
        } else if (handler->sleep) {
                run_sleep(m, handler->sleep, deadline);
        } else {
                set_failure(m, "invalid handler: tcpSocket is not supported for lifecycle hooks");
                member_event(m, MEMBER_EVENT_FAILED);
        }
}

void hook_cancel(struct member *m) {
        if (m->hook_probe) {
                m->worker->node->ops->probe_cancel(m->worker->node->data, m->hook_probe);
                m->hook_probe = NULL;
        }
        m->hook_deadline = WORKER_NEVER;
        m->sleeping = false;
}

/* Lifecycle handlers: exec, httpGet, sleep (pkg/kubelet/lifecycle/handlers.go). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/container/internal.h"
#include "lib/cleanup.h"

/* An HTTP hook without a deadline of its own; Go's client has none, a pod that never starts helps nobody. */
#define HOOK_HTTP_MS (10 * 60 * 1000)

static enum member_event failed(struct member *m, const char *text) {
        m->failure = err_free(m->failure);
        err_set(&m->failure, EIO, "%s", text);
        return MEMBER_EVENT_FAILED;
}

/* There is no memory to begin it: nothing that the hook is to blame for. */
static enum member_event again_later(struct member *m) {
        int64_t at = node_now(m->host->world) + NODE_RETRY_MS;

        member_say(m, true, "Failed", "Error: cannot begin a lifecycle hook, trying again in %d s: out of memory",
                   NODE_RETRY_MS / 1000);
        m->hook.state = HOOK_AGAIN;
        m->hook.due = node_earlier(at, m->hook.deadline);
        return MEMBER_EVENT_NONE;
}

static void ended(struct member *m, enum member_event event) {
        m->hook.probe = NULL;
        hook_cancel(m);
        member_event(m, event);
}

/* -- exec -------------------------------------------------------------------------------------------------- */

static void on_exec(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const Cri__ExecSyncResponse *result = (const void *)response;
        struct member *m = op->scope->data;
        char text[512];

        if (op->number != m->hook.round)
                return;
        if (err) {
                ended(m, failed(m, err_text(err)));
        } else if (result->exit_code == 0) {
                ended(m, MEMBER_EVENT_OK);
        } else {
                const ProtobufCBinaryData *out = result->stderr.len ? &result->stderr : &result->stdout;

                snprintf(text, sizeof(text), "command '%s' exited with %d: %.*s", op->text, result->exit_code,
                         (int)(out->len < 256 ? out->len : 256), (const char *)out->data);
                ended(m, failed(m, text));
        }
}

static enum member_event run_exec(struct member *m, const struct kube_exec_action *exec) {
        Cri__ExecSyncRequest *request;
        _cleanup_op_ struct op *op = OP_NEW(&m->scope, &request, cri__exec_sync_request__init);

        if (!op || !(request->container_id = arena_strdup(op->arena, m->id)))
                return again_later(m);
        request->n_cmd = exec->command.count;
        request->cmd = (char **)exec->command.items;
        if (m->hook.deadline != NODE_NEVER)
                request->timeout = (m->hook.deadline - node_now(m->host->world) + 999) / 1000;
        op->text = exec->command.count ? exec->command.items[0] : "";
        op->number = m->hook.round;
        op->done = on_exec;
        op_call(TAKE_PTR(op), CRI_EXEC_SYNC, request);
        return MEMBER_EVENT_NONE;
}

/* -- httpGet ----------------------------------------------------------------------------------------------- */

static void on_probe(void *data, enum probe_outcome outcome, const char *message) {
        struct member *m = data;

        if (outcome == PROBE_WARNING)
                member_say(m, true, "LifecycleHTTPFallback", "%s", message);
        if (outcome == PROBE_SUCCESS || outcome == PROBE_WARNING)
                ended(m, MEMBER_EVENT_OK);
        else
                ended(m, failed(m, message ?: "the request failed"));
}

static enum member_event run_http(struct member *m, const struct kube_http_get_action *get) {
        const struct node_world *world = m->host->world;
        const struct pod_addresses *own = &m->host->sandbox->addresses;
        struct probe_target target = {
                .kind = PROBE_HTTP,
                .address = get->host && get->host[0] ? get->host :
                           own->n                    ? own->list[0] :
                                                       "127.0.0.1",
                .port = pod_resolve_port(m->spec, &get->port),
                .tls = strcmp(get->scheme, "HTTPS") == 0,
                .path = get->path,
                .headers = (const struct probe_header *)get->http_headers.items,
                .n_headers = get->http_headers.count,
                .user_agent = "kube-lifecycle/1.36",
                .hook = true,
                .timeout =
                        m->hook.deadline == NODE_NEVER ? HOOK_HTTP_MS : (uint64_t)(m->hook.deadline - node_now(world)),
        };
        _cleanup_err_ struct err *err = NULL;
        int r;

        _Static_assert(sizeof(struct probe_header) == sizeof(struct kube_http_header), "one layout");
        if (target.port == 0)
                return failed(m, "its port is none of the container's");
        r = world->ops->probe_start(world->data, &target, on_probe, m, &m->hook.probe, &err);
        if (r == -ENOMEM)
                return again_later(m);
        return r < 0 ? failed(m, err_text(err)) : MEMBER_EVENT_NONE;
}

/* -- all --------------------------------------------------------------------------------------------------- */

static enum member_event begin(struct member *m) {
        const struct kube_lifecycle_handler *handler = m->hook.handler;
        int64_t until;

        m->hook.state = HOOK_RUNS;
        m->hook.due = m->hook.deadline;
        if (handler->exec)
                return run_exec(m, handler->exec);
        if (handler->http_get)
                return run_http(m, handler->http_get);
        if (!handler->sleep)
                return failed(m, "invalid handler: tcpSocket is not supported for lifecycle hooks");
        until = node_later(node_now(m->host->world), handler->sleep->seconds);
        if (until <= m->hook.deadline) {
                m->hook.state = HOOK_SLEEPS;
                m->hook.due = until;
        }
        return MEMBER_EVENT_NONE;
}

/* What ended it at once leaves nothing under way. */
static enum member_event settle(struct member *m, enum member_event event) {
        if (event != MEMBER_EVENT_NONE)
                hook_cancel(m);
        return event;
}

enum member_event hook_run(struct member *m, const struct kube_lifecycle_handler *handler, int64_t deadline) {
        hook_cancel(m);
        m->hook.handler = handler;
        m->hook.deadline = deadline;
        return settle(m, begin(m));
}

enum member_event hook_tick(struct member *m) {
        enum hook_state state = m->hook.state;
        int64_t now = node_now(m->host->world);

        if (state == HOOK_NONE || now < m->hook.due)
                return MEMBER_EVENT_NONE;
        if (state == HOOK_AGAIN && now < m->hook.deadline)
                return settle(m, begin(m));
        return settle(m, state == HOOK_SLEEPS ? MEMBER_EVENT_OK : MEMBER_EVENT_LATE);
}

void hook_cancel(struct member *m) {
        const struct node_world *world = m->host->world;

        if (m->hook.probe)
                world->ops->probe_cancel(world->data, m->hook.probe);
        m->hook = (struct hook){ .deadline = NODE_NEVER, .due = NODE_NEVER, .round = m->hook.round + 1 };
}

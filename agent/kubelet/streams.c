/* /exec, /attach, /portForward and /run: what is done in pods. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/kubelet/call.h"
#include "agent/kubelet/internal.h"
#include "cri/streaming/streaming.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/err.h"

#define COMMAND_MAX 4096 /* words of a command */

static bool is_wanted(const struct kubelet_request *q, const char *name) {
        const char *value = kubelet_query(q, name);

        return value && strcmp(value, "1") == 0;
}

/* Whether the request can be upgraded; else it is answered, as kubelet's proxy does. */
static bool can_upgrade(struct kubelet_request *q) {
        if (http_request_of(q->x)->upgrade)
                return true;
        kubelet_text(q, 500, "Upgrade request required\n");
        return false;
}

/* Nothing of it is ours any more, but where it was refused. */
static void hand_over(struct kubelet_request *q, const struct streaming_request *request) {
        struct streaming *streaming = q->kubelet->world.streaming;
        struct http_exchange *x = q->x;

        if (streaming_serve(streaming, x, request) == 0)
                kubelet_let_go(q);
        else
                http_resume(x);
}

/* Which streams are wanted. False: none, and the request is answered. */
static bool read_streams(struct kubelet_request *q, struct streaming_request *request) {
        request->tty = is_wanted(q, "tty");
        request->in = is_wanted(q, "input");
        request->out = is_wanted(q, "output");
        request->err = is_wanted(q, "error") && !request->tty;
        if (request->in || request->out || request->err)
                return true;
        kubelet_text(q, 400, "you must specify at least 1 of stdin, stdout, stderr");
        return false;
}

/* Whether it is the pod that the path's {uid} names, where it has one. */
static bool is_meant(const struct kubelet_request *q, const struct kubelet_pod *pod) {
        const char *uid = http_param(q->x, "uid");

        return !uid || strcmp(uid, pod->pod->metadata.uid) == 0;
}

static const char *find_container(const struct kubelet_request *q, const struct kubelet_pod *pod) {
        return is_meant(q, pod) ? kubelet_find_running(q, pod, http_param(q->x, "container")) : NULL;
}

static bool find_pod(struct kubelet_request *q, struct kubelet_pod *ret_pod) {
        if (kubelet_find_pod(q, ret_pod))
                return true;
        kubelet_text(q, 404, "pod does not exist");
        return false;
}

/* -- exec -------------------------------------------------------------------------------------------------- */

/* The query's parameters @name, NULL-terminated. -E2BIG, -ENOMEM. */
static int read_words(struct kubelet_request *q, const char *name, char ***ret_words) {
        const char *query = http_request_of(q->x)->query, *value;
        char **words = arena_alloc_array(http_arena(q->x), COMMAND_MAX + 1, sizeof(*words));
        size_t n = 0;

        if (!words)
                return -ENOMEM;
        while ((value = http_query_next(http_arena(q->x), &query, name))) {
                if (n == COMMAND_MAX)
                        return -E2BIG;
                words[n++] = (char *)(uintptr_t)value;
        }
        *ret_words = words;
        return 0;
}

void kubelet_serve_exec(struct kubelet_request *q) {
        struct streaming_request request = { .kind = STREAMING_EXEC };
        struct kubelet_pod pod;
        char **command;
        int r = read_words(q, "command", &command);

        if (r == -ENOMEM)
                return http_reset(q->x, r);
        if (!read_streams(q, &request) || !find_pod(q, &pod))
                return;
        if (!(request.id = find_container(q, &pod)))
                return kubelet_text(q, 500, "container not found (\"%s\")", http_param(q->x, "container"));
        if (r < 0 || !command[0])
                return kubelet_text(q, 400, r < 0 ? "the command has too many words" : "the command is empty");
        request.command = command;
        if (can_upgrade(q))
                hand_over(q, &request);
}

/* -- attach ------------------------------------------------------------------------------------------------ */

void kubelet_serve_attach(struct kubelet_request *q) {
        struct streaming_request request = { .kind = STREAMING_ATTACH };
        const char *name = http_param(q->x, "container");
        const struct kube_container *spec;
        struct kubelet_pod pod;

        if (!read_streams(q, &request) || !find_pod(q, &pod))
                return;
        spec = pod_find_container(pod.pod, name);
        request.id = find_container(q, &pod);
        if (!spec || !request.id)
                return kubelet_text(q, 500, "container %s not found in pod %s_%s", name, pod.pod->metadata.name,
                                    pod.pod->metadata.namespace);
        /* It has a terminal or not since its start. */
        request.tty = spec->tty;
        request.err = request.err && !spec->tty;
        if (can_upgrade(q))
                hand_over(q, &request);
}

/* -- port forwarding --------------------------------------------------------------------------------------- */

/* Of plain WebSocket: those of SPDY come with its streams. False: one is none, and the request is answered. */
static bool read_ports(struct kubelet_request *q, struct streaming_request *request) {
        const char *query = http_request_of(q->x)->query, *value;
        int32_t *ports = arena_alloc_array(http_arena(q->x), STREAMING_PORTS_MAX, sizeof(*ports));

        if (!ports) {
                http_reset(q->x, -ENOMEM);
                return false;
        }
        while ((value = http_query_next(http_arena(q->x), &query, "port"))) {
                char *end;
                long port = strtol(value, &end, 10);

                if (*end || *value < '0' || *value > '9' || port < 1 || port > UINT16_MAX ||
                    request->n_ports == STREAMING_PORTS_MAX) {
                        kubelet_text(q, 400, "unable to parse \"%s\" as a port", value);
                        return false;
                }
                ports[request->n_ports++] = (int32_t)port;
        }
        request->ports = ports;
        return true;
}

void kubelet_serve_port_forward(struct kubelet_request *q) {
        struct streaming_request request = { .kind = STREAMING_PORT_FORWARD };
        struct cri_sandbox_info info;
        struct kubelet_pod pod;

        if (!read_ports(q, &request) || !find_pod(q, &pod))
                return;
        if (!is_meant(q, &pod))
                return kubelet_text(q, 404, "pod not found");
        if (!pod.sandbox || cri_sandbox_get(q->kubelet->world.cri, pod.sandbox, &info) < 0 || !info.ready)
                return kubelet_text(q, 500, "pod not found (\"%s_%s\")", pod.pod->metadata.name,
                                    pod.pod->metadata.namespace);
        request.id = pod.sandbox;
        if (can_upgrade(q))
                hand_over(q, &request);
}

/* -- run --------------------------------------------------------------------------------------------------- */

static void on_run(struct kubelet_call *call, const ProtobufCMessage *message, const struct err *err) {
        const Cri__ExecSyncResponse *response = (const Cri__ExecSyncResponse *)message;
        struct kubelet_request *q = call->q;
        char *both;

        if (err)
                return kubelet_text(q, 500, "%s", err_text(err));
        if (response->exit_code != 0)
                return kubelet_text(q, 500, "command '%s' exited with %d: %.*s", (const char *)call->data,
                                    response->exit_code, (int)response->stderr.len,
                                    response->stderr.data ? (const char *)response->stderr.data : "");
        both = arena_alloc_uncleared(http_arena(q->x), response->stdout.len + response->stderr.len + 1);
        if (!both)
                return http_reset(q->x, -ENOMEM);
        if (response->stdout.len > 0)
                memcpy(both, response->stdout.data, response->stdout.len);
        if (response->stderr.len > 0)
                memcpy(both + response->stdout.len, response->stderr.data, response->stderr.len);
        kubelet_answer(q, 200, "application/json", both, response->stdout.len + response->stderr.len);
}

/* @text cut at each blank, as strings.Split() has it: empty words stay. */
static char **split(struct arena *arena, char *text, size_t *ret_n) {
        size_t n = 1;
        char **words;

        for (const char *p = text; *p; p++)
                n += *p == ' ';
        if (n > COMMAND_MAX || !(words = arena_alloc_array(arena, n, sizeof(*words))))
                return NULL;
        *ret_n = n;
        for (size_t i = 0; i < n; i++)
                words[i] = strsep(&text, " ");
        return words;
}

void kubelet_serve_run(struct kubelet_request *q) {
        const char *command = kubelet_query(q, "cmd") ?: "", *id;
        Cri__ExecSyncRequest *request;
        struct kubelet_call *call;
        struct kubelet_pod pod;
        char *copy;

        if (!find_pod(q, &pod))
                return;
        if (!(id = find_container(q, &pod)))
                return kubelet_text(q, 500, "container not found (\"%s\")", http_param(q->x, "container"));
        if (!(call = kubelet_call_new(q)))
                return;
        request = arena_new_of(call->arena, Cri__ExecSyncRequest);
        copy = arena_strdup(call->arena, command);
        call->data = arena_strdup(call->arena, command);
        if (request)
                cri__exec_sync_request__init(request);
        if (!request || !copy || !call->data || !(request->container_id = arena_strdup(call->arena, id)) ||
            !(request->cmd = split(call->arena, copy, &request->n_cmd))) {
                kubelet_call_free(call);
                return kubelet_text(q, 500, "the command is too long");
        }
        call->done = on_run;
        kubelet_call_start(call, CRI_EXEC_SYNC, &request->base);
}

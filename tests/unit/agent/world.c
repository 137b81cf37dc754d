#include "tests/unit/agent/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/node/events.h"
#include "agent/volumes/tree.h"
#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"

static void note(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct world *w, const char *format, ...) {
        size_t n = strlen(w->log);
        va_list args;

        if (n)
                n += (size_t)snprintf(w->log + n, sizeof(w->log) - n, "; ");
        va_start(args, format);
        vsnprintf(w->log + n, sizeof(w->log) - n, format, args);
        va_end(args);
}

static void push(struct world *w, struct world_call call) {
        assert_true(w->n_pending < WORLD_PENDING);
        w->pending[w->n_pending++] = call;
}

static void op_call(void *data, enum cri_method method, const ProtobufCMessage *request,
                    const struct trace_parent *parent, cri_done_fn done, void *done_data) {
        struct world *w = data;

        if (w->on_request)
                w->on_request(method, request);
        push(data, (struct world_call){ .method = method, .request = request, .done = done, .data = done_data });
}

static void op_submit(void *data, struct pool_job *job) {
        push(data, (struct world_call){ .job = job });
}

static int op_sandbox_get(void *data, const char *id, struct cri_sandbox_info *ret) {
        static const char *const ips[] = { "10.1.2.3", NULL };
        struct world *w = data;

        if (strcmp(id, w->sandbox) != 0)
                return -ENOENT;
        *ret = (struct cri_sandbox_info){ .id = w->sandbox, .ready = w->sandbox_ready, .ips = ips, .n_ips = 1 };
        return 0;
}

static struct world_container *find(struct world *w, const char *id) {
        for (size_t i = 0; i < w->n_containers; i++)
                if (strcmp(w->containers[i].id, id) == 0 && !w->containers[i].removed)
                        return &w->containers[i];
        return NULL;
}

static int op_container_get(void *data, const char *id, struct cri_container_info *ret) {
        struct world_container *c = find(data, id);

        if (!c)
                return -ENOENT;
        *ret = (struct cri_container_info){
                .id = c->id,
                .sandbox_id = c->sandbox,
                .name = c->name,
                .attempt = c->attempt,
                .state = c->state,
                .started_at = c->started * 1000000,
                .finished_at = c->finished * 1000000,
                .exit_code = c->exit_code,
                .reason =
                        c->state == CRI__CONTAINER_STATE__CONTAINER_EXITED ? c->exit_code ? "Error" : "Completed" : "",
                .message = "",
                .image_id = "sha256:1",
        };
        return 0;
}

static int64_t op_now(void *data) {
        return ((struct world *)data)->now;
}

static void op_set_timer(void *data, struct worker *worker, int64_t at) {
        ((struct world *)data)->timer = at;
}

static int op_probe_start(void *data, const struct probe_target *target, probe_done done, void *done_data,
                          struct probe **ret_probe, struct err **err) {
        struct world *w = data;

        note(w, "probe %s:%u%s", target->address, target->port, target->path ? target->path : "");
        *ret_probe = NULL;
        done(done_data, w->probe_outcome, "said the probe");
        return 0;
}

static void op_probe_cancel(void *data, struct probe *probe) {
}

static void op_changed(void *data, struct worker *worker) {
}

static void op_gone(void *data, struct worker *worker) {
        ((struct world *)data)->gone = true;
}

static void tell(struct world *w, enum cri_event_type type, const struct world_container *c) {
        struct cri_event event = { .type = type,
                                   .sandbox_id = w->sandbox,
                                   .container_id = c ? c->id : NULL,
                                   .container_name = c ? c->name : NULL };

        if (w->worker && !w->gone)
                worker_heard(w->worker, &event);
}

static void end_container(struct world *w, struct world_container *c, int code) {
        if (c->state != CRI__CONTAINER_STATE__CONTAINER_RUNNING)
                return;
        c->state = CRI__CONTAINER_STATE__CONTAINER_EXITED;
        c->exit_code = code;
        c->finished = w->now;
        tell(w, CRI_EVENT_CONTAINER_STOPPED, c);
}

static void refuse(struct world_call *call, int code, const char *text) {
        struct err *err = NULL;

        err_set(&err, code, "%s", text);
        call->done(call->data, NULL, err);
        err_free(err);
}

static void run_sandbox(struct world *w, struct world_call *call) {
        Cri__RunPodSandboxResponse response = CRI__RUN_POD_SANDBOX_RESPONSE__INIT;

        if (w->sandbox_error) {
                const char *text = w->sandbox_error;

                w->sandbox_error = NULL;
                note(w, "run fails");
                refuse(call, EADDRINUSE, text);
                return;
        }
        snprintf(w->sandbox, sizeof(w->sandbox), "s%u", w->sandboxes++);
        w->sandbox_ready = true;
        note(w, "run %s", w->sandbox);
        response.pod_sandbox_id = w->sandbox;
        call->done(call->data, &response.base, NULL);
}

static void image_status(struct world *w, struct world_call *call) {
        const Cri__ImageStatusRequest *request = (const void *)call->request;
        Cri__ImageStatusResponse response = CRI__IMAGE_STATUS_RESPONSE__INIT;
        Cri__Image image = CRI__IMAGE__INIT;

        image.id = (char *)"sha256:1";
        if (w->image_there || strncmp(request->image->image, "missing", 7) != 0)
                response.image = &image;
        call->done(call->data, &response.base, NULL);
}

static void pull(struct world *w, struct world_call *call) {
        const Cri__PullImageRequest *request = (const void *)call->request;
        Cri__PullImageResponse response = CRI__PULL_IMAGE_RESPONSE__INIT;

        note(w, "pull %s", request->image->image);
        if (strncmp(request->image->image, "missing", 7) == 0 && !w->image_there)
                refuse(call, ENOENT, "manifest unknown");
        else
                call->done(call->data, &response.base, NULL);
}

static void create(struct world *w, struct world_call *call) {
        const Cri__CreateContainerRequest *request = (const void *)call->request;
        Cri__CreateContainerResponse response = CRI__CREATE_CONTAINER_RESPONSE__INIT;
        struct world_container *c = &w->containers[w->n_containers++];

        assert_true(w->n_containers < WORLD_CONTAINERS);
        snprintf(c->name, sizeof(c->name), "%s", request->config->metadata->name);
        snprintf(c->sandbox, sizeof(c->sandbox), "%s", request->pod_sandbox_id);
        c->attempt = request->config->metadata->attempt;
        c->state = CRI__CONTAINER_STATE__CONTAINER_CREATED;
        snprintf(c->id, sizeof(c->id), "%s-%s-%u", request->pod_sandbox_id, request->config->metadata->name,
                 c->attempt);
        response.container_id = c->id;
        call->done(call->data, &response.base, NULL);
}

static void start(struct world *w, struct world_call *call) {
        const Cri__StartContainerRequest *request = (const void *)call->request;
        Cri__StartContainerResponse response = CRI__START_CONTAINER_RESPONSE__INIT;
        struct world_container *c = find(w, request->container_id);

        c->state = CRI__CONTAINER_STATE__CONTAINER_RUNNING;
        c->started = w->now;
        note(w, "start %s#%u", c->name, c->attempt);
        call->done(call->data, &response.base, NULL);
}

static void stop(struct world *w, struct world_call *call) {
        const Cri__StopContainerRequest *request = (const void *)call->request;
        Cri__StopContainerResponse response = CRI__STOP_CONTAINER_RESPONSE__INIT;
        struct world_container *c = find(w, request->container_id);

        note(w, "stop %s %lld", c->name, (long long)request->timeout);
        if (w->hold_stops) {
                w->held[w->n_held++] = *call;
                return;
        }
        end_container(w, c, 143);
        call->done(call->data, &response.base, NULL);
}

static void exec_sync(struct world *w, struct world_call *call) {
        const Cri__ExecSyncRequest *request = (const void *)call->request;
        Cri__ExecSyncResponse response = CRI__EXEC_SYNC_RESPONSE__INIT;

        note(w, "exec %s", request->cmd[0]);
        response.exit_code = w->exec_exit;
        call->done(call->data, &response.base, NULL);
}

static void simple(struct world *w, struct world_call *call, const char *what, ProtobufCMessage *response) {
        note(w, "%s", what);
        call->done(call->data, response, NULL);
}

static void stop_sandbox(struct world *w, struct world_call *call) {
        Cri__StopPodSandboxResponse response = CRI__STOP_POD_SANDBOX_RESPONSE__INIT;

        for (size_t i = 0; i < w->n_containers; i++)
                if (strcmp(w->containers[i].sandbox, w->sandbox) == 0)
                        end_container(w, &w->containers[i], 137);
        w->sandbox_ready = false;
        simple(w, call, "stop sandbox", &response.base);
}

static void update(struct world *w, struct world_call *call) {
        const Cri__UpdateContainerResourcesRequest *request = (const void *)call->request;
        Cri__UpdateContainerResourcesResponse response = CRI__UPDATE_CONTAINER_RESOURCES_RESPONSE__INIT;
        const struct world_container *c = find(w, request->container_id);

        if (w->update_error) {
                refuse(call, EIO, w->update_error);
                return;
        }
        assert_non_null(c);
        note(w, "update %s %lld/%lld %lldMi", c->name, (long long)request->linux->cpu_shares,
             (long long)request->linux->cpu_quota, (long long)request->linux->memory_limit_in_bytes >> 20);
        call->done(call->data, &response.base, NULL);
}

static void remove_container(struct world *w, struct world_call *call) {
        const Cri__RemoveContainerRequest *request = (const void *)call->request;
        Cri__RemoveContainerResponse response = CRI__REMOVE_CONTAINER_RESPONSE__INIT;
        struct world_container *c = find(w, request->container_id);

        note(w, "rm %s#%u", c->name, c->attempt);
        c->removed = true;
        call->done(call->data, &response.base, NULL);
}

static void answer(struct world *w, struct world_call *call) {
        Cri__RemovePodSandboxResponse removed = CRI__REMOVE_POD_SANDBOX_RESPONSE__INIT;

        switch (call->method) {
        case CRI_RUN_POD_SANDBOX:
                run_sandbox(w, call);
                return;
        case CRI_IMAGE_STATUS:
                image_status(w, call);
                return;
        case CRI_PULL_IMAGE:
                pull(w, call);
                return;
        case CRI_CREATE_CONTAINER:
                create(w, call);
                return;
        case CRI_START_CONTAINER:
                start(w, call);
                return;
        case CRI_STOP_CONTAINER:
                stop(w, call);
                return;
        case CRI_EXEC_SYNC:
                exec_sync(w, call);
                return;
        case CRI_STOP_POD_SANDBOX:
                stop_sandbox(w, call);
                return;
        case CRI_REMOVE_POD_SANDBOX:
                simple(w, call, "rm sandbox", &removed.base);
                return;
        case CRI_UPDATE_CONTAINER_RESOURCES:
                update(w, call);
                return;
        case CRI_REMOVE_CONTAINER:
                remove_container(w, call);
                return;
        default:
                fail_msg("unexpected call %d", call->method);
        }
}

void world_run(struct world *w) {
        world_run_until(w, CRI_METHODS);
}

void world_run_one(struct world *w) {
        struct world_call call = w->pending[0];

        memmove(w->pending, w->pending + 1, --w->n_pending * sizeof(call));
        if (call.job) {
                call.job->work(call.job);
                call.job->done(call.job);
        } else {
                answer(w, &call);
        }
}

void world_run_until(struct world *w, enum cri_method method) {
        for (int rounds = 0; w->n_pending > 0 && rounds < 1000; rounds++) {
                if (!w->pending[0].job && w->pending[0].method == method)
                        return;
                world_run_one(w);
        }
}

void world_pass(struct world *w, int64_t ms) {
        int64_t end = w->now + ms;

        world_run(w);
        while (w->timer <= end && !w->gone) {
                w->now = w->timer > w->now ? w->timer : w->now;
                w->timer = NODE_NEVER;
                worker_tick(w->worker);
                world_run(w);
        }
        w->now = end;
}

/* StopContainer calls that waited for @c. */
static void answer_held(struct world *w, const struct world_container *c) {
        Cri__StopContainerResponse response = CRI__STOP_CONTAINER_RESPONSE__INIT;

        for (size_t i = 0; i < w->n_held; i++) {
                struct world_call call = w->held[i];

                if (strcmp(((const Cri__StopContainerRequest *)call.request)->container_id, c->id) != 0)
                        continue;
                w->held[i--] = w->held[--w->n_held];
                call.done(call.data, &response.base, NULL);
        }
}

void world_exit_quietly(struct world *w, const char *name, int code) {
        for (size_t i = w->n_containers; i-- > 0;)
                if (strcmp(w->containers[i].name, name) == 0) {
                        end_container(w, &w->containers[i], code);
                        answer_held(w, &w->containers[i]);
                        return;
                }
        fail_msg("no container %s", name);
}

void world_exit(struct world *w, const char *name, int code) {
        world_exit_quietly(w, name, code);
        world_run(w);
}

void world_exit_of(struct world *w, const char *name, int code) {
        for (size_t i = w->n_containers; i-- > 0;)
                if (strcmp(w->containers[i].name, name) == 0 &&
                    w->containers[i].state == CRI__CONTAINER_STATE__CONTAINER_RUNNING)
                        end_container(w, &w->containers[i], code);
        world_run(w);
}

void world_sandbox_dies(struct world *w) {
        w->sandbox_ready = false;
        for (size_t i = 0; i < w->n_containers; i++)
                end_container(w, &w->containers[i], 137);
        tell(w, CRI_EVENT_SANDBOX_NOTREADY, NULL);
        world_run(w);
}

void world_expect(struct world *w, const char *log) {
        assert_string_equal(w->log, log);
        w->log[0] = '\0';
}

char *world_status(struct world *w) {
        struct json_writer out = JSON_WRITER_INIT;
        char *text = NULL;

        assert_int_equal(worker_write(w->worker, &out), 0);
        assert_int_equal(json_writer_finish(&out, &text, NULL), 0);
        return text;
}

void world_expect_status(struct world *w, const char *part) {
        _cleanup_free_ char *text = world_status(w);

        if (!strstr(text, part))
                fail_msg("%s is not in %s", part, text);
}

void world_pod(struct world *w, const char *json) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_static_options how = { .file = "test.yaml", .node_name = "node" };
        _cleanup_err_ struct err *err = NULL;
        struct problems problems;
        struct pod *pod = NULL;

        problems_init(&problems, arena, "test.yaml", NULL);
        if (pod_read_static(json, strlen(json), &how, &problems, &pod, &err) < 0)
                fail_msg("%s", err_text(err));
        w->worker = worker_new(&w->node, pod);
        pod_unref(pod);
        assert_non_null(w->worker);
        w->gone = false;
}

void world_begin(struct world *w, const char *json) {
        world_pod(w, json);
        worker_start(w->worker);
        world_run(w);
}

int world_update_quietly(struct world *w, const char *json) {
        const struct kube_object_meta *now = &worker_pod(w->worker)->metadata;
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *value = NULL;
        _cleanup_err_ struct err *err = NULL;
        struct problems problems;
        struct pod *pod = NULL;
        int r;

        problems_init(&problems, arena, "the API service", NULL);
        assert_int_equal(json_parse(arena, json, strlen(json), NULL, &value, &err), 0);
        if (pod_decode(value, &problems, &pod) < 0 || pod_default(pod) < 0)
                fail_msg("the pod cannot be read");
        pod->metadata.name = arena_strdup(pod->arena, now->name);
        pod->metadata.namespace = arena_strdup(pod->arena, now->namespace);
        pod->metadata.uid = arena_strdup(pod->arena, now->uid);
        r = worker_update(w->worker, pod);
        pod_unref(pod);
        return r;
}

int world_update(struct world *w, const char *json) {
        int r = world_update_quietly(w, json);

        world_run(w);
        return r;
}

struct world *world_new(void) {
        struct world *w = calloc(1, sizeof(*w));

        log_init("test", LOG_LEVEL_ERROR);
        strcpy(w->dir, "/tmp/nacelle-worker-XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        snprintf(w->root, sizeof(w->root), "%s/root", w->dir);
        snprintf(w->logs, sizeof(w->logs), "%s/logs", w->dir);
        w->options = (struct options){ .root_dir = w->root,
                                       .pod_logs_dir = w->logs,
                                       .node_name = (char *)"node",
                                       .cgroup_root = (char *)"/test",
                                       .resolv_conf = (char *)"",
                                       .crash_back_off_max = 300 };
        w->now = 1000000000;
        w->timer = NODE_NEVER;
        w->world_ops = (struct node_world_ops){ .call = op_call,
                                                .sandbox_get = op_sandbox_get,
                                                .container_get = op_container_get,
                                                .submit = op_submit,
                                                .now = op_now,
                                                .probe_start = op_probe_start,
                                                .probe_cancel = op_probe_cancel };
        w->ops = (struct worker_ops){ op_set_timer, op_changed, op_gone };
        w->node = (struct worker_node){ .world = { .ops = &w->world_ops,
                                                   .data = w,
                                                   .options = &w->options,
                                                   .events = events_new("node"),
                                                   .host_ip = "192.168.0.1",
                                                   .memory_bytes = 1LL << 32,
                                                   .cpu_milli = 2000 },
                                        .ops = &w->ops,
                                        .data = w,
                                        .pulls.most = 4 };
        return w;
}

void world_free(struct world *w) {
        worker_free(w->worker);
        events_free(w->node.world.events);
        pod_tree_remove(w->dir, NULL);
        free(w);
}

int world_set_up(void **state) {
        *state = world_new();
        return 0;
}

int world_tear_down(void **state) {
        world_free(*state);
        return 0;
}

/* Each allocation in turn fails, and some in a row: a pod's whole life goes on when there is memory again, with all
 * that it asks of cri as it would have been, its status whole, and nothing left of it. */
#include "tests/unit/agent/world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/node/events.h"
#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "tests/unit/support/memory.h"

#define LIVES 250       /* that a run in CI tries of each kind, about */
#define A_WHILE (60000) /* ms until all that waited for memory was tried again, several times */

static const char manifest[] =
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"uid\":\"u\",\"labels\":{\"app\":"
        "\"shop\","
        "\"tier\":\"front\"},\"annotations\":{\"a\":\"b\"}},\"spec\":{\"terminationGracePeriodSeconds\":20,"
        "\"securityContext\":{\"fsGroup\":1,\"runAsUser\":5,\"supplementalGroups\":[7],"
        "\"sysctls\":[{\"name\":\"net.ipv4.ip_forward\",\"value\":\"1\"}],\"seccompProfile\":{\"type\":"
        "\"RuntimeDefault\"}},\"overhead\":{\"cpu\":\"10m\"},"
        "\"initContainers\":[{\"name\":\"i\",\"image\":\"img\",\"imagePullPolicy\":\"IfNotPresent\"},"
        "{\"name\":\"car\",\"image\":\"img\",\"imagePullPolicy\":\"IfNotPresent\",\"restartPolicy\":\"Always\","
        "\"startupProbe\":{\"exec\":{\"command\":[\"up\"]},\"periodSeconds\":1}}],"
        "\"containers\":[{\"name\":\"a\",\"image\":\"img\",\"imagePullPolicy\":\"Always\",\"args\":[\"$(NAME)\"],"
        "\"env\":[{\"name\":\"NAME\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.name\"}}},"
        "{\"name\":\"IP\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"status.podIP\"}}}],"
        "\"ports\":[{\"containerPort\":80,\"hostPort\":8080},{\"containerPort\":81}],"
        "\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\",\"hugepages-2Mi\":\"2Mi\"}},"
        "\"securityContext\":{\"capabilities\":{\"add\":[\"NET_ADMIN\"]},\"seLinuxOptions\":{\"level\":\"s0\"},"
        "\"seccompProfile\":{\"type\":\"Localhost\",\"localhostProfile\":\"x.json\"}},"
        "\"livenessProbe\":{\"exec\":{\"command\":[\"live\"]},\"periodSeconds\":3},"
        "\"readinessProbe\":{\"httpGet\":{\"port\":80},\"periodSeconds\":2},"
        "\"lifecycle\":{\"postStart\":{\"exec\":{\"command\":[\"started\"]}},"
        "\"preStop\":{\"httpGet\":{\"port\":80}}},"
        "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"},"
        "{\"name\":\"d\",\"mountPath\":\"d\"},{\"name\":\"im\",\"mountPath\":\"/im\"}]}],"
        "\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}},{\"name\":\"im\",\"image\":{\"reference\":\"other\","
        "\"pullPolicy\":\"IfNotPresent\"}},"
        "{\"name\":\"d\",\"downwardAPI\":{\"items\":[{\"path\":\"p\",\"fieldRef\":{\"fieldPath\":"
        "\"metadata.labels\"}}]}}]}}";

/* -- what is asked of cri ---------------------------------------------------------------------------------- */

/* A request as bytes, without what counts failures: the sandbox's attempt and id. */
struct request {
        enum cri_method method;
        char name[32]; /* of the container */
        uint32_t attempt;
        size_t length;
        uint8_t bytes[16 * 1024];
};

#define REQUESTS_MAX 16
static struct request known[REQUESTS_MAX];
static size_t n_known;
static unsigned trial; /* the allocation that fails; 0: none, and what is asked for is taken down */

static void compare(const struct request *r) {
        for (size_t i = 0; i < n_known; i++) {
                if (known[i].method != r->method || strcmp(known[i].name, r->name) != 0 ||
                    known[i].attempt != r->attempt)
                        continue;
                if (known[i].length != r->length || memcmp(known[i].bytes, r->bytes, r->length) != 0)
                        fail_msg("allocation %u: the request of method %d, %s#%u is another", trial, r->method, r->name,
                                 r->attempt);
                return;
        }
        if (trial == 0 && n_known < REQUESTS_MAX)
                known[n_known++] = *r;
}

static void on_request(enum cri_method method, const ProtobufCMessage *request) {
        static struct request r;
        Cri__PodSandboxConfig *sandbox = NULL;
        char *id = NULL;

        memset(&r, 0, sizeof(r));
        r.method = method;
        if (method == CRI_RUN_POD_SANDBOX) {
                sandbox = ((Cri__RunPodSandboxRequest *)request)->config;
        } else if (method == CRI_CREATE_CONTAINER) {
                Cri__CreateContainerRequest *create = (Cri__CreateContainerRequest *)request;

                sandbox = create->sandbox_config;
                snprintf(r.name, sizeof(r.name), "%s", create->config->metadata->name);
                r.attempt = create->config->metadata->attempt;
                id = create->pod_sandbox_id;
                create->pod_sandbox_id = (char *)"";
        } else if (method == CRI_PULL_IMAGE) {
                sandbox = ((Cri__PullImageRequest *)request)->sandbox_config;
        } else
                return;
        sandbox->metadata->attempt = 0;
        r.length = protobuf_c_message_get_packed_size(request);
        assert_true(r.length > 0 && r.length <= sizeof(r.bytes));
        protobuf_c_message_pack(request, r.bytes);
        if (id)
                ((Cri__CreateContainerRequest *)request)->pod_sandbox_id = id;
        compare(&r);
}

/* -- a life ------------------------------------------------------------------------------------------------ */

static struct pod *read_pod(void) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_static_options how = { .file = "test.yaml", .node_name = "node" };
        struct problems problems;
        struct pod *pod = NULL;

        problems_init(&problems, arena, "test.yaml", NULL);
        assert_int_equal(pod_read_static(manifest, strlen(manifest), &how, &problems, &pod, NULL), 0);
        return pod;
}

/* The same with another limit. */
static struct pod *read_larger(void) {
        struct kube_resource_requirements *resources;
        struct pod *pod = read_pod();

        resources = &pod->spec.containers.items[0].resources;
        list_for_each (r, &resources->limits)
                if (strcmp(r->name, "cpu") == 0)
                        r->amount = quantity_from_units(2, QUANTITY_DECIMAL);
        return pod;
}

static struct pod *larger;

static void need(bool what, const char *text) {
        if (!what) {
                unsigned n = trial;

                memory_fail(0, 0);
                fail_msg("allocation %u: %s", n, text);
        }
}

/* What runs as it should: the worker's own status says so. */
static void need_status(struct world *w, const char *part) {
        struct json_writer out = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        int r;

        for (int i = 0; i < 100; i++) { /* the first may be those that fail */
                r = worker_write(w->worker, &out);
                if (r == 0 && json_writer_finish(&out, &text, NULL) == 0)
                        break;
                json_writer_done(&out);
                out = (struct json_writer)JSON_WRITER_INIT;
        }
        if (!text || !strstr(text, part)) {
                unsigned n = trial;

                memory_fail(0, 0);
                fail_msg("allocation %u: %s is not in %s", n, part,
                         text ? strstr(text, "\"status\":{") : "(no status)");
        }
}

static void write_message(struct world *w, const char *text) {
        char path[256];
        int fd;

        snprintf(path, sizeof(path), "%s/pods/u/containers/a/%u", w->root, w->containers[w->n_containers - 1].attempt);
        fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "no termination message");
        close(fd);
}

/* As agent/pods does: what has no memory to begin is begun again. */
static void begin(struct world *w, struct pod *pod) {
        for (int i = 0; i < 100 && !(w->worker = worker_new(&w->node, pod)); i++)
                ;
        need(w->worker, "no worker");
        w->gone = false;
        worker_start(w->worker);
}

static void take_up(struct world *w, struct pod *pod) {
        struct worker_found_container containers[WORLD_CONTAINERS];
        struct worker_found found = { .sandbox_id = w->sandbox, .containers = containers };
        int r = -1;

        for (size_t i = 0; i < w->n_containers; i++)
                if (!w->containers[i].removed && strcmp(w->containers[i].sandbox, w->sandbox) == 0)
                        containers[found.n_containers++] =
                                (struct worker_found_container){ w->containers[i].name, w->containers[i].id,
                                                                 w->containers[i].attempt };
        worker_free(w->worker);
        for (int i = 0; i < 100 && r < 0; i++) {
                world_run(w);
                while (!(w->worker = worker_new(&w->node, pod)))
                        ;
                if ((r = worker_take_up(w->worker, &found)) < 0)
                        worker_free(w->worker);
        }
        need(r == 0, "not taken up");
}

static void live(struct world *w, struct pod *pod, const char *how) {
        begin(w, pod);
        world_pass(w, A_WHILE);
        world_exit_of(w, "i", 0);
        world_pass(w, 2 * A_WHILE);
        need_status(w, "\"phase\":\"Running\"");
        need_status(w, "\"type\":\"Ready\",\"status\":\"True\"");
        write_message(w, "farewell");
        world_exit_of(w, "a", 3);
        world_pass(w, 2 * A_WHILE);
        need_status(w, "\"message\":\"farewell\"");
        if (strcmp(how, "take up") == 0) {
                take_up(w, pod);
                world_pass(w, A_WHILE);
                need_status(w, "\"phase\":\"Running\"");
                need_status(w, "\"type\":\"Ready\",\"status\":\"True\"");
        } else if (strcmp(how, "evict") == 0) {
                while (!worker_evict(w->worker, "The node was low on resource: x. ", 3, true))
                        ;
                world_pass(w, A_WHILE);
                need_status(w, "\"reason\":\"Evicted\"");
                need_status(w, "\"message\":\"The node was low on resource: x. \"");
        } else if (strcmp(how, "resize") == 0) {
                while (worker_update(w->worker, larger) < 0)
                        ;
                worker_defer(w->worker, "OutOfcpu", "not now");
                while (worker_allocate(w->worker) < 0)
                        ;
                world_pass(w, 2 * A_WHILE);
                need_status(w, "\"resources\":{\"limits\":{\"cpu\":\"2\"");
                need(!worker_before(w->worker), "it is not resized");
        } else if (strcmp(how, "renew") == 0) {
                world_sandbox_dies(w);
                world_pass(w, A_WHILE);
                world_exit_of(w, "i", 0);
                world_pass(w, 10 * A_WHILE);
                need_status(w, "\"phase\":\"Running\"");
        }
        worker_delete(w->worker);
        world_pass(w, 20 * A_WHILE);
        need(w->gone, "the pod has not gone");
        need(access(w->root, F_OK) == 0, "no root");
        for (size_t i = 0; i < w->n_containers; i++)
                need(w->containers[i].state != CRI__CONTAINER_STATE__CONTAINER_RUNNING, "a container runs on");
}

/* The same paths each time: requests name them. */
static struct world *make_world(void) {
        struct world *w = world_new();

        assert_int_equal(rmdir(w->dir), 0);
        snprintf(w->dir, sizeof(w->dir), "/dev/shm/nacelle-worker-%d", (int)getpid());
        assert_int_equal(mkdir(w->dir, 0700), 0);
        snprintf(w->root, sizeof(w->root), "%s/root", w->dir);
        snprintf(w->logs, sizeof(w->logs), "%s/logs", w->dir);
        return w;
}

static unsigned one(struct pod *pod, const char *how, unsigned n, unsigned length) {
        struct world *w = make_world();
        char path[128];
        unsigned asked;

        log_init("test", LOG_LEVEL_ERROR);
        w->on_request = on_request;
        w->probe_outcome = PROBE_SUCCESS;
        trial = n;
        memory_fail(n, length);
        live(w, pod, how);
        asked = memory_asked();
        memory_fail(0, 0);
        snprintf(path, sizeof(path), "%s/pods/u", w->root);
        need(access(path, F_OK) < 0, "the pod's directory is left");
        world_free(w);
        return asked;
}

static void sweep(const char *how, unsigned length) {
        struct pod *pod;
        unsigned n, step;
        long before;

        if (!memory_can_fail())
                skip();
        n_known = 0;
        pod = read_pod();
        larger = read_larger();
        one(pod, how, 0, 0); /* once, for what libc keeps */
        before = memory_balance();
        n = one(pod, how, 0, 0);
        assert_int_equal(memory_balance(), before);
        if (n < 500 || n_known < 5)
                fail_msg("%u allocations, %zu requests", n, n_known);
        step = memory_sweep_step(n, LIVES);
        for (unsigned i = 1 + (unsigned)getpid() % step; i <= n; i += step) {
                one(pod, how, i, length);
                if (memory_balance() != before)
                        fail_msg("%s: allocation %u leaks %ld", how, i, memory_balance() - before);
        }
        pod_unref(pod);
        larger = pod_unref(larger);
}

static void test_resize(void **state) {
        sweep("resize", 1);
}

static void test_restart_and_deletion(void **state) {
        sweep("delete", 1);
}

static void test_a_while_without_memory(void **state) {
        sweep("delete", 40);
}

static void test_take_up(void **state) {
        sweep("take up", 1);
}

static void test_eviction(void **state) {
        sweep("evict", 1);
}

static void test_renewal(void **state) {
        sweep("renew", 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_restart_and_deletion),
                cmocka_unit_test(test_a_while_without_memory),
                cmocka_unit_test(test_take_up),
                cmocka_unit_test(test_eviction),
                cmocka_unit_test(test_renewal),
                cmocka_unit_test(test_resize),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

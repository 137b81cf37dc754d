/* Each allocation in turn fails: reading a pod and using it ends in an error, not in a crash, and leaks nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/env.h"
#include "kube/pod.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "tests/unit/failing_malloc.h"

static const char manifest[] =
        "apiVersion: v1\nkind: Pod\n"
        "metadata: {name: web, labels: {app: shop}, annotations: &a {x: v}}\n"
        "spec:\n"
        "  initContainers: [{name: i, image: i, restartPolicy: Always}]\n"
        "  containers:\n"
        "  - name: a\n"
        "    image: i\n"
        "    args: [\"$(A)$(A)\"]\n"
        "    resources: {limits: {cpu: 250m, memory: 1Gi}}\n"
        "    env: [{name: A, value: x}, {name: B, value: $(A)},\n"
        "          {name: C, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]\n"
        "    livenessProbe: {httpGet: {port: 80}}\n"
        "    volumeMounts: [{name: v, mountPath: /v}]\n"
        "  volumes: [{name: v}, {name: d, downwardAPI: {items: [{path: p, fieldRef: {fieldPath: metadata.name}}]}}]\n"
        "  affinity: {x: [1, 2.5, {y: z}]}\n";

static int use(const struct pod *pod) {
        const struct pod_facts facts = { 0 };
        struct json_writer w = JSON_WRITER_INIT;
        struct arena *arena = arena_new();
        string_list args = { 0 };
        string_map made = { 0 };
        char *text = NULL;
        int r;

        pod_write(pod, &w);
        r = json_writer_finish(&w, &text, NULL);
        free(text);
        json_writer_done(&w);
        if (r >= 0)
                r = arena ? pod_environment(arena, pod, &pod->spec.containers.items[0], &facts, &made, NULL) : -ENOMEM;
        if (r >= 0)
                r = env_expand_list(arena, &pod->spec.containers.items[0].args, &made, &args);
        arena_free(arena);
        return r;
}

static int read_and_use(void) {
        const struct pod_static_options options = { .file = "f", .node_name = "n" };
        struct arena *arena = arena_new();
        static struct problems problems;
        struct err *err = NULL;
        struct pod *pod = NULL;
        int r = -ENOMEM;

        if (arena) {
                problems_init(&problems, arena, "f", NULL);
                r = pod_read_static(manifest, strlen(manifest), &options, &problems, &pod, &err);
                if (r >= 0)
                        r = use(pod);
        }
        pod_unref(pod);
        err_free(err);
        arena_free(arena);
        return r;
}

static void test_each_allocation(void **state) {
        assert_true(fail_each_allocation_or(read_and_use, -E2BIG) > 20);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_allocation) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

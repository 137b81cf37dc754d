/* A manifest of any bytes: read, and if it is a pod, everything that is computed from one. */
#include <stdint.h>
#include <stdlib.h>

#include "kube/pod/env.h"
#include "kube/pod/pod.h"
#include "kube/pod/node_selector.h"
#include "kube/problem.h"
#include "kube/pod/resources.h"
#include "kube/codec/strict.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct pod *pod) {
        const struct pod_facts facts = { .pod_ip = "10.0.0.1", .host_ip = "192.0.2.1" };
        struct json_writer w = JSON_WRITER_INIT;
        struct arena *arena = arena_new();
        struct quantity limit;
        string_map made;
        string_list args;
        char *text = NULL;

        pod_write(pod, NULL, &w);
        if (json_writer_finish(&w, &text, NULL) < 0)
                abort();
        free(text);
        pod_limit(pod, "memory", &limit);
        pod_request(pod, "cpu");
        pod_fits_node(&pod->spec, &pod->metadata.labels, "n");
        list_for_each (c, &pod->spec.containers) {
                pod_oom_score_adj(pod, c, (int64_t)1 << 30);
                if (pod_environment(arena, pod, c, &facts, &made, NULL) >= 0)
                        env_expand_list(arena, &c->args, &made, &args);
        }
        arena_free(arena);
}

static void hear(void *data, const char *text) {
        if (!text[0])
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct pod_static_options options = { .file = "fuzz.yaml", .node_name = "n", .seen = "" };
        struct arena *arena = arena_new();
        struct problems problems;
        struct err *err = NULL;
        struct pod *pod = NULL;

        kube_yaml_strict(&kube_pod_type, (const char *)data, size, hear, NULL);
        problems_init(&problems, arena, "fuzz.yaml", NULL);
        if (pod_read_static((const char *)data, size, &options, &problems, &pod, &err) >= 0)
                use(pod);
        else if (!err)
                abort();
        pod_unref(pod);
        err_free(err);
        arena_free(arena);
        return 0;
}

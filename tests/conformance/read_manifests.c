/* What the agent makes of manifests: a line of JSON for each file, for tests/conformance/test_manifests_as_kubelet.py.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json_writer.h"

static void write_warnings(struct json_writer *w, const struct problems *problems) {
        char line[1024];

        json_key(w, "warnings");
        json_begin_list(w);
        for (uint32_t i = 0; i < problems->count; i++)
                if (problems->items[i].warning)
                        json_string(w, problem_format(problems, &problems->items[i], line, sizeof(line)));
        json_end_list(w);
}

static void read_file(const char *file) {
        struct pod_static_options how = { .file = file, .node_name = "stock" };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL, *line = NULL;
        _cleanup_pod_ struct pod *pod = NULL;
        _cleanup_err_ struct err *err = NULL;
        struct problems problems;
        size_t length = 0;

        problems_init(&problems, arena, file, NULL);
        json_begin_map(&w);
        json_add_string(&w, "file", file);
        if (files_read(file, POD_MANIFEST_BYTES_MAX, &text, &length, &err) < 0 ||
            pod_read_static(text, length, &how, &problems, &pod, &err) < 0) {
                json_add_string(&w, "error", err_text(err));
        } else {
                json_key(&w, "pod");
                pod_write(pod, NULL, &w);
        }
        write_warnings(&w, &problems);
        json_end_map(&w);
        if (json_writer_finish(&w, &line, NULL) == 0)
                puts(line);
}

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                read_file(argv[i]);
        return 0;
}

/* The watched directory as a source of pods. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/cluster/cluster.h"
#include "agent/config/options.h"
#include "agent/directory/source.h"
#include "agent/pods/internal.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

static int decode(const char *file, const char *text, size_t length, const void *data, struct pod **ret_pod,
                  struct err **err) {
        const struct options *options = data;
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *path = NULL;
        struct problems problems;
        char line[1024];
        int r;

        if (!arena || asprintf(&path, "%s/%s", options->manifest_dir, file) < 0) {
                path = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }

        struct pod_static_options how = { .file = path, .node_name = options->node_name };
        problems_init(&problems, arena, path, NULL);
        r = pod_read_static(text, length, &how, &problems, ret_pod, err);
        for (uint32_t i = 0; i < problems.count; i++)
                if (problems.items[i].warning)
                        log_warning("%s", problem_format(&problems, &problems.items[i], line, sizeof(line)));
        return r;
}

static void on_pod(void *data, const char *file, struct pod *pod) {
        struct pods *pods = data;

        manifest_broken_drop(&pods->broken, file);
        desired_set(&pods->desired, file, pod, found_pods_claim(&pods->found, file, pod));
}

/* A pod that the file held before goes on, also when that was before the agent's start. */
static void on_unread(void *data, const char *file) {
        struct pods *pods = data;
        const struct found_pod *found =
                desired_find(&pods->desired, file) ? NULL : found_pods_of_file(&pods->found, file);

        if (found)
                desired_set(&pods->desired, file, pod_ref(found->pod), CLAIM_POD);
}

static void on_broken(void *data, const char *file, const char *text) {
        struct pods *pods = data;
        const struct desired *d;

        on_unread(data, file);
        d = desired_find(&pods->desired, file);
        manifest_broken_set(&pods->broken, file, text);
        log_error("%s%s%s", text, d ? "; going on with the pod that it held before: " : "",
                  d ? d->pod->metadata.name : "");
}

static void on_gone(void *data, const char *file) {
        struct pods *pods = data;

        manifest_broken_drop(&pods->broken, file);
        if (desired_drop(&pods->desired, file))
                pods_settle_later(pods);
}

static void on_looked(void *data) {
        struct pods *pods = data;
        bool first = !pods->synced;

        pods->synced = true;
        pods_reconcile(pods);
        if (first) {
                pods_end_orphans(pods);
                pods_reconcile(pods);
                if (pods->cluster)
                        cluster_statics_known(pods->cluster);
        }
}

static void discard(struct pod *pod) {
        pod_unref(pod);
}

int pods_watch(struct pods *pods, struct err **err) {
        struct source_events heard = {
                .decode = decode,
                .decode_data = pods->options,
                .pod = on_pod,
                .broken = on_broken,
                .unread = on_unread,
                .gone = on_gone,
                .looked = on_looked,
                .discard = discard,
                .data = pods,
        };

        return source_new(pods->loop, pods->pool, pods->options->manifest_dir, &heard, &pods->source, err);
}

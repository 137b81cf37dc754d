/* /checkpoint: a container's processes to an archive, by cri (KEP-2008). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/kubelet/call.h"
#include "agent/kubelet/internal.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json_writer.h"

#define TIME_TEXT_MAX 32 /* of RFC 3339 */

/* As kubelet calls it: ROOT/checkpoints/checkpoint-POD_NAMESPACE-CONTAINER-TIME.tar. */
static char *location_of(const struct kubelet_request *q, struct arena *arena, const struct kubelet_pod *pod) {
        const struct options *o = q->kubelet->world.options;
        char text[TIME_TEXT_MAX];
        time_t now = time(NULL);
        struct tm tm;

        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
        return arena_printf(arena, "%s/checkpoints/checkpoint-%s_%s-%s-%s.tar", o->root_dir, pod->pod->metadata.name,
                            pod->pod->metadata.namespace, http_param(q->x, "container"), text);
}

static void fail(struct kubelet_request *q, const char *why) {
        kubelet_text(q, 500, "checkpointing of %s/%s/%s failed (%s)", http_param(q->x, "namespace"),
                     http_param(q->x, "pod"), http_param(q->x, "container"), why);
}

static void on_done(struct kubelet_call *call, const ProtobufCMessage *response, const struct err *err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;

        if (err)
                return fail(call->q, err_text(err));
        json_begin_map(&w);
        json_key(&w, "items");
        json_begin_list(&w);
        json_string(&w, call->data);
        json_end_list(&w);
        json_end_map(&w);
        kubelet_answer_json(call->q, &w);
}

/* The last of the query's, in seconds; 0: none. */
static int read_timeout(struct kubelet_request *q, int64_t *ret_seconds) {
        const char *query = http_request_of(q->x)->query, *value, *last = NULL;
        char *end;

        while ((value = http_query_next(http_arena(q->x), &query, "timeout")))
                last = value;
        *ret_seconds = 0;
        if (!last)
                return 0;
        errno = 0;
        *ret_seconds = strtoll(last, &end, 10);
        return end == last || *end || errno ? -EINVAL : 0;
}

static void start(struct kubelet_request *q, const struct kubelet_pod *pod, const char *id, int64_t seconds) {
        struct kubelet_call *call = kubelet_call_new(q);
        Cri__CheckpointContainerRequest *request;
        _cleanup_free_ char *directory = NULL;

        if (!call)
                return;
        request = arena_new_of(call->arena, Cri__CheckpointContainerRequest);
        if (request)
                cri__checkpoint_container_request__init(request);
        if (asprintf(&directory, "%s/checkpoints", q->kubelet->world.options->root_dir) < 0)
                directory = NULL;
        if (!request || !directory || !(request->container_id = arena_strdup(call->arena, id)) ||
            !(request->location = location_of(q, call->arena, pod)) || files_make_private(directory, NULL) < 0) {
                kubelet_call_free(call);
                return fail(q, "there is no place for it");
        }
        request->timeout = seconds;
        call->data = request->location;
        call->done = on_done;
        kubelet_call_start(call, CRI_CHECKPOINT_CONTAINER, &request->base);
}

void kubelet_serve_checkpoint(struct kubelet_request *q) {
        const char *name = http_param(q->x, "container"), *id;
        struct kubelet_pod pod;
        int64_t seconds;

        if (!kubelet_find_pod(q, &pod))
                return kubelet_text(q, 404, "pod does not exist");
        if (!pod_find_container(pod.pod, name))
                return kubelet_text(q, 404, "container %s does not exist", name);
        if (read_timeout(q, &seconds) < 0)
                return kubelet_text(q, 404, "cannot parse value of timeout parameter");
        if (!(id = kubelet_find_running(q, &pod, name)))
                return fail(q, "container not found");
        start(q, &pod, id, seconds);
}

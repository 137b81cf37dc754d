/* /containerLogs: which log is meant, and how much of it. */
#include <errno.h>

#include "agent/kubelet/internal.h"
#include "agent/kubelet/log_choice.h"
#include "agent/kubelet/log_options.h"
#include "agent/kubelet/logs.h"
#include "kube/core_v1.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/clock.h"
#include "lib/err.h"

static void serve_container(struct kubelet_request *q, const struct kubelet_pod *pod,
                            const struct kubelet_log_options *options) {
        const struct kubelet_log_choice choice = { pod->pod->metadata.name, http_param(q->x, "container"),
                                                   options->previous };
        const struct kubelet_world *w = &q->kubelet->world;
        struct kube_pod_status status;
        _cleanup_err_ struct err *err = NULL;
        const char *id;
        int r = w->host->pod_status(w->data, pod->pod->metadata.uid, http_arena(q->x), &status);

        if (r == -ENOMEM)
                return http_reset(q->x, r);
        if (r < 0)
                return kubelet_log_refuse(q, "pod \"%s\" cannot be found - no logs available", choice.pod);
        if (kubelet_log_choose(&choice, &status, &id, &err) < 0)
                return kubelet_log_refuse(q, "%s", err_text(err));
        kubelet_log_start(q, options, id);
}

void kubelet_serve_logs(struct kubelet_request *q) {
        const char *name = http_param(q->x, "pod"), *container = http_param(q->x, "container");
        struct kubelet_log_options options;
        struct kubelet_pod pod;
        int r = kubelet_log_options_read(http_arena(q->x), http_request_of(q->x)->query, clock_ns(CLOCK_REALTIME),
                                         &options);

        if (r == -EBADMSG)
                return kubelet_text(q, 400, "{\"message\": \"Unable to decode query.\"}");
        if (r < 0)
                return kubelet_text(q, 422, "{\"message\": \"Invalid request.\"}");
        if (!kubelet_find_pod(q, &pod))
                return kubelet_text(q, 404, "pod \"%s\" does not exist", name);
        if (!pod_find_container(pod.pod, container))
                return kubelet_text(q, 404, "container \"%s\" not found in pod \"%s\"", container, name);
        serve_container(q, &pod, &options);
}

/* What is answered at once. */
#include <string.h>

#include "agent/kubelet/internal.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

static void answer(struct kubelet_request *q, int (*write)(void *data, struct json_writer *w)) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        int r = write(q->kubelet->world.data, &w);

        if (r < 0)
                json_writer_fail(&w, r);
        kubelet_answer_json(q, &w);
}

void kubelet_serve_pods(struct kubelet_request *q) {
        answer(q, q->kubelet->world.host->write_pods);
}

void kubelet_serve_events(struct kubelet_request *q) {
        answer(q, q->kubelet->world.host->write_events);
}

void kubelet_serve_files(struct kubelet_request *q) {
        answer(q, q->kubelet->world.host->write_files);
}

void kubelet_serve_node(struct kubelet_request *q) {
        answer(q, q->kubelet->world.host->write_node);
}

void kubelet_serve_metrics(struct kubelet_request *q) {
        kubelet_answer_metrics(q, q->kubelet->world.metrics(q->kubelet->world.data));
}

void kubelet_serve_probe_metrics(struct kubelet_request *q) {
        kubelet_answer_metrics(q, q->kubelet->world.host->probes(q->kubelet->world.data));
}

/* -- /healthz ---------------------------------------------------------------------------------------------- */

/* kubelet's checks. Who answers has a loop that turns, which is what they ask. */
static const char *const checks[] = { "ping", "log", "syncloop" };

static void tell_checks(struct kubelet_request *q) {
        const char *text = "";

        for (size_t i = 0; i < ELEMENTS(checks) && text; i++)
                text = arena_printf(http_arena(q->x), "%s[+]%s ok\n", text, checks[i]);
        kubelet_text(q, 200, "%shealthz check passed\n", text ?: "");
}

void kubelet_serve_health(struct kubelet_request *q) {
        const char *check = http_param(q->x, "check");

        for (size_t i = 0; check && i < ELEMENTS(checks); i++)
                if (strcmp(check, checks[i]) == 0)
                        return kubelet_text(q, 200, "ok");
        if (check)
                return kubelet_text(q, 404, "404 page not found\n");
        if (kubelet_query(q, "verbose"))
                return tell_checks(q);
        kubelet_text(q, 200, "ok");
}

/* -- /runningpods ------------------------------------------------------------------------------------------ */

struct running_pods {
        struct cri *cri;
        struct arena *arena;
        struct json_writer *w;
        struct kube_pod pod;
        struct kube_container *containers;
        uint32_t n, size;
};

#define CONTAINERS_MAX 256 /* of a pod that runs */

static bool add_container(void *data, const struct cri_container_info *info) {
        struct running_pods *r = data;

        if (info->state == CRI__CONTAINER_STATE__CONTAINER_RUNNING && r->n < CONTAINERS_MAX)
                r->containers[r->n++] = (struct kube_container){ .name = info->name, .image = info->image_id };
        return true;
}

static bool add_pod(void *data, const struct cri_sandbox_info *info) {
        struct running_pods *r = data;

        r->n = 0;
        cri_each_container(r->cri, info->id, add_container, r);
        if (r->n == 0 && !info->ready)
                return true;
        r->pod = (struct kube_pod){ 0 };
        r->pod.metadata.name = info->name;
        r->pod.metadata.namespace = info->namespace_;
        r->pod.metadata.uid = info->uid;
        r->pod.spec.containers.items = r->n > 0 ? r->containers : NULL; /* null, as Go has none */
        r->pod.spec.containers.count = r->n;
        kube_json_write(r->w, &kube_pod_type, &r->pod);
        return true;
}

/* What the runtime has, whoever wants it. */
void kubelet_serve_running_pods(struct kubelet_request *q) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        struct running_pods running = { .cri = q->kubelet->world.cri, .w = &w };

        running.containers = arena_alloc_array(http_arena(q->x), CONTAINERS_MAX, sizeof(*running.containers));
        if (!running.containers)
                return kubelet_text(q, 500, "out of memory");
        kube_json_begin_items(&w, "PodList");
        cri_each_sandbox(running.cri, add_pod, &running);
        kube_json_end_items(&w);
        kubelet_answer_json(q, &w);
}

/* What workers reach of the world: cri, the pool, the clock, probes, timers. */
#include <string.h>

#include "agent/cluster/cluster.h"
#include "agent/container/log_links.h"
#include "agent/eviction/eviction.h"
#include "agent/pods/internal.h"
#include "agent/shutdown/shutdown.h"
#include "cri/state/events.h"
#include "lib/log.h"

static void op_call_cri(void *data, enum cri_method method, const ProtobufCMessage *request,
                        const struct trace_parent *parent, cri_done_fn done, void *done_data) {
        cri_call_traced(((struct pods *)data)->cri, method, request, &(struct cri_caller){ SPAN_INTERNAL, parent },
                        done, done_data);
}

static int op_sandbox_get(void *data, const char *id, struct cri_sandbox_info *ret_info) {
        return cri_sandbox_get(((struct pods *)data)->cri, id, ret_info);
}

static int op_container_get(void *data, const char *id, struct cri_container_info *ret_info) {
        return cri_container_get(((struct pods *)data)->cri, id, ret_info);
}

static void op_submit(void *data, struct pool_job *job) {
        pool_submit(((struct pods *)data)->pool, job);
}

/* Wall time as it was at the start, carried on by the monotonic clock: a clock that is set does not end a pod. */
int64_t pods_now(void *data) {
        return ((struct pods *)data)->clock_base + (int64_t)(uv_hrtime() / 1000000);
}

static void on_timer(uv_timer_t *timer) {
        struct pods_slot *slot = timer->data;
        struct pods *pods = slot->pods;

        if (!slot->gone) {
                worker_tick(slot->worker);
                return;
        }
        log_info("pod %s/%s: gone", worker_pod(slot->worker)->metadata.namespace,
                 worker_pod(slot->worker)->metadata.name);
        if (pods->cluster)
                cluster_pod_gone(pods->cluster, slot->uid);
        if (pods->cluster)
                cluster_static_gone(pods->cluster, slot->uid);
        pods_slot_drop(slot);
        pods_reconcile(pods);
}

static void op_set_timer(void *data, struct worker *worker, int64_t at) {
        struct pods_slot *slot = worker_owner(worker);
        int64_t now = pods_now(data);

        if (slot->gone)
                return;
        if (at == NODE_NEVER) {
                uv_timer_stop(&slot->timer);
                return;
        }
        uv_update_time(slot->pods->loop);
        uv_timer_start(&slot->timer, on_timer, at > now ? (uint64_t)(at - now) : 0, 0);
}

static int op_probe_start(void *data, const struct probe_target *target, probe_done done, void *done_data,
                          struct probe **ret_probe, struct err **err) {
        return probe_start(((struct pods *)data)->loop, target, done, done_data, ret_probe, err);
}

static void op_probe_cancel(void *data, struct probe *probe) {
        probe_cancel(probe);
}

static void op_changed(void *data, struct worker *worker) {
        struct pods *pods = data;

        eviction_changed(pods->eviction, worker);
        shutdown_look(pods->shutdown);
        if (!worker_holds(worker))
                pods_release(pods, worker_pod(worker)->metadata.uid);
        if (!worker_uses_sources(worker))
                pods_drop_sources(pods, worker_pod(worker)->metadata.uid);
        pods_look(pods);
        if (pods->cluster)
                cluster_pod_changed(pods->cluster, worker_pod(worker)->metadata.uid);
}

/* Called from inside the worker: it is freed on the loop's next turn. */
static void op_gone(void *data, struct worker *worker) {
        struct pods_slot *slot = worker_owner(worker);

        slot->gone = true;
        uv_timer_start(&slot->timer, on_timer, 0, 0);
}

static struct node_world_ops world_ops = {
        .call = op_call_cri,
        .sandbox_get = op_sandbox_get,
        .container_get = op_container_get,
        .submit = op_submit,
        .now = pods_now,
        .probe_start = op_probe_start,
        .probe_cancel = op_probe_cancel,
        .sources = pods_get_sources,
        .sources_known = pods_know_sources,
        .services = pods_get_services,
};

static const struct worker_ops worker_ops = {
        .set_timer = op_set_timer,
        .changed = op_changed,
        .gone = op_gone,
};

void pods_set_world(struct pods *pods, struct events *events) {
        pods_set_grant_ops(&world_ops);
        pods->node = (struct worker_node){
                .world = {
                        .ops = &world_ops,
                        .data = pods,
                        .options = pods->options,
                        .events = events,
                        .tracer = cri_tracer(pods->cri),
                        .host_ip = pods->facts.ip[0] ? pods->facts.ip : NULL,
                        .memory_bytes = pods->facts.memory_bytes,
                        .cpu_milli = pods->facts.cpu_milli,
                        .disk_bytes = pods->facts.disk_bytes,
                },
                .ops = &worker_ops,
                .data = pods,
                .pulls.most = (unsigned)(pods->options->max_parallel_pulls > 0 ? pods->options->max_parallel_pulls : 0),
        };
}

void pods_heard(void *data, const struct cri_event *event) {
        struct pods *pods = data;
        struct cri_container_info info;
        bool known = event->container_id && cri_container_get(pods->cri, event->container_id, &info) == 0;
        struct pods_slot *slot = pods_slot_by_sandbox(pods, event->sandbox_id);

        log_links_heard(pods->pool, slot ? worker_pod(slot->worker) : NULL, event, known ? &info : NULL,
                        pods->options->pod_logs_dir);
        if (slot)
                worker_heard(slot->worker, event);
}

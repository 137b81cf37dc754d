/* What others may know of the node's pods: kubelet's API, the `nacelle` command. */
#include <errno.h>
#include <stdlib.h>

#include "agent/cluster/cluster.h"
#include "agent/container/container.h"
#include "agent/eviction/eviction.h"
#include "agent/kubelet/kubelet.h"
#include "agent/node/events.h"
#include "agent/node/metrics.h"
#include "agent/pods/internal.h"
#include "agent/shutdown/shutdown.h"
#include "kube/codec/codec.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/metrics.h"

static int write_pods(void *data, struct json_writer *w) {
        struct pods *pods = data;
        int r = 0;

        kube_json_begin_items(w, "PodList");
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (!slot->gone && r == 0)
                        r = worker_write(slot->worker, w);
        kube_json_end_items(w);
        return r;
}

static int write_events(void *data, struct json_writer *w) {
        events_write(((struct pods *)data)->node.world.events, w);
        return 0;
}

static int write_files(void *data, struct json_writer *w) {
        struct pods *pods = data;

        manifest_files_write(pods->options, &pods->desired, &pods->broken, w);
        return 0;
}

static char *write_metrics(void *data) {
        struct eviction_counters evictions;
        struct shutdown_times shutdown;
        struct pods *pods = data;
        const struct metrics_node node = { pods->options->node_name, (unsigned)pods_count(pods), &evictions,
                                           &shutdown };

        eviction_get_counters(pods->eviction, &evictions);
        shutdown_get_times(pods->shutdown, &shutdown);
        return metrics_text(pods->cri, &node);
}

static int write_node(void *data, struct json_writer *w) {
        return eviction_write_node(((struct pods *)data)->eviction, w);
}

static void each_pod(void *data, bool (*each)(void *each_data, const struct kubelet_pod *pod), void *each_data) {
        struct pods *pods = data;

        LIST_EACH (pods_slots, slot, &pods->slots) {
                const struct kubelet_pod pod = { worker_pod(slot->worker), worker_sandbox(slot->worker) };

                if (!slot->gone && !each(each_data, &pod))
                        return;
        }
}

static int pod_status(void *data, const char *uid, struct arena *arena, struct kube_pod_status *ret_status) {
        const struct pods_slot *slot = pods_slot_by_uid(data, uid);

        return slot && !slot->gone ? worker_status(slot->worker, arena, ret_status) : -ENOENT;
}

/* -- of probes --------------------------------------------------------------------------------------------- */

struct probe_writer {
        struct metrics_writer w;
        const struct kube_object_meta *pod;
};

static void write_probe(void *data, const struct worker_probe *probe) {
        static const char *const results[MEMBER_PROBE_RESULTS] = { "successful", "failed", "unknown" };
        struct probe_writer *p = data;

        for (int i = 0; i < MEMBER_PROBE_RESULTS; i++) {
                const struct metrics_label labels[] = {
                        { "container", probe->container }, { "namespace", p->pod->namespace }, { "pod", p->pod->name },
                        { "pod_uid", p->pod->uid },        { "probe_type", probe->type },      { "result", results[i] },
                };

                if (probe->results[i] > 0)
                        metrics_sample(&p->w, labels, ELEMENTS(labels), probe->results[i]);
        }
}

static char *write_probes(void *data) {
        struct pods *pods = data;
        size_t length = 0;
        char *text = NULL;
        struct probe_writer p = { .w.out = open_memstream(&text, &length) };

        if (!p.w.out)
                return NULL;
        metrics_family(&p.w, "prober_probe_total", METRICS_COUNTER,
                       "[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result.");
        LIST_EACH (pods_slots, slot, &pods->slots) {
                p.pod = &worker_pod(slot->worker)->metadata;
                if (!slot->gone)
                        worker_each_probe(slot->worker, write_probe, &p);
        }
        if (fclose(p.w.out) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

void pods_tell_kubelet(struct pods *pods, struct kubelet_world *world) {
        static const struct kubelet_host host = {
                .write_pods = write_pods,
                .write_events = write_events,
                .write_files = write_files,
                .write_node = write_node,
                .each_pod = each_pod,
                .probes = write_probes,
                .pod_status = pod_status,
        };

        world->host = &host;
        world->cgroups = pods->cgroups;
        world->client = pods->cluster ? cluster_client(pods->cluster) : NULL;
        world->metrics = write_metrics;
        world->data = pods;
}

/* -- for the command --------------------------------------------------------------------------------------- */

struct telling {
        void (*part)(void *data, enum cri_node_part kind, const char *json);
        void *data;
};

static void tell_part(const struct telling *t, enum cri_node_part kind, int (*write)(void *data, struct json_writer *w),
                      void *data) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        int r = write(data, &w);

        if (json_writer_finish(&w, &text, NULL) == 0 && r == 0)
                t->part(t->data, kind, text);
}

static int write_slot(void *data, struct json_writer *w) {
        return worker_write(((struct pods_slot *)data)->worker, w);
}

void pods_tell(void *data, void (*part)(void *data, enum cri_node_part kind, const char *json), void *part_data) {
        const struct telling telling = { part, part_data };
        struct pods *pods = data;

        tell_part(&telling, CRI_NODE_FILES, write_files, pods);
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (!slot->gone)
                        tell_part(&telling, CRI_NODE_POD, write_slot, slot);
        tell_part(&telling, CRI_NODE_EVENTS, write_events, pods);
}

/* What others may know of the node's pods: kubelet's API, the `nacelle` command. */
#include <errno.h>
#include <stdlib.h>

#include "agent/cluster/cluster.h"
#include "agent/eviction/eviction.h"
#include "agent/kubelet/kubelet.h"
#include "agent/node/events.h"
#include "agent/pods/internal.h"
#include "kube/codec/codec.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

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

/* Of one that is gone, too, as long as it is being told so. */
int pods_status_of(void *pods, const char *uid, struct arena *arena, struct kube_pod_status *ret_status) {
        const struct pods_slot *slot = pods_slot_by_uid(pods, uid);

        return slot ? worker_status(slot->worker, arena, ret_status) : -ENOENT;
}

void pods_tell_kubelet(struct pods *pods, struct kubelet_world *world) {
        static const struct kubelet_host host = {
                .write_pods = write_pods,
                .write_events = write_events,
                .write_files = write_files,
                .write_node = write_node,
                .each_pod = each_pod,
                .probes = pods_probe_metrics,
                .pod_status = pods_status_of,
        };

        world->host = &host;
        world->cgroups = pods->cgroups;
        world->client = pods->cluster ? cluster_client(pods->cluster) : NULL;
        world->metrics = pods_metrics;
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

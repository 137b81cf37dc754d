/* The host's way down, as far as pods and the node's status have to do with it. */
#include "agent/shutdown/shutdown.h"

#include "agent/cluster/cluster.h"
#include "agent/pods/internal.h"

/* Pods of files that ended for a shutdown which does not come: they go, and are wanted still. */
static void begin_anew(struct pods *pods) {
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (!slot->gone && !pods_is_remote(worker_pod(slot->worker)) &&
                    (slot->late || worker_is_shut_down(slot->worker)))
                        worker_delete(slot->worker);
}

static void on_changed(void *data, bool under_way) {
        struct pods *pods = data;

        if (pods->cluster)
                cluster_node_shuts(pods->cluster, under_way);
        if (!under_way)
                begin_anew(pods);
}

static bool is_told(void *data) {
        const struct pods *pods = data;

        return !pods->cluster || cluster_has_told(pods->cluster);
}

int pods_await_shutdown(struct pods *pods, struct err **err) {
        const struct shutdown_world world = {
                .loop = pods->loop,
                .pool = pods->pool,
                .options = pods->options,
                .events = pods->node.world.events,
                .data = pods,
                .each_worker = pods_each_worker,
                .changed = on_changed,
                .is_told = is_told,
        };

        return shutdown_new(&world, &pods->shutdown, err);
}

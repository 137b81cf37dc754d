/* The API service as a source of pods, and what it is told of them. */
#include "agent/cluster/cluster.h"
#include "agent/config/options.h"
#include "agent/eviction/eviction.h"
#include "agent/pods/internal.h"

static int on_node_status(void *data, struct arena *arena, struct kube_node_status *ret_status) {
        return eviction_node_status(((struct pods *)data)->eviction, arena, ret_status);
}

int pods_join(struct pods *pods, struct err **err) {
        const struct cluster_events heard = { .node_status = on_node_status, .data = pods };

        return pods->options->kubeconfig ? cluster_new(pods->loop, pods->options, &heard, &pods->cluster, err) : 0;
}

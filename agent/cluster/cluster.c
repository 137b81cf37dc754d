#include "agent/cluster/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "agent/cluster/internal.h"
#include "agent/config/options.h"
#include "agent/node/events.h"
#include "client/recorder.h"
#include "client/remote.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "services/services.h"

unsigned cluster_back_off(struct cluster_patience *patience) {
        unsigned ms = patience->ms ? patience->ms * 2 : CLUSTER_RETRY_MIN_MS;

        patience->ms = ms < CLUSTER_RETRY_MAX_MS ? ms : CLUSTER_RETRY_MAX_MS;
        return patience->ms;
}

static int connect_to(struct cluster *c, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct client_remote_config config = { 0 };
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = client_kubeconfig(arena, c->options->kubeconfig, &config, err)) < 0)
                return r;
        config.agent = "nacelle-agent/" NACELLE_VERSION;
        return client_remote_new(c->loop, &config, &c->client, err);
}

int cluster_new(uv_loop_t *loop, const struct options *options, const struct cluster_events *events,
                const struct cluster_host *host, struct cluster **ret_cluster, struct err **err) {
        struct cluster *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return err_set(err, ENOMEM, "out of memory");
        *c = (struct cluster){ .loop = loop, .options = options, .events = *events, .host = *host };
        if ((r = connect_to(c, err)) == 0 && !(c->recorder = recorder_new(c->client, &cluster_event_kind, "kubelet")))
                r = err_set(err, ENOMEM, "out of memory");
        if (r < 0) {
                cluster_free(c);
                return err_wrap(err, r, "--kubeconfig");
        }
        if ((r = cluster_network_new(c, err)) < 0) {
                cluster_free(c);
                return r;
        }
        *ret_cluster = c;
        return 0;
}

int cluster_start(struct cluster *c) {
        int r;

        if ((r = cluster_node_start(c)) < 0)
                return r;
        if ((r = cluster_lease_start(c)) < 0)
                return r;
        if ((r = cluster_mirrors_start(c)) < 0 || (r = cluster_pods_start(c)) < 0)
                return r;
        return services_start(c->services);
}

void cluster_event(struct cluster *c, const struct event_object *object, bool warning, const char *reason,
                   const char *text) {
        const struct recorder_note note = { warning ? "Warning" : "Normal", reason, text };
        const struct recorder_object about = { "v1", object->kind ?: "Pod", object->namespace_, object->name,
                                               object->uid };

        if (object->kind || cluster_pod_find(c, object->uid) || cluster_mirror_of(c, object->uid))
                recorder_tell(c->recorder, &about, &note, time(NULL));
}

void cluster_free(struct cluster *c) {
        if (!c)
                return;
        services_free(c->services);
        cluster_own_stop(c);
        cluster_pods_stop(c);
        cluster_mirrors_stop(c);
        cluster_lease_stop(c);
        cluster_node_stop(c);
        recorder_free(c->recorder);
        client_remote_free(c->client);
        free(c);
}

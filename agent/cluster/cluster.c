#include "agent/cluster/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/cluster/internal.h"
#include "agent/config/options.h"
#include "agent/identity/identity.h"
#include "agent/node/events.h"
#include "client/recorder.h"
#include "lib/log.h"
#include "services/services.h"

unsigned cluster_back_off(struct cluster_patience *patience) {
        unsigned ms = patience->ms ? patience->ms * 2 : CLUSTER_RETRY_MIN_MS;

        patience->ms = ms < CLUSTER_RETRY_MAX_MS ? ms : CLUSTER_RETRY_MAX_MS;
        return patience->ms;
}

static int begin(struct cluster *c) {
        int r;

        if ((r = cluster_node_start(c)) < 0)
                return r;
        if ((r = cluster_lease_start(c)) < 0)
                return r;
        if ((r = cluster_mirrors_start(c)) < 0 || (r = cluster_pods_start(c)) < 0)
                return r;
        return services_start(c->services);
}

/* The node has an identity. */
static void on_known(void *data) {
        struct cluster *c = data;

        if (begin(c) < 0)
                log_error("the cluster: out of memory");
        c->events.known(c->events.data);
}

static void on_serving(void *data) {
        struct cluster *c = data;

        if (c->events.serving)
                c->events.serving(c->events.data);
}

static void on_clock(void *data) {
        struct cluster *c = data;

        if (c->events.clock)
                c->events.clock(c->events.data);
}

static int connect_to(struct cluster *c, struct err **err) {
        const struct identity_config config = { .loop = c->loop,
                                                .pool = c->host.pool,
                                                .options = c->options,
                                                .events = { .known = on_known,
                                                            .names = cluster_node_names,
                                                            .serving = on_serving,
                                                            .clock = on_clock,
                                                            .data = c } };
        int r = identity_new(&config, &c->identity, err);

        if (r < 0)
                return r;
        c->client = identity_client(c->identity);
        c->recorder = recorder_new(c->client, &cluster_event_kind, "kubelet", c->options->node_name);
        return c->recorder ? 0 : err_set(err, ENOMEM, "out of memory");
}

int cluster_new(uv_loop_t *loop, const struct options *options, const struct cluster_events *events,
                const struct cluster_place *host, struct cluster **ret_cluster, struct err **err) {
        struct cluster *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return err_set(err, ENOMEM, "out of memory");
        *c = (struct cluster){ .loop = loop, .options = options, .events = *events, .host = *host };
        if ((r = connect_to(c, err)) < 0 || (r = cluster_network_new(c, err)) < 0) {
                cluster_free(c);
                return r;
        }
        *ret_cluster = c;
        return 0;
}

struct client *cluster_client(const struct cluster *c) {
        return c->client;
}

int cluster_start(struct cluster *c) {
        return identity_start(c->identity);
}

void cluster_look_at(struct cluster *c, const struct client_answer *answer) {
        if (c->identity && (answer->code == 401 || answer->code == 403))
                identity_doubt(c->identity);
}

void cluster_event(struct cluster *c, const struct event_object *object, bool warning, const char *reason,
                   const char *text) {
        struct cluster_pod *pod = object->kind ? NULL : cluster_pod_find(c, object->uid);
        const struct recorder_note note = { warning ? "Warning" : "Normal", reason, text };
        const struct recorder_object about = { "v1", object->kind ?: "Pod", object->namespace_, object->name,
                                               object->uid };
        char field[320] = ""; /* a container's list and name */

        if (object->container)
                snprintf(field, sizeof(field), "spec.%s{%s}", object->list, object->container);
        if (c->node.timer && (object->kind || pod || cluster_mirror_of(c, object->uid)))
                recorder_tell_of(c->recorder, &about, field, &note, time(NULL));
        if (pod && (warning || (strcmp(reason, "Pulling") == 0 && !pod->renewed)))
                cluster_report_soon(pod);
}

const char *cluster_serving(const struct cluster *c) {
        return identity_serving(c->identity);
}

void cluster_certificates_end(const struct cluster *c, int64_t *ret_client, int64_t *ret_serving) {
        identity_ends(c->identity, ret_client, ret_serving);
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
        identity_free(c->identity);
        free(c);
}

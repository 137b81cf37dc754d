/* The API service as a source of pods beside the directory, and what it is told of them. */
#include <stdio.h>
#include <string.h>

#include "agent/cluster/cluster.h"
#include "agent/config/options.h"
#include "agent/devices/devices.h"
#include "agent/eviction/eviction.h"
#include "agent/kubelet/kubelet.h"
#include "agent/node/events.h"
#include "agent/pods/internal.h"
#include "agent/shutdown/shutdown.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* In place of a file's name in what is wanted. */
#define NAME_MAX_OF_UID (POD_UID_MAX + sizeof("api/"))

static const char *name_of(const char *uid, char ret_name[NAME_MAX_OF_UID]) {
        snprintf(ret_name, NAME_MAX_OF_UID, "api/%s", uid);
        return ret_name;
}

/* -- what it wants ----------------------------------------------------------------------------------------- */

/* Takes @pod. */
static void set(struct pods *pods, struct pod *pod) {
        enum desired_claim claim = found_pods_get(&pods->found, pod->metadata.uid) ? CLAIM_POD : CLAIM_NONE;
        char name[NAME_MAX_OF_UID];

        desired_set(&pods->desired, name_of(pod->metadata.uid, name), pod, claim);
}

static void on_pod(void *data, struct pod *pod) {
        set(data, pod);
        pods_reconcile(data);
}

static void drop(struct pods *pods, const char *uid) {
        char name[NAME_MAX_OF_UID];

        if (desired_drop(&pods->desired, name_of(uid, name)))
                pods_settle_later(pods);
}

static void on_end(void *data, const char *uid, int64_t grace) {
        struct pods *pods = data;
        struct pods_slot *slot = pods_slot_by_uid(pods, uid);

        if (slot && !slot->gone && grace != NODE_NEVER)
                worker_set_grace(slot->worker, grace);
        if (slot)
                slot->removed = grace == NODE_NEVER;
        drop(pods, uid);
        if (slot && !slot->gone)
                worker_delete(slot->worker);
        pods_look(pods);
        pods_reconcile(pods);
}

/* What was kept from before, and is not wanted any more: nobody knows when its time began, and as nobody can ask for a
 * shorter one any more, it is over, as for kubelet (HandlePodCleanups()). */
static void on_listed(void *data) {
        struct pods *pods = data;

        for (size_t i = pods->desired.n; i-- > 0;) {
                const struct desired *d = &pods->desired.items[i];
                const char *uid = d->pod->metadata.uid;
                const struct pods_slot *slot = pods_slot_by_uid(pods, uid);

                if (d->remote && !cluster_wants(pods->cluster, uid)) {
                        log_info("pod %s/%s: the API service does not want it any more", d->pod->metadata.namespace,
                                 d->pod->metadata.name);
                        if (slot && !slot->gone)
                                worker_set_grace(slot->worker, WORKER_GRACE_MIN_S);
                        drop(pods, uid);
                }
        }
        pods_reconcile(pods);
}

bool pods_is_remote(const struct pod *pod) {
        list_for_each (a, &pod->metadata.annotations)
                if (strcmp(a->key, "kubernetes.io/config.source") == 0)
                        return strcmp(a->value, "api") == 0;
        return false;
}

void pods_tell_static(struct pods *pods, struct pod *pod) {
        if (pods->cluster && !pods_is_remote(pod) && cluster_static_pod(pods->cluster, pod) < 0)
                log_error("pod %s/%s: the API service does not hear of it: out of memory", pod->metadata.namespace,
                          pod->metadata.name);
}

void pods_keep_joined(struct pods *pods) {
        for (size_t i = 0; i < pods->found.n && pods->cluster; i++) {
                const struct found_pod *found = &pods->found.items[i];

                if (found->pod && pods_is_remote(found->pod))
                        set(pods, pod_ref(found->pod));
        }
}

/* -- what it is told --------------------------------------------------------------------------------------- */

static bool on_has(void *data, const char *uid) {
        struct pods *pods = data;
        const struct found_pod *found = found_pods_get(&pods->found, uid);

        return pods_slot_by_uid(pods, uid) || (found && !found->taken);
}

static bool on_pod_renews(void *data, const char *uid) {
        const struct pods_slot *slot = pods_slot_by_uid(data, uid);

        return slot && !slot->gone && worker_renews(slot->worker);
}

static int on_node_status(void *data, struct arena *arena, struct kube_node_status *ret_status) {
        struct pods *pods = data;
        int r = eviction_node_status(pods->eviction, arena, ret_status);

        if (r < 0)
                return r;
        if ((r = pods_tell_devices(pods, arena, ret_status)) < 0)
                return r;
        pods_tell_runtime(pods, ret_status);
        pods_ask_runtime(pods);
        return 0;
}

static bool on_is_new(void *data) {
        return devices_is_new(((const struct pods *)data)->devices);
}

static void on_event(void *data, const struct event_object *object, bool warning, const char *reason,
                     const char *text) {
        struct pods *pods = data;

        if (pods->cluster)
                cluster_event(pods->cluster, object, warning, reason, text);
}

static void on_told(void *data) {
        shutdown_look(((struct pods *)data)->shutdown);
}

static void on_network(void *data) {
        pods_reconcile(data);
}

static bool on_moved(void *data) {
        struct pods *pods = data;
        struct node_facts now;

        node_facts_read(pods->options->node_ip, pods->options->root_dir, &now);
        if (strcmp(now.ip, pods->facts.ip) == 0)
                return false;
        log_warning("the node's address is %s now; it was %s", *now.ip ? now.ip : "not known", pods->facts.ip);
        memcpy(pods->facts.ip, now.ip, sizeof(now.ip));
        pods->node.world.host_ip = *now.ip ? pods->facts.ip : NULL;
        return true;
}

bool pods_await_network(struct pods *pods, struct desired *d) {
        const char *why = pods->cluster && !d->pod->spec.host_network ? cluster_unready(pods->cluster) : NULL;
        const struct event_object object = { .namespace_ = d->pod->metadata.namespace,
                                             .name = d->pod->metadata.name,
                                             .uid = d->pod->metadata.uid };

        if (why && !d->refused_said)
                events_add(pods->node.world.events, &object, true, "NetworkNotReady", "network is not ready: %s", why);
        d->refused_said |= why != NULL;
        return why;
}

static void on_serving(void *data) {
        struct pods *pods = data;
        const char *pem = pods->cluster ? cluster_serving(pods->cluster) : NULL;
        _cleanup_err_ struct err *err = NULL;

        if (pem && pods->kubelet && kubelet_set_certificate(pods->kubelet, pem, pem, &err) < 0)
                log_error("kubelet's API: the certificate that the cluster has signed: %s", err_text(err));
}

void pods_set_kubelet(struct pods *pods, struct kubelet *kubelet) {
        pods->kubelet = kubelet;
        on_serving(pods);
}

int pods_join(struct pods *pods, struct err **err) {
        const struct cluster_events heard = {
                .node_status = on_node_status,
                .is_new = on_is_new,
                .known = pods_ask_sources,
                .pod = on_pod,
                .end = on_end,
                .listed = on_listed,
                .has = on_has,
                .pod_status = pods_status_of,
                .pod_renews = on_pod_renews,
                .serving = on_serving,
                .clock = pods_age_sources,
                .told = on_told,
                .network = on_network,
                .moved = on_moved,
                .data = pods,
        };
        int r;

        const struct cluster_place host = { pods->pool, cri_network(pods->cri) };

        if (!pods->options->kubeconfig)
                return 0;
        events_listen(pods->node.world.events, on_event, pods);
        if ((r = cluster_new(pods->loop, pods->options, &heard, &host, &pods->cluster, err)) < 0)
                return r;
        return pods_begin_sources(pods, err);
}

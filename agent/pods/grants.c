/* What pods get of the node beside its amounts, before they start: devices of plugins. A pod that waits for a plugin
 * has no worker yet, but counts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/admission/admission.h"
#include "agent/cluster/cluster.h"
#include "agent/config/options.h"
#include "agent/devices/devices.h"
#include "agent/node/grant.h"
#include "agent/pods/internal.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* A pod that the node takes and that is being given what it asks for, or was. */
struct pods_grant {
        struct list_node in_grants;
        struct pods *pods;
        struct pod *pod;                 /* a reference */
        struct devices_request *request; /* under way */
        char *refusal;                   /* NULL: it was not refused */
};
LIST_FUNCTIONS(pods_grants, struct pods_grant, in_grants)

static struct pods_grant *find(const struct pods *pods, const char *uid) {
        LIST_EACH (pods_grants, g, &pods->grants)
                if (strcmp(g->pod->metadata.uid, uid) == 0)
                        return g;
        return NULL;
}

static void drop(struct pods_grant *g) {
        if (g->request)
                devices_cancel(g->request);
        pods_grants_remove(g);
        g->pods->n_grants--;
        pod_unref(g->pod);
        free(g->refusal);
        free(g);
}

static struct pods_grant *make(struct pods *pods, struct pod *pod) {
        struct pods_grant *g = calloc(1, sizeof(*g));

        if (!g)
                return NULL;
        g->pods = pods;
        g->pod = pod_ref(pod);
        pods_grants_append(&pods->grants, g);
        pods->n_grants++;
        return g;
}

/* -- asking ------------------------------------------------------------------------------------------------ */

static void on_devices(void *data, const struct err *err) {
        struct pods_grant *g = data;
        struct pods *pods = g->pods;

        g->request = NULL;
        if (err && !(g->refusal = strdup(err_text(err)))) {
                drop(g); /* asked again, and then refused again */
                pods_retry_later(pods);
                return;
        }
        pods_reconcile(pods);
}

static int refuse(struct pods *pods, const struct pod *pod, const char *why, struct rejection *ret) {
        snprintf(ret->reason, sizeof(ret->reason), "UnexpectedAdmissionError");
        snprintf(ret->message, sizeof(ret->message), "Allocate failed due to %.400s, which is unexpected", why);
        pods_release(pods, pod->metadata.uid);
        return -EBUSY;
}

/* 1: it has all that it is to have; 0: it comes later. */
static int ask(struct pods *pods, struct pod *pod) {
        struct pods_grant *g = make(pods, pod);
        int r = g ? devices_ask(pods->devices, pod, on_devices, g, &g->request) : -ENOMEM;

        if (r == 0)
                return 0;
        if (g)
                drop(g);
        if (r < 0)
                pods_retry_later(pods);
        return r > 0;
}

int pods_grant(struct pods *pods, struct pod *pod, struct rejection *ret_rejection) {
        struct pods_grant *g = find(pods, pod->metadata.uid);
        int r;

        if (g && g->request)
                return 0;
        if (g && g->refusal) {
                r = refuse(pods, pod, g->refusal, ret_rejection);
                drop(g);
                return r;
        }
        if (g)
                drop(g);
        return ask(pods, pod);
}

void pods_release(struct pods *pods, const char *uid) {
        if (pods->devices)
                devices_release(pods->devices, uid);
}

void pods_drop_grants(struct pods *pods) {
        LIST_EACH (pods_grants, g, &pods->grants) {
                _cleanup_free_ char *uid = NULL;

                if (desired_has(&pods->desired, g->pod->metadata.uid) && !pods->leaving)
                        continue;
                if (!pods->leaving)
                        pods_release(pods, g->pod->metadata.uid);
                drop(g);
        }
}

size_t pods_list_grants(const struct pods *pods, const struct pod *except, const struct pod **ret_pods) {
        size_t n = 0;

        LIST_EACH (pods_grants, g, &pods->grants)
                if (strcmp(g->pod->metadata.uid, except->metadata.uid) != 0 &&
                    !pods_slot_by_uid((struct pods *)pods, g->pod->metadata.uid))
                        ret_pods[n++] = g->pod;
        return n;
}

/* -- what there is ----------------------------------------------------------------------------------------- */

int64_t pods_extended(void *data, const char *name) {
        const struct pods *pods = data;
        int64_t healthy = devices_healthy(pods->devices, name);

        if (healthy >= 0 || !pods->cluster)
                return healthy;
        return cluster_declared(pods->cluster, name);
}

int pods_tell_devices(const struct pods *pods, struct arena *arena, struct kube_node_status *status) {
        return devices_capacity(pods->devices, arena, &status->capacity, &status->allocatable);
}

/* -- what containers get ----------------------------------------------------------------------------------- */

static int op_grant(void *data, const struct pod *pod, const char *container, struct arena *arena,
                    struct node_grant *ret_grant, struct err **err) {
        const struct pods *pods = data;

        return devices_grant(pods->devices, pod->metadata.uid, container, arena, ret_grant, err);
}

static int op_pre_start(void *data, const struct pod *pod, const char *container,
                        void (*done)(void *data, const struct err *err), void *done_data) {
        const struct pods *pods = data;

        return devices_pre_start(pods->devices, pod->metadata.uid, container, done, done_data);
}

static int op_devices(void *data, const struct pod *pod, const char *container, struct arena *arena,
                      kube_resource_status_items *ret_status) {
        const struct pods *pods = data;

        return devices_status(pods->devices, pod->metadata.uid, container, arena, ret_status);
}

void pods_set_grant_ops(struct node_world_ops *ops) {
        ops->grant = op_grant;
        ops->pre_start = op_pre_start;
        ops->devices = op_devices;
}

/* -- from the start to the end ----------------------------------------------------------------------------- */

static void on_changed(void *data) {
        struct pods *pods = data;

        if (pods->cluster && !pods->leaving)
                cluster_node_changed(pods->cluster);
}

static void on_told(void *data, const char *uid) {
        struct pods *pods = data;

        if (pods->cluster && !pods->leaving)
                cluster_pod_changed(pods->cluster, uid);
}

static bool was_found(void *data, const char *uid) {
        return found_pods_get(data, uid);
}

int pods_begin_grants(struct pods *pods, struct err **err) {
        _cleanup_free_ char *dir = NULL, *record = NULL;
        struct devices_world world = { pods->loop, pods->pool, NULL, NULL, on_changed, on_told, pods };
        int r;

        if (asprintf(&dir, "%s/device-plugins", pods->options->kubelet_dir) < 0 ||
            asprintf(&record, "%s/devices.pb", pods->options->root_dir) < 0)
                return err_set(err, ENOMEM, "out of memory");
        world.dir = dir;
        world.record = record;
        if ((r = devices_new(&world, &pods->devices, err)) < 0)
                return err_wrap(err, r, "device plugins");
        devices_keep_only(pods->devices, was_found, &pods->found);
        return 0;
}

void pods_end_grants(struct pods *pods) {
        pods_drop_grants(pods);
        devices_free(TAKE_PTR(pods->devices));
}

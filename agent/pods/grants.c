/* What pods get of the node beside its amounts, before they start: devices of plugins, then CPUs for themselves. A pod
 * that waits for a plugin, or for what it got to be on the disk, has no worker yet, but counts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/admission/admission.h"
#include "agent/cluster/cluster.h"
#include "agent/config/options.h"
#include "agent/cpus/cpus.h"
#include "agent/devices/devices.h"
#include "agent/node/grant.h"
#include "agent/pods/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define UNEXPECTED "UnexpectedAdmissionError"

/* A pod that the node takes and that is being given what it asks for, or was. */
struct pods_grant {
        struct list_node in_grants;
        struct pods *pods;
        struct pod *pod;                 /* a reference */
        struct devices_request *request; /* under way */
        uint64_t cpus;                   /* the generation of the CPUs' state that it waits for; 0: none */
        char *refusal;                   /* why its devices are not given; NULL: they were not refused */
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
        snprintf(ret->reason, sizeof(ret->reason), UNEXPECTED);
        snprintf(ret->message, sizeof(ret->message), "Allocate failed due to %.400s, which is unexpected", why);
        pods_release(pods, pod->metadata.uid);
        return -EBUSY;
}

/* 1: it has all that it is to have; 0: it comes later. */
static int ask_devices(struct pods *pods, struct pod *pod) {
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

/* The same, or refused. What others share shrinks at once. */
static int ask_cpus(struct pods *pods, struct pod *pod, struct rejection *ret) {
        _cleanup_err_ struct err *err = NULL;
        const char *reason = UNEXPECTED;
        struct pods_grant *g;
        uint64_t generation;
        int r = cpus_allocate(pods->cpus, pod, &generation, &reason, &err);

        if (r == 0)
                return 1;
        if (r < 0) {
                refuse(pods, pod, err_text(err), ret);
                if (strcmp(reason, UNEXPECTED) != 0) {
                        snprintf(ret->reason, sizeof(ret->reason), "%s", reason);
                        snprintf(ret->message, sizeof(ret->message), "%.500s", err_text(err));
                }
                return r;
        }
        pods_update_cpus(pods);
        if (!(g = make(pods, pod))) {
                pods_release(pods, pod->metadata.uid);
                pods_retry_later(pods);
                return 0;
        }
        g->cpus = generation;
        return 0;
}

int pods_grant(struct pods *pods, struct pod *pod, struct rejection *ret_rejection) {
        struct pods_grant *g = find(pods, pod->metadata.uid);
        int r;

        if (g && (g->request || g->cpus))
                return 0;
        if (g && g->refusal) {
                r = refuse(pods, pod, g->refusal, ret_rejection);
                drop(g);
                return r;
        }
        if (g)
                drop(g);
        return ask_devices(pods, pod) ? ask_cpus(pods, pod, ret_rejection) : 0;
}

void pods_release(struct pods *pods, const char *uid) {
        devices_release(pods->devices, uid);
        if (cpus_release(pods->cpus, uid))
                pods_update_cpus(pods);
}

void pods_drop_grants(struct pods *pods) {
        LIST_EACH (pods_grants, g, &pods->grants) {
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

/* -- CPUs -------------------------------------------------------------------------------------------------- */

void pods_update_cpus(struct pods *pods) {
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (!slot->gone)
                        worker_update_cpus(slot->worker);
}

void pods_take_cpus(struct pods *pods, const struct pod *pod) {
        _cleanup_err_ struct err *err = NULL;
        const char *reason;
        uint64_t generation;

        if (cpus_allocate(pods->cpus, pod, &generation, &reason, &err) < 0)
                log_warning("pod %s/%s: it ran before, and goes on with CPUs that it shares: %s",
                            pod->metadata.namespace, pod->metadata.name, err_text(err));
}

static void on_cpus_written(void *data, uint64_t generation, const struct err *err) {
        struct pods *pods = data;
        bool ready = false;

        if (err)
                log_error("CPUs of pods: %s", err_text(err));
        LIST_EACH (pods_grants, g, &pods->grants)
                if (g->cpus && g->cpus <= generation) {
                        g->cpus = 0;
                        ready = true;
                        if (err) /* it is given them anew */
                                pods_release(pods, g->pod->metadata.uid);
                }
        if (err && ready)
                pods_retry_later(pods);
        else if (ready)
                pods_reconcile(pods);
}

/* As text in @arena. */
static int add_cpus(const struct pods *pods, const char *uid, const char *container, struct arena *arena,
                    struct node_grant *grant) {
        const struct cpus_set *own = cpus_exclusive(pods->cpus, uid, container), *set = own ?: cpus_shared(pods->cpus);
        _cleanup_free_ char *text = NULL;

        grant->exclusive = own;
        grant->pod_exclusive = cpus_has_exclusive(pods->cpus, uid);
        if (!set)
                return 0;
        if (!(text = malloc(CPUS_SET_TEXT_MAX)) || !(grant->cpus = arena_strdup(arena, cpus_set_format(set, text))))
                return -ENOMEM;
        return 0;
}

/* -- what containers get ----------------------------------------------------------------------------------- */

static int op_grant(void *data, const struct pod *pod, const char *container, struct arena *arena,
                    struct node_grant *ret_grant, struct err **err) {
        const struct pods *pods = data;

        if (add_cpus(pods, pod->metadata.uid, container, arena, ret_grant) < 0)
                return err_set(err, ENOMEM, "out of memory");
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

static int begin_devices(struct pods *pods, struct err **err) {
        _cleanup_free_ char *dir = NULL, *found = NULL, *record = NULL;
        struct devices_world world = { pods->loop, pods->pool, NULL, NULL, NULL, on_changed, on_told, pods };
        int r;

        if (asprintf(&dir, "%s/device-plugins", pods->options->kubelet_dir) < 0 ||
            asprintf(&found, "%s/plugins_registry", pods->options->kubelet_dir) < 0 ||
            asprintf(&record, "%s/devices.pb", pods->options->root_dir) < 0)
                return err_set(err, ENOMEM, "out of memory");
        world.dir = dir;
        world.found = found;
        world.record = record;
        if ((r = devices_new(&world, &pods->devices, err)) < 0)
                return err_wrap(err, r, "device plugins");
        devices_keep_only(pods->devices, was_found, &pods->found);
        return 0;
}

static int begin_cpus(struct pods *pods, struct err **err) {
        const struct cpus_world world = { pods->pool, on_cpus_written, pods };
        const struct options *o = pods->options;
        _cleanup_free_ struct cpus_topology *topology = calloc(1, sizeof(*topology));
        _cleanup_free_ char *state = NULL;
        struct cpus_options options = { .policy = o->cpu_policy,
                                        .policy_options = o->cpu_options,
                                        .reserved = o->reserved_cpus,
                                        .reserved_milli = eviction_reserved(&o->eviction, RESERVED_CPU),
                                        .topology = topology };
        int r;

        if (!topology || asprintf(&state, "%s/cpu_manager_state", o->root_dir) < 0)
                return err_set(err, ENOMEM, "out of memory");
        options.state = state;
        if ((r = cpus_topology_read(CPUS_SYS, topology, err)) < 0 ||
            (r = cpus_new(&options, &world, &pods->cpus, err)) < 0)
                return err_wrap(err, r, "CPU manager");
        cpus_keep_only(pods->cpus, was_found, &pods->found);
        return 0;
}

int pods_begin_grants(struct pods *pods, struct err **err) {
        _cleanup_err_ struct err *untold = NULL;
        int r;

        if ((r = begin_devices(pods, err)) < 0 || (r = begin_cpus(pods, err)) < 0)
                return r;
        if (pods_serve_resources(pods, &untold) < 0)
                log_error("what pods have of devices and CPUs is not told (podresources): %s", err_text(untold));
        return 0;
}

void pods_end_grants(struct pods *pods) {
        pods_end_resources(pods);
        pods_drop_grants(pods);
        devices_free(TAKE_PTR(pods->devices));
        cpus_free(TAKE_PTR(pods->cpus));
}

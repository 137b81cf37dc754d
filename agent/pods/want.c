/* Brings the workers to what is wanted: what the directory's files want, what the node takes, what runs from before. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/admission/admission.h"
#include "agent/cluster/cluster.h"
#include "agent/config/options.h"
#include "agent/eviction/eviction.h"
#include "agent/pods/internal.h"
#include "lib/cleanup.h"
#include "lib/log.h"

static void on_retry(uv_timer_t *timer) {
        struct pods *pods = timer->data;

        pods_reconcile(pods);
        if (pods->synced)
                pods_end_orphans(pods);
}

void pods_retry_later(struct pods *pods) {
        if (!uv_is_active((uv_handle_t *)pods->retry))
                uv_timer_start(pods->retry, on_retry, NODE_RETRY_MS, 0);
}

/* -- one pod ----------------------------------------------------------------------------------------------- */

static struct pods_slot *make_slot(struct pods *pods, struct pod *pod) {
        struct pods_slot *slot = pods_slot_new(pods, pod);

        if (!slot)
                pods_retry_later(pods);
        return slot;
}

/* There was no memory to begin with it: as if it had not been tried. */
static void give_up(struct pods_slot *slot) {
        const struct pod *pod = worker_pod(slot->worker);

        log_error("pod %s/%s: out of memory, trying again in %d s", pod->metadata.namespace, pod->metadata.name,
                  NODE_RETRY_MS / 1000);
        pods_retry_later(slot->pods);
        pods_slot_drop(slot);
}

void pods_take_up(struct pods *pods, struct found_pod *found, struct pod *pod, bool wanted) {
        struct pods_slot *slot = make_slot(pods, pod);

        if (!slot)
                return;
        if ((found->found.sandbox_id || wanted) && worker_take_up(slot->worker, found_pod_worker(found)) < 0) {
                give_up(slot);
                return;
        }
        found->taken = true;
        if (found->found.sandbox_id || !wanted)
                log_info("pod %s/%s: taken up%s", pod->metadata.namespace, pod->metadata.name,
                         wanted ? "" : ", but no file wants it any more: it ends");
        if (!wanted)
                worker_delete(slot->worker);
}

static struct found_pod *found_by_name(struct pods *pods, const struct pod *pod) {
        for (size_t i = 0; i < pods->found.n; i++) {
                struct found_pod *f = &pods->found.items[i];

                if (!f->taken && f->pod && desired_same_name(f->pod, pod))
                        return f;
        }
        return NULL;
}

static void reject(struct pods_slot *slot, const char *reason, const char *message) {
        if (worker_reject(slot->worker, reason, message) < 0)
                give_up(slot);
}

/* One pod more than the node runs: the service makes another, elsewhere. */
static void refuse(struct pods *pods, struct pod *pod) {
        char message[ADMISSION_TEXT_MAX];
        struct pods_slot *slot;

        snprintf(message, sizeof(message),
                 "Node didn't have enough resource: pods, requested: 1, used: %zu, capacity: %d",
                 pods_count_active(pods), pods->options->max_pods);
        slot = make_slot(pods, pod);
        if (slot)
                reject(slot, "OutOfpods", message);
}

/* Starts the pod, if the node takes it. */
static void start(struct pods *pods, struct pod *pod) {
        _cleanup_free_ const struct pod **others = calloc(pods_count(pods) + 1, sizeof(*others));
        struct admission_node node = { .name = pods->options->node_name,
                                       .labels = pods->cluster ? cluster_node_labels(pods->cluster) : NULL,
                                       .unsafe_sysctls = pods->options->unsafe_sysctls,
                                       .facts = &pods->facts,
                                       .pods = others };
        char pressure[EVICTION_MESSAGE_MAX];
        struct rejection rejection;
        struct pods_slot *made;

        LIST_EACH (pods_slots, slot, &pods->slots)
                if (others && worker_holds(slot->worker))
                        others[node.n_pods++] = worker_pod(slot->worker);
        if (!others)
                pods_retry_later(pods);
        made = others ? make_slot(pods, pod) : NULL;
        if (!made)
                return;
        if (!eviction_admit(pods->eviction, pod, pressure)) {
                reject(made, "Evicted", pressure);
        } else if (admission_ask(&node, pod, &rejection)) {
                worker_start(made->worker);
                return;
        } else
                reject(made, rejection.reason, rejection.message);
        pods_count_burstable(pods);
}

/* What the API service has changed of a pod that runs. */
static void update(struct pods *pods, struct pods_slot *slot, struct desired *d) {
        int r = pods_hold_sources(pods, d->pod);

        if (r == 0)
                r = worker_update(slot->worker, d->pod);
        if (r == -ENOMEM)
                pods_retry_later(pods);
        else if (r < 0 && !d->refused_said)
                log_error("pod %s/%s: the API service has changed what cannot change in a pod that runs; it goes on as "
                          "it was",
                          d->pod->metadata.namespace, d->pod->metadata.name);
        d->refused_said = r == -EINVAL;
}

/* Brings one wanted pod forward: it runs, or what stands in its way is ended first. */
static void want(struct pods *pods, struct desired *d) {
        struct pods_slot *slot = pods_slot_by_uid(pods, d->pod->metadata.uid);
        struct found_pod *found;

        if (slot) {
                if (d->remote && !slot->gone && worker_pod(slot->worker) != d->pod)
                        update(pods, slot, d);
                return;
        }
        if ((slot = pods_slot_by_name(pods, d->pod))) {
                worker_delete(slot->worker);
                return;
        }
        found = found_pods_get(&pods->found, d->pod->metadata.uid);
        if (found && !found->taken) {
                pods_take_up(pods, found, d->pod, true);
                return;
        }
        if ((found = found_by_name(pods, d->pod))) {
                pods_take_up(pods, found, found->pod, false);
                return;
        }
        if (d->remote && pods_count_active(pods) >= (size_t)pods->options->max_pods) {
                refuse(pods, d->pod);
                return;
        }
        if (!d->remote && pods_count(pods) >= (size_t)pods->options->max_pods) {
                if (!d->refused_said)
                        log_error("pod %s/%s (%s): OutOfpods: the node runs %d pods, its maximum",
                                  d->pod->metadata.namespace, d->pod->metadata.name, d->file, pods->options->max_pods);
                d->refused_said = true;
                return;
        }
        if (pods_await_network(pods, d))
                return;
        d->refused_said = false;
        start(pods, d->pod);
}

/* -- all of them ------------------------------------------------------------------------------------------- */

static void tell_duplicate(const struct pods *pods, const struct desired *d) {
        const struct kube_object_meta *own = &d->pod->metadata, *held = &d->holder->pod->metadata;

        if (d->remote)
                log_error("pod %s/%s of the API service does not run: %s wants it already", own->namespace, own->name,
                          d->holder->file);
        else if (desired_same_name(d->pod, d->holder->pod))
                log_error("%s/%s: pod %s/%s is wanted by %s already; this file has no effect",
                          pods->options->manifest_dir, d->file, own->namespace, own->name, d->holder->file);
        else
                log_error("%s/%s: pod %s/%s has the uid of pod %s/%s of %s; this file has no effect",
                          pods->options->manifest_dir, d->file, own->namespace, own->name, held->namespace, held->name,
                          d->holder->file);
}

/* Files are told of, and gone ones give their pods to others, only when they stay so: an editor's copy becomes the file
 * itself in a moment, and one that is written by renames is away for a moment. */
static void on_settled(uv_timer_t *timer) {
        struct pods *pods = timer->data;

        desired_bury(&pods->desired);
        pods_reconcile(pods);
        for (size_t i = 0; i < pods->desired.n; i++) {
                struct desired *d = &pods->desired.items[i];

                if (d->duplicate && !d->duplicate_said)
                        tell_duplicate(pods, d);
                d->duplicate_said |= d->duplicate;
        }
}

void pods_settle_later(struct pods *pods) {
        uv_timer_start(pods->settle, on_settled, PODS_SETTLE_MS, 0);
}

void pods_reconcile(struct pods *pods) {
        if (pods->leaving)
                return;
        desired_resolve(&pods->desired);
        pods_count_burstable(pods);
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (pods->synced && !desired_has(&pods->desired, worker_pod(slot->worker)->metadata.uid))
                        worker_delete(slot->worker);
        for (size_t i = 0; i < pods->desired.n; i++) {
                struct desired *d = &pods->desired.items[i];

                if (!d->duplicate && !d->gone)
                        want(pods, d);
                else if ((d->gone || !d->duplicate_said) && !uv_is_active((uv_handle_t *)pods->settle))
                        pods_settle_later(pods);
        }
}

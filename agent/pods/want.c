/* Brings the workers to what is wanted: what the directory's files want, what the node takes, what runs from before. */
#include <errno.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/pods/internal.h"
#include "kube/pod/allocation.h"
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

void pods_give_up(struct pods_slot *slot) {
        const struct pod *pod = worker_pod(slot->worker);

        log_error("pod %s/%s: out of memory, trying again in %d s", pod->metadata.namespace, pod->metadata.name,
                  NODE_RETRY_MS / 1000);
        pods_retry_later(slot->pods);
        pods_slot_drop(slot);
}

/* It goes on with what it was allocated; whether it gets what it asks for by now is decided as for any that runs. */
void pods_take_up(struct pods *pods, struct found_pod *found, struct pod *pod, bool wanted) {
        _cleanup_pod_ struct pod *allocated = NULL;
        struct pods_slot *slot = NULL;

        if (pod_with_allocation(pod, found->kept_whole ? found->pod : pod, &allocated) < 0)
                pods_retry_later(pods);
        else
                slot = make_slot(pods, allocated);
        if (!slot)
                return;
        if ((found->found.sandbox_id || wanted) && worker_take_up(slot->worker, found_pod_worker(found)) < 0) {
                pods_give_up(slot);
                return;
        }
        found->taken = true;
        if (wanted)
                pods_take_cpus(pods, allocated);
        pods_update_cpus(pods);
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
        if (worker_asks_resize(slot->worker))
                pods_resize(pods);
        pods_count_burstable(pods);
}

/* One of the directory waits for a place, unless others go for it. */
static bool await_place(struct pods *pods, struct desired *d) {
        _cleanup_(pods_others_clear) struct pods_others others = { 0 };

        if (d->remote || pods_count_active(pods) < (size_t)pods->options->max_pods)
                return false;
        if (pods_others_init(pods, &others) < 0)
                pods_retry_later(pods);
        else if (!pods_displace(pods, d, &others) && !d->refused_said) {
                log_error("pod %s/%s (%s): OutOfpods: the node runs %d pods, its maximum", d->pod->metadata.namespace,
                          d->pod->metadata.name, d->file, pods->options->max_pods);
                d->refused_said = true;
        }
        return true;
}

/* Brings one wanted pod forward: it runs, or what stands in its way is ended first. */
static void want(struct pods *pods, struct desired *d) {
        struct pods_slot *slot = pods_slot_by_uid(pods, d->pod->metadata.uid);
        struct found_pod *found;

        if (slot) {
                if (d->remote && !slot->gone && worker_wanted(slot->worker) != d->pod)
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
        if (await_place(pods, d))
                return;
        if (pods_await_network(pods, d))
                return;
        d->refused_said = false;
        pods_start_one(pods, d);
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
        pods_drop_grants(pods);
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

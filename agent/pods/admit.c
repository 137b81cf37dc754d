/* Whether the node takes a pod, and who goes for it (pkg/kubelet/lifecycle/predicate.go, preemption/preemption.go). */
#include "agent/admission/admission.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/cluster/cluster.h"
#include "agent/config/options.h"
#include "agent/devices/devices.h"
#include "agent/eviction/eviction.h"
#include "agent/pods/internal.h"
#include "agent/shutdown/shutdown.h"
#include "lib/cleanup.h"
#include "lib/log.h"

int pods_others_init(const struct pods *pods, struct pods_others *ret_others) {
        size_t n = pods_count(pods) + pods->desired.n + pods->n_grants + 1;
        struct pods_others others = {
                .pods = calloc(n, sizeof(*others.pods)),
                .before = calloc(n, sizeof(*others.before)),
                .workers = calloc(n, sizeof(*others.workers)),
        };

        if (!others.pods || !others.before || !others.workers) {
                pods_others_clear(&others);
                return -ENOMEM;
        }
        *ret_others = others;
        return 0;
}

void pods_others_clear(struct pods_others *others) {
        free(others->pods);
        free(others->before);
        free(others->workers);
        *others = (struct pods_others){ 0 };
}

static void add_worker(struct pods_others *others, struct worker *worker, size_t *n) {
        if (!worker_holds(worker) || worker == others->except ||
            (others->without_ending && (worker_is_preempted(worker) || worker_has_ended(worker))))
                return;
        others->workers[*n] = worker;
        others->before[*n] = worker_before(worker);
        others->pods[(*n)++] = worker_pod(worker);
}

struct admission_node pods_admission(const struct pods *pods, const struct pod *pod, struct pods_others *others) {
        size_t n = 0;

        LIST_EACH (pods_slots, slot, &pods->slots)
                if (!slot->removed) /* as kubelet counts: whoever deletes a pod at once wants its place at once */
                        add_worker(others, slot->worker, &n);
        for (size_t i = 0; i < pods->desired.n; i++) {
                const struct desired *d = &pods->desired.items[i];

                if (!d->displaces || d->pod == pod)
                        continue;
                others->workers[n] = NULL;
                others->before[n] = NULL;
                others->pods[n++] = d->pod;
        }
        n += pods_list_grants(pods, pod, others->pods + n);
        return (struct admission_node){
                .name = pods->options->node_name,
                .labels = pods->cluster ? cluster_node_labels(pods->cluster) : NULL,
                .unsafe_sysctls = pods->options->unsafe_sysctls,
                .facts = &pods->facts,
                .pods = others->pods,
                .before = others->before,
                .n_pods = n,
                .max_pods = pods->options->max_pods,
                .extended = devices_has(pods->devices, pod->metadata.uid) ? NULL : pods_extended,
                .data = (struct pods *)pods,
        };
}

/* -- those that go for it ---------------------------------------------------------------------------------- */

/* What ends already leaves enough. Of a pod that has ended the cluster may know so before its sandbox has gone: who
 * takes its place is not sent away, but waits until it is free. */
static bool is_left_enough(struct pods *pods, const struct pod *pod, struct pods_others *others) {
        struct admission_node node;
        struct rejection ignored;

        others->without_ending = true;
        node = pods_admission(pods, pod, others);
        return admission_ask(&node, pod, &ignored);
}

static bool displace(struct pods *pods, const struct pod *pod, struct pods_others *others) {
        struct admission_node node;
        _cleanup_free_ bool *victims = NULL;

        others->without_ending = true;
        node = pods_admission(pods, pod, others);
        if (!(victims = calloc(node.n_pods + 1, sizeof(*victims))) || !admission_displace(&node, pod, victims))
                return false;
        for (size_t i = 0; i < node.n_pods; i++) {
                const struct pod *victim = node.pods[i];

                if (victims[i] && others->workers[i] && worker_preempt(others->workers[i]))
                        log_info("pod %s/%s: ends for the critical pod %s/%s", victim->metadata.namespace,
                                 victim->metadata.name, pod->metadata.namespace, pod->metadata.name);
        }
        return true;
}

bool pods_displace(struct pods *pods, struct desired *d, struct pods_others *others) {
        d->displaces = is_left_enough(pods, d->pod, others) ||
                       (admission_is_critical(d->pod) && displace(pods, d->pod, others));
        pods->waits |= d->displaces;
        return d->displaces;
}

/* -- the start of one -------------------------------------------------------------------------------------- */

/* @reason NULL: it starts; else it has failed. */
static void begin(struct pods *pods, struct pod *pod, const char *reason, const char *message) {
        struct pods_slot *slot = pods_slot_new(pods, pod);

        if (slot)
                slot->late = shutdown_is_under_way(pods->shutdown);
        if (!slot)
                pods_retry_later(pods);
        else if (!reason)
                worker_start(slot->worker);
        else if (worker_reject(slot->worker, reason, message) < 0)
                pods_give_up(slot);
        pods_count_burstable(pods);
}

void pods_start_one(struct pods *pods, struct desired *d) {
        _cleanup_(pods_others_clear) struct pods_others others = { 0 };
        char pressure[EVICTION_MESSAGE_MAX];
        struct rejection rejection;
        struct admission_node node;

        if (pods_others_init(pods, &others) < 0) {
                pods_retry_later(pods);
                return;
        }
        node = pods_admission(pods, d->pod, &others);
        if (shutdown_is_under_way(pods->shutdown)) {
                d->displaces = false;
                begin(pods, d->pod, SHUTDOWN_REASON, SHUTDOWN_REFUSAL);
        } else if (!eviction_admit(pods->eviction, d->pod, pressure)) {
                d->displaces = false;
                begin(pods, d->pod, "Evicted", pressure);
        } else if (admission_ask(&node, d->pod, &rejection)) {
                int r = pods_grant(pods, d->pod, &rejection);

                d->displaces = false;
                if (r)
                        begin(pods, d->pod, r > 0 ? NULL : rejection.reason, rejection.message);
        } else if (!pods_displace(pods, d, &others))
                begin(pods, d->pod, rejection.reason, rejection.message);
}

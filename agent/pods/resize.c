/* Changes of pods' resources: each is admitted, or waits until others hold less (pkg/kubelet/allocation). */
#include <stdlib.h>
#include <string.h>

#include "agent/admission/admission.h"
#include "agent/cpus/cpus.h"
#include "agent/pods/internal.h"
#include "kube/pod/allocation.h"
#include "kube/pod/resources.h"
#include "lib/cleanup.h"

/* Who is asked first: those that take no more than they have, then by priority, QoS class, and how long they wait
 * (sortPendingResizes()). */
struct waiting {
        struct worker *worker;
        bool grows;
        int64_t priority, since;
        enum pod_qos qos;
};

static struct waiting describe(struct worker *worker) {
        const struct pod *wanted = worker_wanted(worker);

        return (struct waiting){
                .worker = worker,
                .grows = pod_grows(wanted, worker_pod(worker)),
                .priority = wanted->spec.priority.set ? wanted->spec.priority.value : 0,
                .since = worker_waits_since(worker),
                .qos = pod_qos(wanted),
        };
}

static int by_order(const void *a, const void *b) {
        const struct waiting *one = a, *other = b;

        if (one->grows != other->grows)
                return one->grows ? 1 : -1;
        if (one->priority != other->priority)
                return one->priority > other->priority ? -1 : 1;
        if (one->qos != other->qos)
                return one->qos > other->qos ? -1 : 1;
        return (one->since > other->since) - (one->since < other->since);
}

static bool is_other(const kube_container_items *wanted, const kube_container_items *has) {
        for (uint32_t i = 0; i < wanted->count && i < has->count; i++) {
                struct quantity a = { 0 }, b = { 0 };

                pod_container_request(&wanted->items[i], "cpu", &a);
                pod_container_request(&has->items[i], "cpu", &b);
                if (quantity_compare(a, b) != 0)
                        return true;
        }
        return false;
}

/* Some container asks for more or less CPU than it has. */
static bool is_other_cpu(const struct pod *wanted, const struct pod *has) {
        return is_other(&wanted->spec.init_containers, &has->spec.init_containers) ||
               is_other(&wanted->spec.containers, &has->spec.containers);
}

static void decide(struct pods *pods, struct worker *worker, struct pods_others *others) {
        struct admission_node node;
        struct rejection rejection;

        if (cpus_is_static(pods->cpus) && pod_qos(worker_wanted(worker)) == QOS_GUARANTEED &&
            is_other_cpu(worker_wanted(worker), worker_pod(worker))) {
                worker_defer_for_good(worker, "Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "
                                              "\"static\"");
                return;
        }
        others->except = worker;
        node = pods_admission(pods, worker_wanted(worker), others);
        if (!admission_ask(&node, worker_wanted(worker), &rejection)) {
                worker_defer(worker, rejection.reason, rejection.message);
                pods->waits = true;
                return;
        }
        if (worker_allocate(worker) < 0)
                pods_retry_later(pods);
        pods_count_burstable(pods);
}

void pods_resize(struct pods *pods) {
        _cleanup_free_ struct waiting *list = calloc(pods_count(pods) + 1, sizeof(*list));
        _cleanup_(pods_others_clear) struct pods_others others = { 0 };
        size_t n = 0;

        if (!list || pods_others_init(pods, &others) < 0) {
                pods_retry_later(pods);
                return;
        }
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (!slot->gone && worker_asks_resize(slot->worker))
                        list[n++] = describe(slot->worker);
        qsort(list, n, sizeof(*list), by_order);
        for (size_t i = 0; i < n; i++)
                decide(pods, list[i].worker, &others);
}

static void on_look(uv_timer_t *timer) {
        struct pods *pods = timer->data;
        bool displaces = false;

        pods->waits = false;
        pods_resize(pods);
        for (size_t i = 0; i < pods->desired.n && !displaces; i++)
                displaces = pods->desired.items[i].displaces;
        if (displaces)
                pods_reconcile(pods);
}

void pods_look(struct pods *pods) {
        if (pods->waits && !pods->leaving && !uv_is_active((uv_handle_t *)pods->look))
                uv_timer_start(pods->look, on_look, 0, 0);
}

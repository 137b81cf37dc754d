/* What the pods of a node ask for together, and what it has. */
#include <stdio.h>
#include <string.h>

#include "agent/admission/internal.h"
#include "agent/node/facts.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define SYSTEM_CRITICAL INT64_C(2000000000) /* a priority: SystemCriticalPriority */

/* The node's amount, and how requests are counted; negative: not one of the node's, which somebody else gives. */
static int64_t capacity(const struct node_facts *facts, const char *name) {
        if (strcmp(name, "cpu") == 0)
                return facts->cpu_milli;
        if (strcmp(name, "memory") == 0)
                return facts->memory_bytes;
        if (strcmp(name, "ephemeral-storage") == 0)
                return facts->disk_bytes;
        return strncmp(name, "hugepages-", 10) == 0 ? node_huge_pages(name) : -1;
}

static int64_t amount(const char *name, struct quantity quantity) {
        return strcmp(name, "cpu") == 0 ? quantity_milli(quantity) : quantity_units(quantity);
}

/* How much of @name is lacking; 0: nothing. */
static int64_t lacking(const struct admission_node *node, const char *name, int64_t wanted) {
        int64_t left = capacity(node->facts, name);

        if (left < 0 || wanted <= 0)
                return 0;
        for (size_t i = 0; i < node->n_pods; i++)
                left -= amount(name, pod_request(node->pods[i], name));
        return wanted > left ? wanted - left : 0;
}

static size_t rank(const char *name) {
        static const char *const first[] = { "cpu", "memory", "ephemeral-storage" };
        size_t i = 0;

        while (i < ELEMENTS(first) && strcmp(first[i], name) != 0)
                i++;
        return i;
}

/* Nobody's pods go for one of the API's that is not critical: it goes to another node (types/pod_update.go,
 * IsCriticalPod()). */
static bool is_critical(const struct pod *pod) {
        list_for_each (a, &pod->metadata.annotations)
                if (strcmp(a->key, "kubernetes.io/config.source") == 0 && strcmp(a->value, "api") == 0)
                        return pod->spec.priority.set && pod->spec.priority.value >= SYSTEM_CRITICAL;
        return true;
}

/* Of a pod that is not: the first that is lacking. True: it is none of those that have a reason of their own. */
static bool ask_resource(const struct admission_node *node, const struct resource_amount *r,
                         struct rejection *ret_rejection) {
        static const char *const reasons[] = { "OutOfcpu", "OutOfmemory", "OutOfephemeral-storage" };
        int64_t wanted = amount(r->name, r->amount), has = capacity(node->facts, r->name);
        int64_t n = lacking(node, r->name, wanted);

        if (n == 0 || rank(r->name) == ELEMENTS(reasons))
                return true;
        return admission_reject(ret_rejection, reasons[rank(r->name)],
                                "Node didn't have enough resource: %s, requested: %lld, used: %lld, capacity: %lld",
                                r->name, (long long)wanted, (long long)(has - wanted + n), (long long)has);
}

bool admission_resources(const struct admission_node *node, const struct pod *pod, struct rejection *ret_rejection) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char list[ADMISSION_TEXT_MAX / 2] = "";
        resource_list wanted = { 0 };

        if (!arena || !pod_requests(arena, pod, &wanted) || !pod_add_overhead(arena, pod, false, &wanted))
                return admission_reject(ret_rejection, "UnexpectedAdmissionError", "out of memory");
        if (!is_critical(pod))
                list_for_each (r, &wanted)
                        if (!ask_resource(node, r, ret_rejection))
                                return false;
        for (size_t place = 0; place < 4; place++)
                list_for_each (r, &wanted) {
                        int64_t n = rank(r->name) == place ? lacking(node, r->name, amount(r->name, r->amount)) : 0;
                        size_t at = strlen(list);

                        if (n > 0)
                                snprintf(list + at, sizeof(list) - at, "(res: %s, q: %lld), ", r->name, (long long)n);
                }
        if (!list[0])
                return true;
        return admission_reject(
                ret_rejection, "UnexpectedAdmissionError",
                "Unexpected error while attempting to recover from admission failure: preemption: error finding "
                "a set of pods to preempt: no set of running pods found to reclaim resources: [%s]",
                list);
}

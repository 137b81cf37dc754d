/* What the pods of a node ask for together, and what it has. */
#include <stdio.h>
#include <string.h>

#include "agent/admission/internal.h"
#include "agent/node/facts.h"
#include "kube/pod/resources.h"
#include "kube/validate/validate.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* The node's amount, and how requests are counted; negative: not one of the node's, which somebody else gives. */
static int64_t capacity(const struct admission_node *node, const char *name) {
        const struct node_facts *facts = node->facts;

        if (strcmp(name, "pods") == 0)
                return node->max_pods > 0 ? node->max_pods : -1;
        if (strcmp(name, "cpu") == 0)
                return facts->cpu_milli;
        if (strcmp(name, "memory") == 0)
                return facts->memory_bytes;
        if (strcmp(name, "ephemeral-storage") == 0)
                return facts->disk_bytes;
        if (strncmp(name, "hugepages-", 10) == 0)
                return node_huge_pages(name);
        return node->extended && validate_is_extended(name) ? node->extended(node->data, name) : -1;
}

static int64_t amount(const char *name, struct quantity quantity) {
        return strcmp(name, "cpu") == 0 ? quantity_milli(quantity) : quantity_units(quantity);
}

int64_t admission_request(const struct pod *pod, const char *name) {
        return strcmp(name, "pods") == 0 ? 1 : amount(name, pod_request(pod, name));
}

/* One that is being resized holds what it had until that is done. */
static int64_t held(const struct admission_node *node, size_t i, const char *name) {
        int64_t now = admission_request(node->pods[i], name),
                before = node->before && node->before[i] ? admission_request(node->before[i], name) : 0;

        return before > now ? before : now;
}

/* How much of @name is lacking; 0: nothing. */
static int64_t lacking(const struct admission_node *node, const char *name, int64_t wanted) {
        int64_t left = capacity(node, name);

        if (left < 0 || wanted <= 0)
                return 0;
        for (size_t i = 0; i < node->n_pods; i++)
                left -= held(node, i, name);
        return wanted > left ? wanted - left : 0;
}

static const char *const first[] = { "pods", "cpu", "memory", "ephemeral-storage" };

static size_t rank(const char *name) {
        size_t i = 0;

        while (i < ELEMENTS(first) && strcmp(first[i], name) != 0)
                i++;
        return i;
}

/* Nobody's pods go for one of the API's that is not critical: it goes to another node (types/pod_update.go,
 * IsCriticalPod()). */
bool admission_is_critical(const struct pod *pod) {
        list_for_each (a, &pod->metadata.annotations)
                if (strcmp(a->key, "kubernetes.io/config.source") == 0 && strcmp(a->value, "api") == 0)
                        return pod->spec.priority.set && pod->spec.priority.value >= POD_PRIORITY_CRITICAL;
        return true;
}

static void add_need(const struct admission_node *node, const char *name, int64_t wanted,
                     struct admission_needs *needs) {
        int64_t n = lacking(node, name, wanted);

        if (n > 0 && needs->n < ADMISSION_NEEDS_MAX)
                needs->items[needs->n++] = (struct admission_need){ name, n };
}

bool admission_lacks(const struct admission_node *node, const struct pod *pod, struct admission_needs *ret_needs) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct admission_needs needs = { .n = 0 };
        resource_list wanted = { 0 };

        if (!arena || !pod_requests(arena, pod, &wanted) || !pod_add_overhead(arena, pod, false, &wanted))
                return false;
        add_need(node, "pods", 1, &needs);
        for (size_t place = 0; place <= ELEMENTS(first); place++)
                list_for_each (r, &wanted)
                        if (rank(r->name) == place)
                                add_need(node, r->name, amount(r->name, r->amount), &needs);
        *ret_needs = needs;
        return true;
}

/* Of a pod that is not critical: the first that is lacking. */
static bool reject_first(const struct admission_node *node, const struct pod *pod, const struct admission_needs *needs,
                         struct rejection *ret_rejection) {
        const struct admission_need *need = &needs->items[0];
        int64_t wanted = admission_request(pod, need->name), has = capacity(node, need->name);
        char reason[ADMISSION_REASON_MAX];

        snprintf(reason, sizeof(reason), "OutOf%s", need->name);
        return admission_reject(ret_rejection, reason,
                                "Node didn't have enough resource: %s, requested: %lld, used: %lld, capacity: %lld",
                                need->name, (long long)wanted, (long long)(has - wanted + need->amount),
                                (long long)has);
}

bool admission_resources(const struct admission_node *node, const struct pod *pod, struct rejection *ret_rejection) {
        char list[ADMISSION_TEXT_MAX / 2] = "";
        struct admission_needs needs;

        if (!admission_lacks(node, pod, &needs))
                return admission_reject(ret_rejection, "UnexpectedAdmissionError", "out of memory");
        if (!admission_is_critical(pod) && needs.n > 0)
                return reject_first(node, pod, &needs, ret_rejection);
        for (size_t i = 0; i < needs.n; i++) {
                size_t at = strlen(list);

                snprintf(list + at, sizeof(list) - at, "(res: %s, q: %lld), ", needs.items[i].name,
                         (long long)needs.items[i].amount);
        }
        if (!list[0])
                return true;
        return admission_reject(
                ret_rejection, "UnexpectedAdmissionError",
                "Unexpected error while attempting to recover from admission failure: preemption: error finding "
                "a set of pods to preempt: no set of running pods found to reclaim resources: [%s]",
                list);
}

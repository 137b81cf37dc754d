/* Which pods go for a critical one: the least set of lower priority that holds what is lacking, by QoS class, and in
 * one by how near a pod's requests come to it (pkg/kubelet/preemption/preemption.go, getPodsToPreempt()). */
#include <stdlib.h>
#include <string.h>

#include "agent/admission/internal.h"
#include "kube/pod/resources.h"
#include "lib/cleanup.h"

struct choice {
        const struct admission_node *node;
        struct admission_needs needs;
        bool *chosen;    /* n_pods */
        bool *candidate; /* likewise: of lower priority */
};

static bool is_displaceable(const struct pod *by, const struct pod *pod) {
        const struct opt_int *a = &by->spec.priority, *b = &pod->spec.priority;

        if (admission_is_critical(by) && !admission_is_critical(pod))
                return true;
        return a->set && b->set && a->value > b->value;
}

/* What is still lacking without the pod at @i. */
static void subtract(struct admission_needs *needs, const struct pod *pod) {
        size_t n = 0;

        for (size_t k = 0; k < needs->n; k++) {
                struct admission_need need = needs->items[k];

                need.amount -= admission_request(pod, need.name);
                if (need.amount > 0)
                        needs->items[n++] = need;
        }
        needs->n = n;
}

/* Each need weighs the same, whatever its amount. */
static double distance(const struct admission_needs *needs, const struct pod *pod) {
        double sum = 0;

        for (size_t k = 0; k < needs->n; k++) {
                double rest = (double)(needs->items[k].amount - admission_request(pod, needs->items[k].name)),
                       share = rest / (double)needs->items[k].amount;

                if (rest > 0)
                        sum += share * share;
        }
        return sum;
}

static bool is_smaller(const struct pod *a, const struct pod *b) {
        static const char *const names[] = { "memory", "cpu" };

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                int64_t one = admission_request(a, names[i]), other = admission_request(b, names[i]);

                if (one != other)
                        return one < other;
        }
        return true;
}

/* The nearest of the class that is not chosen yet; n_pods: there is none. */
static size_t nearest(const struct choice *c, enum pod_qos qos, const struct admission_needs *needs) {
        const struct pod *const *pods = c->node->pods;
        size_t best = c->node->n_pods;
        double least = 0;

        for (size_t i = 0; i < c->node->n_pods; i++) {
                double d;

                if (!c->candidate[i] || c->chosen[i] || pod_qos(pods[i]) != qos)
                        continue;
                d = distance(needs, pods[i]);
                if (best == c->node->n_pods || d < least || (d <= least && is_smaller(pods[i], pods[best]))) {
                        least = d;
                        best = i;
                }
        }
        return best;
}

/* Chooses of one class, where all candidates of the classes below @qos go and what was chosen above. */
static bool choose(struct choice *c, enum pod_qos qos) {
        struct admission_needs needs = c->needs;

        for (size_t i = 0; i < c->node->n_pods; i++)
                if (c->chosen[i] || (c->candidate[i] && pod_qos(c->node->pods[i]) < qos))
                        subtract(&needs, c->node->pods[i]);
        while (needs.n > 0) {
                size_t i = nearest(c, qos, &needs);

                if (i == c->node->n_pods)
                        return false;
                c->chosen[i] = true;
                subtract(&needs, c->node->pods[i]);
        }
        return true;
}

bool admission_displace(const struct admission_node *node, const struct pod *pod, bool *ret_victims) {
        _cleanup_free_ bool *candidate = calloc(node->n_pods + 1, sizeof(*candidate));
        struct choice c = { .node = node, .chosen = ret_victims, .candidate = candidate };

        memset(ret_victims, 0, node->n_pods * sizeof(*ret_victims));
        if (!candidate || !admission_is_critical(pod) || !admission_others(node, pod) ||
            !admission_lacks(node, pod, &c.needs) || c.needs.n == 0)
                return false;
        for (size_t i = 0; i < node->n_pods; i++)
                candidate[i] = is_displaceable(pod, node->pods[i]);
        return choose(&c, QOS_GUARANTEED) && choose(&c, QOS_BURSTABLE) && choose(&c, QOS_BEST_EFFORT);
}

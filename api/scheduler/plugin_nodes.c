/* What nodes say of themselves: unschedulable, their name, taints; and what pods ask of nodes' labels. */
#include <errno.h>
#include <string.h>

#include "api/scheduler/plugin.h"
#include "kube/pod/node_selector.h"
#include "lib/arena.h"

static const struct kube_pod_spec *spec_of(const struct sched_cycle *c) {
        return &c->pod->whole->spec;
}

/* --- tolerations --- */

static bool covers(const struct kube_toleration *t, const struct kube_taint *taint) {
        if (t->effect && *t->effect && strcmp(t->effect, taint->effect ?: "") != 0)
                return false;
        if (t->key && *t->key && strcmp(t->key, taint->key ?: "") != 0)
                return false;
        if (!t->operator|| !* t->operator|| strcmp(t->operator, "Equal") == 0)
                return strcmp(t->value ?: "", taint->value ?: "") == 0;
        return strcmp(t->operator, "Exists") == 0;
}

static bool tolerates(const kube_toleration_items *tolerations, const struct kube_taint *taint) {
        list_for_each (t, tolerations)
                if (covers(t, taint))
                        return true;
        return false;
}

bool sched_tolerates_node(const struct sched_pod *pod, const struct sched_node *node) {
        list_for_each (taint, &node->taints)
                if ((kube_is(taint->effect, "NoSchedule") || kube_is(taint->effect, "NoExecute")) &&
                    !tolerates(&pod->whole->spec.tolerations, taint))
                        return false;
        return true;
}

static enum sched_verdict filter_taints(struct sched_cycle *c, const struct sched_node *node) {
        if (sched_tolerates_node(c->pod, node))
                return SCHED_FITS;
        return sched_refuse(c, SCHED_UNRESOLVABLE, "node(s) had untolerated taint(s)");
}

static int64_t score_taints(const struct sched_cycle *c, const struct sched_node *node) {
        int64_t n = 0;

        list_for_each (taint, &node->taints)
                if (kube_is(taint->effect, "PreferNoSchedule") && !tolerates(&spec_of(c)->tolerations, taint))
                        n++;
        return n;
}

static void normalize_taints(struct sched_cycle *c) {
        sched_normalize(c, true);
}

static bool taints_help(const struct sched_pod *pod, const struct sched_change *change) {
        return !change->node || sched_tolerates_node(pod, change->node);
}

const struct sched_plugin sched_taint_toleration = {
        .name = "TaintToleration",
        .weight = 3,
        .filter = filter_taints,
        .score = score_taints,
        .normalize = normalize_taints,
        .events = SCHED_NODE_ADDED | SCHED_NODE_TAINTS,
        .helps = taints_help,
};

/* --- spec.unschedulable --- */

static bool is_open(const struct sched_pod *pod, const struct sched_node *node) {
        static const struct kube_taint cordoned = { .key = "node.kubernetes.io/unschedulable", .effect = "NoSchedule" };

        return !node->unschedulable || tolerates(&pod->whole->spec.tolerations, &cordoned);
}

static enum sched_verdict filter_unschedulable(struct sched_cycle *c, const struct sched_node *node) {
        return is_open(c->pod, node) ? SCHED_FITS : sched_refuse(c, SCHED_UNRESOLVABLE, "node(s) were unschedulable");
}

static bool opening_helps(const struct sched_pod *pod, const struct sched_change *change) {
        return !change->node || is_open(pod, change->node);
}

const struct sched_plugin sched_node_unschedulable = {
        .name = "NodeUnschedulable",
        .filter = filter_unschedulable,
        .events = SCHED_NODE_ADDED | SCHED_NODE_TAINTS,
        .helps = opening_helps,
};

/* --- spec.nodeName --- */

static int prepare_name(struct sched_cycle *c) {
        return c->pod->node_name ? SCHED_FITS : SCHED_SKIPS;
}

static enum sched_verdict filter_name(struct sched_cycle *c, const struct sched_node *node) {
        if (strcmp(c->pod->node_name, node->name) == 0)
                return SCHED_FITS;
        return sched_refuse(c, SCHED_UNRESOLVABLE, "node(s) didn't match the requested node name");
}

const struct sched_plugin sched_node_name = {
        .name = "NodeName",
        .prepare = prepare_name,
        .filter = filter_name,
        .events = SCHED_NODE_ADDED,
};

/* --- node affinity --- */

static const struct kube_node_affinity *affinity_of(const struct kube_pod_spec *spec) {
        return spec->affinity ? spec->affinity->node_affinity : NULL;
}

static const struct kube_node_selector *required_of(const struct kube_pod_spec *spec) {
        const struct kube_node_affinity *affinity = affinity_of(spec);

        return affinity ? affinity->required_during_scheduling_ignored_during_execution : NULL;
}

bool sched_selects_node(const struct sched_pod *pod, const struct sched_node *node) {
        return pod_fits_node(&pod->whole->spec, &node->labels, node->name);
}

/* The one node's name that @term asks for; NULL: others will do. */
static const char *name_in(const struct kube_node_selector_term *term) {
        list_for_each (field, &term->match_fields)
                if (kube_is(field->key, "metadata.name") && kube_is(field->operator, "In") && field->values.count == 1)
                        return field->values.items[0];
        return NULL;
}

/* Where each term asks for a node by its name (a DaemonSet's pods), no other is looked at. */
static int find_names(struct sched_cycle *c, const struct kube_node_selector *required) {
        uint32_t n = required->node_selector_terms.count;
        const char **names = arena_alloc_array(c->arena, (size_t)n + 1, sizeof(*names));

        if (!names)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
                names[i] = name_in(&required->node_selector_terms.items[i]);
                if (!names[i])
                        return SCHED_FITS;
        }
        c->only = n > 0 ? names : NULL;
        c->n_only = n;
        return SCHED_FITS;
}

static int prepare_affinity(struct sched_cycle *c) {
        const struct kube_node_selector *required = required_of(spec_of(c));

        if (!required)
                return spec_of(c)->node_selector.count > 0 ? SCHED_FITS : SCHED_SKIPS;
        return find_names(c, required);
}

static enum sched_verdict filter_affinity(struct sched_cycle *c, const struct sched_node *node) {
        if (sched_selects_node(c->pod, node))
                return SCHED_FITS;
        return sched_refuse(c, SCHED_UNRESOLVABLE, "node(s) didn't match Pod's node affinity/selector");
}

static int weigh_affinity(struct sched_cycle *c) {
        const struct kube_node_affinity *affinity = affinity_of(spec_of(c));

        return affinity && affinity->preferred_during_scheduling_ignored_during_execution.count > 0 ? SCHED_FITS :
                                                                                                      SCHED_SKIPS;
}

static int64_t score_affinity(const struct sched_cycle *c, const struct sched_node *node) {
        int64_t score = 0;

        list_for_each (p, &affinity_of(spec_of(c))->preferred_during_scheduling_ignored_during_execution)
                if (pod_term_fits_node(&p->preference, &node->labels, node->name))
                        score += p->weight;
        return score;
}

static void normalize_affinity(struct sched_cycle *c) {
        sched_normalize(c, false);
}

static bool labels_help(const struct sched_pod *pod, const struct sched_change *change) {
        return !change->node || sched_selects_node(pod, change->node);
}

const struct sched_plugin sched_node_affinity = {
        .name = "NodeAffinity",
        .weight = 2,
        .prepare = prepare_affinity,
        .filter = filter_affinity,
        .weigh = weigh_affinity,
        .score = score_affinity,
        .normalize = normalize_affinity,
        .events = SCHED_NODE_ADDED | SCHED_NODE_LABELS,
        .helps = labels_help,
};

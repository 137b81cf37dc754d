/* Affinity and anti-affinity between pods, of the pod's own and of those that are there. */
#include <errno.h>
#include <string.h>

#include "api/scheduler/pairs.h"
#include "api/scheduler/plugin.h"
#include "lib/arena.h"

#define OF_REQUIRED 1 /* what a required term of a pod that is there weighs, as kube-scheduler has it */
#define KEYS_MAX 16   /* of topologies that are remembered; with more all labels are asked */

/* Counts, and the keys in them. */
struct tally {
        struct sched_pairs pairs;
        const char *keys[KEYS_MAX];
        uint32_t n_keys;
        bool many; /* there are more keys */
};

struct sched_affinity_state {
        const struct sched_namespace *space; /* the pod's; NULL: not known */
        struct tally wanted;                 /* pods that all required terms of the pod select */
        struct tally unwanted;               /* those that a term of its anti-affinity selects */
        struct tally averse;                 /* those whose anti-affinity selects it */
        struct tally scores;
};

static void remember_key(struct tally *tally, const char *key) {
        for (uint32_t i = 0; i < tally->n_keys; i++)
                if (strcmp(tally->keys[i], key) == 0)
                        return;
        if (tally->n_keys == KEYS_MAX)
                tally->many = true;
        else
                tally->keys[tally->n_keys++] = key;
}

/* Where @node has that topology. */
static int add(struct sched_cycle *c, struct tally *tally, const char *key, const struct sched_node *node, int64_t n) {
        const char *value = node->known ? string_map_get(&node->labels, key) : NULL;
        int64_t *count = value ? sched_pairs_get(c->arena, &tally->pairs, key, value) : NULL;

        if (!value)
                return 0;
        if (!count)
                return -ENOMEM;
        *count += n;
        remember_key(tally, key);
        return 0;
}

/* What all of the node's topologies come to. */
static int64_t sum_of(const struct tally *tally, const struct sched_node *node) {
        int64_t sum = 0;
        const int64_t *count;

        if (tally->many) {
                list_for_each (label, &node->labels) {
                        count = sched_pairs_find(&tally->pairs, label->key, label->value);
                        sum += count ? *count : 0;
                }
                return sum;
        }
        for (uint32_t i = 0; i < tally->n_keys; i++) {
                const char *value = string_map_get(&node->labels, tally->keys[i]);

                count = value ? sched_pairs_find(&tally->pairs, tally->keys[i], value) : NULL;
                sum += count ? *count : 0;
        }
        return sum;
}

/* --- terms --- */

static bool selects(const struct sched_cycle *c, const struct sched_term *term, const struct sched_pod *pod) {
        const struct sched_namespace *space = pod == c->pod ? c->affinity->space : pod->space;

        return sched_selector_matches(&term->pods, &pod->labels) &&
               sched_term_is_of(term, pod->namespace, space && space->known ? &space->labels : NULL);
}

static bool all_select(const struct sched_cycle *c, const struct sched_terms *terms, const struct sched_pod *pod) {
        for (uint32_t i = 0; i < terms->n_required; i++)
                if (!selects(c, &terms->required[i], pod))
                        return false;
        return terms->n_required > 0;
}

static bool are_of_own(const struct sched_term *terms, uint32_t n) {
        for (uint32_t i = 0; i < n; i++)
                if (terms[i].named->count > 0 || !terms[i].spaces.nothing)
                        return false;
        return true;
}

typedef int (*visit_pod)(struct sched_cycle *c, const struct sched_pod *other);

static int visit_space(struct sched_cycle *c, const struct sched_namespace *space, visit_pod visit) {
        int r = 0;

        if (space)
                LIST_EACH (sched_space_pods, other, &space->pods)
                        r = r ?: visit(c, other);
        return r;
}

/* Those that the pod's own terms may select. */
static int visit_pods(struct sched_cycle *c, bool of_own, visit_pod visit) {
        const struct table *spaces = &c->cluster->spaces;
        int r = 0;

        if (of_own)
                return visit_space(c, c->affinity->space, visit);
        for (size_t i = 0; i < spaces->n_buckets; i++)
                for (struct table_node *at = spaces->buckets[i]; r == 0 && at; at = at->next)
                        r = visit_space(c, table_object(at, struct sched_namespace, by_name), visit);
        return r;
}

/* --- filter --- */

static int count_required(struct sched_cycle *c, const struct sched_pod *other) {
        const struct sched_terms *own = &c->pod->affinity, *anti = &c->pod->aversion;
        bool wanted = all_select(c, own, other);
        int r = 0;

        for (uint32_t i = 0; wanted && r == 0 && i < own->n_required; i++)
                r = add(c, &c->affinity->wanted, own->required[i].key, other->node, 1);
        for (uint32_t i = 0; r == 0 && i < anti->n_required; i++)
                if (selects(c, &anti->required[i], other))
                        r = add(c, &c->affinity->unwanted, anti->required[i].key, other->node, 1);
        return r;
}

static int count_averse(struct sched_cycle *c) {
        int r = 0;

        LIST_EACH (sched_averse, other, &c->cluster->averse)
                for (uint32_t i = 0; r == 0 && i < other->aversion.n_required; i++)
                        if (selects(c, &other->aversion.required[i], c->pod))
                                r = add(c, &c->affinity->averse, other->aversion.required[i].key, other->node, 1);
        return r;
}

static int prepare(struct sched_cycle *c) {
        const struct sched_terms *own = &c->pod->affinity, *anti = &c->pod->aversion;
        bool has_own = own->n_required + anti->n_required > 0,
             of_own = are_of_own(own->required, own->n_required) && are_of_own(anti->required, anti->n_required);
        int r;

        c->affinity = arena_new_of(c->arena, struct sched_affinity_state);
        if (!c->affinity)
                return -ENOMEM;
        c->affinity->space = sched_cluster_space(c->cluster, c->pod->namespace);
        if (!has_own && sched_averse_is_empty(&c->cluster->averse))
                return SCHED_SKIPS;
        if ((r = count_averse(c)) < 0 || (has_own && (r = visit_pods(c, of_own, count_required)) < 0))
                return r;
        return SCHED_FITS;
}

static bool count_is_positive(const struct tally *tally, const struct sched_term *term, const char *value) {
        const int64_t *count = sched_pairs_find(&tally->pairs, term->key, value);

        return count && *count > 0;
}

/* The first of a group that wants to be together may go anywhere. */
static bool is_wanted(const struct sched_cycle *c, const struct sched_node *node) {
        const struct sched_terms *own = &c->pod->affinity;
        bool there = true;

        for (uint32_t i = 0; i < own->n_required; i++) {
                const char *value = string_map_get(&node->labels, own->required[i].key);

                if (!value)
                        return false;
                there &= count_is_positive(&c->affinity->wanted, &own->required[i], value);
        }
        return there || (c->affinity->wanted.pairs.n == 0 && all_select(c, own, c->pod));
}

static bool is_unwanted(const struct sched_cycle *c, const struct sched_node *node) {
        const struct sched_terms *anti = &c->pod->aversion;

        for (uint32_t i = 0; i < anti->n_required; i++) {
                const char *value = string_map_get(&node->labels, anti->required[i].key);

                if (value && count_is_positive(&c->affinity->unwanted, &anti->required[i], value))
                        return true;
        }
        return false;
}

static enum sched_verdict filter(struct sched_cycle *c, const struct sched_node *node) {
        if (!is_wanted(c, node))
                return sched_refuse(c, SCHED_UNRESOLVABLE, "node(s) didn't match pod affinity rules");
        if (is_unwanted(c, node))
                return sched_refuse(c, SCHED_UNSCHEDULABLE, "node(s) didn't match pod anti-affinity rules");
        if (sum_of(&c->affinity->averse, node) > 0)
                return sched_refuse(c, SCHED_UNSCHEDULABLE, "node(s) didn't satisfy existing pods anti-affinity rules");
        return SCHED_FITS;
}

/* --- scores --- */

static int weigh_terms(struct sched_cycle *c, const struct sched_term *terms, uint32_t n, const struct sched_pod *of,
                       const struct sched_node *node, int64_t weight) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < n; i++)
                if (selects(c, &terms[i], of))
                        r = add(c, &c->affinity->scores, terms[i].key, node, weight * (terms[i].weight ?: OF_REQUIRED));
        return r;
}

static int weigh_own(struct sched_cycle *c, const struct sched_pod *other) {
        const struct sched_terms *own = &c->pod->affinity, *anti = &c->pod->aversion;

        return weigh_terms(c, own->preferred, own->n_preferred, other, other->node, 1) ?:
                       weigh_terms(c, anti->preferred, anti->n_preferred, other, other->node, -1);
}

static int weigh_others(struct sched_cycle *c) {
        int r;

        LIST_EACH (sched_affine, o, &c->cluster->affine)
                if ((r = weigh_terms(c, o->affinity.required, o->affinity.n_required, c->pod, o->node, 1)) < 0 ||
                    (r = weigh_terms(c, o->affinity.preferred, o->affinity.n_preferred, c->pod, o->node, 1)) < 0 ||
                    (r = weigh_terms(c, o->aversion.preferred, o->aversion.n_preferred, c->pod, o->node, -1)) < 0)
                        return r;
        return 0;
}

static int weigh(struct sched_cycle *c) {
        const struct sched_terms *own = &c->pod->affinity, *anti = &c->pod->aversion;
        bool has_own = own->n_preferred + anti->n_preferred > 0,
             of_own = are_of_own(own->preferred, own->n_preferred) && are_of_own(anti->preferred, anti->n_preferred);
        int r = weigh_others(c);

        if (r < 0 || (has_own && (r = visit_pods(c, of_own, weigh_own)) < 0))
                return r;
        return c->affinity->scores.pairs.n > 0 ? SCHED_FITS : SCHED_SKIPS;
}

static int64_t score(const struct sched_cycle *c, const struct sched_node *node) {
        return sum_of(&c->affinity->scores, node);
}

static void normalize(struct sched_cycle *c) {
        int64_t least = INT64_MAX, most = INT64_MIN;

        for (uint32_t i = 0; i < c->n_fitting; i++) {
                least = c->scores[i] < least ? c->scores[i] : least;
                most = c->scores[i] > most ? c->scores[i] : most;
        }
        for (uint32_t i = 0; i < c->n_fitting; i++)
                c->scores[i] =
                        most == least ? 0 : (int64_t)(100.0 * (double)(c->scores[i] - least) / (double)(most - least));
}

/* --- what may help --- */

/* Whatever the labels of namespaces are. */
static bool any_may_select(const struct sched_terms *terms, const struct sched_pod *pod) {
        for (uint32_t i = 0; i < terms->n_required; i++)
                if (sched_selector_matches(&terms->required[i].pods, &pod->labels))
                        return true;
        return false;
}

static bool helps(const struct sched_pod *pod, const struct sched_change *change) {
        if (!change->pod || change->event == SCHED_POD_LABELS)
                return true;
        if (change->event == SCHED_POD_PLACED)
                return any_may_select(&pod->affinity, change->pod);
        return any_may_select(&pod->aversion, change->pod) || any_may_select(&change->pod->aversion, pod);
}

const struct sched_plugin sched_pod_affinity = {
        .name = "InterPodAffinity",
        .weight = 2,
        .prepare = prepare,
        .filter = filter,
        .weigh = weigh,
        .score = score,
        .normalize = normalize,
        .events = SCHED_NODE_ADDED | SCHED_NODE_LABELS | SCHED_POD_PLACED | SCHED_POD_LABELS | SCHED_POD_GONE |
                  SCHED_SPACE_LABELS,
        .helps = helps,
};

/* Topology spread constraints. Hard ones forbid nodes whose domain has too many of the pod's kind beside the domain
 * that has the fewest; soft ones, and those of the default for pods that Services or what owns them select, count
 * against them.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "api/scheduler/pairs.h"
#include "api/scheduler/plugin.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define HOSTNAME "kubernetes.io/hostname"
#define ZONE "topology.kubernetes.io/zone"

/* A constraint at work. */
struct rule {
        const struct sched_spread *of;
        bool is_host;
        bool takes_self;           /* the pod is of its own kind */
        struct sched_pairs counts; /* by the domain's name */
        int64_t fewest;
        double weight;
        bool *counts_node;  /* by node.at: whether the node is one of its domain's */
        uint32_t *per_node; /* by node.at, of soft ones by host name */
};

struct sched_spread_state {
        struct rule *hard, *soft;
        uint32_t n_hard, n_soft;
        bool wants_all; /* a node that lacks one of the soft ones' labels does not count, */
        bool *left_out; /* by its place among those that fit */
};

static const char *domain_of(const struct rule *rule, const struct sched_node *node) {
        return string_map_get(&node->labels, rule->of->key);
}

static bool has_all(const struct rule *rules, uint32_t n, const struct sched_node *node) {
        for (uint32_t i = 0; i < n; i++)
                if (!domain_of(&rules[i], node))
                        return false;
        return true;
}

static bool is_heeded(const struct sched_cycle *c, const struct rule *rule, const struct sched_node *node) {
        return (!rule->of->heeds_affinity || sched_selects_node(c->pod, node)) &&
               (!rule->of->heeds_taints || sched_tolerates_node(c->pod, node));
}

/* Whether @other counts. */
static bool is_alike(const struct rule *rule, const struct sched_pod *other) {
        if (other->terminating || !other->node->known)
                return false;
        return !sched_selector_is_empty(&rule->of->pods) && sched_selector_matches(&rule->of->pods, &other->labels);
}

/* --- hard ones --- */

/* Which nodes count, and their domains, which have none yet. */
static int find_domains(struct sched_cycle *c, struct rule *rules, uint32_t n) {
        for (uint32_t at = 0; at < c->cluster->n_order; at++) {
                const struct sched_node *node = c->cluster->order[at];

                if (!has_all(rules, n, node))
                        continue;
                for (uint32_t i = 0; i < n; i++) {
                        rules[i].counts_node[at] = is_heeded(c, &rules[i], node);
                        if (rules[i].counts_node[at] &&
                            !sched_pairs_get(c->arena, &rules[i].counts, rules[i].of->key, domain_of(&rules[i], node)))
                                return -ENOMEM;
                }
        }
        return 0;
}

static void count_pods(struct sched_cycle *c, struct rule *rules, uint32_t n) {
        const struct sched_namespace *space = sched_cluster_space(c->cluster, c->pod->namespace);

        if (!space)
                return;
        LIST_EACH (sched_space_pods, other, &space->pods)
                for (uint32_t i = 0; i < n; i++) {
                        int64_t *count;

                        if (!is_alike(&rules[i], other) || !rules[i].counts_node[other->node->at])
                                continue;
                        count = sched_pairs_find(&rules[i].counts, rules[i].of->key,
                                                 domain_of(&rules[i], other->node) ?: "");
                        if (count)
                                ++*count;
                }
}

static int64_t fewest_of(const struct rule *rule) {
        int64_t fewest = INT32_MAX;

        if (rule->counts.n < rule->of->min_domains)
                return 0;
        for (uint32_t i = 0; i < rule->counts.room; i++)
                if (rule->counts.all[i].key && rule->counts.all[i].n < fewest)
                        fewest = rule->counts.all[i].n;
        return fewest;
}

static int add_rule(struct sched_cycle *c, struct rule *rule, const struct sched_spread *of) {
        *rule = (struct rule){ .of = of,
                               .is_host = strcmp(of->key, HOSTNAME) == 0,
                               .takes_self = sched_selector_matches(&of->pods, &c->pod->labels),
                               .counts_node = arena_alloc_array(c->arena, (size_t)c->cluster->n_order + 1, 1) };
        return rule->counts_node ? 0 : -ENOMEM;
}

/* The constraints of the pod that are @hard. */
static int add_rules(struct sched_cycle *c, bool hard, struct rule **ret_rules, uint32_t *ret_n) {
        struct rule *rules = arena_alloc_array(c->arena, (size_t)c->pod->n_spreads + 1, sizeof(*rules));
        uint32_t n = 0;
        int r = rules ? 0 : -ENOMEM;

        for (uint32_t i = 0; r == 0 && i < c->pod->n_spreads; i++)
                if (c->pod->spreads[i].hard == hard)
                        r = add_rule(c, &rules[n++], &c->pod->spreads[i]);
        *ret_rules = rules;
        *ret_n = n;
        return r;
}

static int prepare(struct sched_cycle *c) {
        struct sched_spread_state *s = arena_new_of(c->arena, struct sched_spread_state);
        int r;

        c->spread = s;
        r = s ? add_rules(c, true, &s->hard, &s->n_hard) : -ENOMEM;
        if (r < 0 || s->n_hard == 0)
                return r < 0 ? r : SCHED_SKIPS;
        r = find_domains(c, s->hard, s->n_hard);
        if (r < 0)
                return r;
        count_pods(c, s->hard, s->n_hard);
        for (uint32_t i = 0; i < s->n_hard; i++)
                s->hard[i].fewest = fewest_of(&s->hard[i]);
        return SCHED_FITS;
}

static enum sched_verdict filter(struct sched_cycle *c, const struct sched_node *node) {
        for (uint32_t i = 0; i < c->spread->n_hard; i++) {
                const struct rule *rule = &c->spread->hard[i];
                const char *domain = domain_of(rule, node);
                const int64_t *count;

                if (!domain)
                        return sched_refuse(
                                c, SCHED_UNRESOLVABLE,
                                "node(s) didn't match pod topology spread constraints (missing required label)");
                count = sched_pairs_find(&rule->counts, rule->of->key, domain);
                if ((count ? *count : 0) + rule->takes_self - rule->fewest > rule->of->max_skew)
                        return sched_refuse(c, SCHED_UNSCHEDULABLE,
                                            "node(s) didn't match pod topology spread constraints");
        }
        return SCHED_FITS;
}

/* --- soft ones --- */

static const struct sched_spread defaults[] = { { .key = HOSTNAME, .max_skew = 3, .heeds_affinity = true },
                                                { .key = ZONE, .max_skew = 5, .heeds_affinity = true } };

static int add_defaults(struct sched_cycle *c) {
        struct sched_spread *all = arena_alloc_array(c->arena, ELEMENTS(defaults), sizeof(*all));
        struct sched_spread_state *s = c->spread;
        struct selector_labels kin;
        int r = sched_kin_selector(&c->cluster->kin, c->arena, c->pod, &kin);

        if (r < 0 || kin.n == 0)
                return r;
        s->soft = arena_alloc_array(c->arena, ELEMENTS(defaults), sizeof(*s->soft));
        if (!all || !s->soft)
                return -ENOMEM;
        for (uint32_t i = 0; i < ELEMENTS(defaults); i++) {
                all[i] = defaults[i];
                all[i].pods = kin;
                if ((r = add_rule(c, &s->soft[s->n_soft++], &all[i])) < 0)
                        return r;
        }
        return 0;
}

static int add_soft(struct sched_cycle *c) {
        struct sched_spread_state *s = c->spread;

        return c->pod->n_spreads > 0 ? add_rules(c, false, &s->soft, &s->n_soft) : add_defaults(c);
}

/* The domains of the nodes that fit, and how much their number makes a pod more in one weigh. */
static int find_sizes(struct sched_cycle *c) {
        struct sched_spread_state *s = c->spread;
        uint32_t n_left_out = 0;

        for (uint32_t at = 0; at < c->n_fitting; at++) {
                s->left_out[at] = s->wants_all && !has_all(s->soft, s->n_soft, c->fitting[at]);
                n_left_out += s->left_out[at];
                for (uint32_t i = 0; !s->left_out[at] && i < s->n_soft; i++)
                        if (!s->soft[i].is_host && !sched_pairs_get(c->arena, &s->soft[i].counts, s->soft[i].of->key,
                                                                    domain_of(&s->soft[i], c->fitting[at]) ?: ""))
                                return -ENOMEM;
        }
        for (uint32_t i = 0; i < s->n_soft; i++)
                s->soft[i].weight = log((s->soft[i].is_host ? c->n_fitting - n_left_out : s->soft[i].counts.n) + 2.0);
        return 0;
}

static int count_hosts(struct sched_cycle *c, struct rule *rule) {
        const struct sched_namespace *space = sched_cluster_space(c->cluster, c->pod->namespace);

        rule->per_node = arena_alloc_array(c->arena, (size_t)c->cluster->n_order + 1, sizeof(*rule->per_node));
        if (!rule->per_node)
                return -ENOMEM;
        if (space)
                LIST_EACH (sched_space_pods, other, &space->pods)
                        if (is_alike(rule, other))
                                rule->per_node[other->node->at]++;
        return 0;
}

static int weigh(struct sched_cycle *c) {
        struct sched_spread_state *s = c->spread;
        int r = add_soft(c);

        if (r < 0 || s->n_soft == 0)
                return r < 0 ? r : SCHED_SKIPS;
        s->wants_all = c->pod->n_spreads > 0;
        s->left_out = arena_alloc_array(c->arena, (size_t)c->n_fitting + 1, 1);
        if ((r = s->left_out ? find_sizes(c) : -ENOMEM) < 0)
                return r;
        for (uint32_t at = 0; at < c->cluster->n_order; at++) {
                const struct sched_node *node = c->cluster->order[at];
                bool counts = !s->wants_all || has_all(s->soft, s->n_soft, node);

                for (uint32_t i = 0; i < s->n_soft; i++)
                        s->soft[i].counts_node[at] = counts && is_heeded(c, &s->soft[i], node);
        }
        for (uint32_t i = 0; i < s->n_soft; i++)
                if (s->soft[i].is_host && (r = count_hosts(c, &s->soft[i])) < 0)
                        return r;
        count_pods(c, s->soft, s->n_soft);
        return SCHED_FITS;
}

static int64_t score(const struct sched_cycle *c, const struct sched_node *node) {
        const struct sched_spread_state *s = c->spread;
        double sum = 0;

        for (uint32_t i = 0; i < s->n_soft; i++) {
                const struct rule *rule = &s->soft[i];
                const char *domain = domain_of(rule, node);
                const int64_t *count =
                        domain && !rule->is_host ? sched_pairs_find(&rule->counts, rule->of->key, domain) : NULL;
                int64_t n = rule->is_host ? rule->per_node[node->at] : count ? *count : 0;

                if (domain)
                        sum += (double)n * rule->weight + (double)(rule->of->max_skew - 1);
        }
        return (int64_t)round(sum);
}

static void normalize(struct sched_cycle *c) {
        const bool *left_out = c->spread->left_out;
        int64_t least = INT64_MAX, most = 0;

        for (uint32_t i = 0; i < c->n_fitting; i++) {
                if (left_out[i])
                        continue;
                least = c->scores[i] < least ? c->scores[i] : least;
                most = c->scores[i] > most ? c->scores[i] : most;
        }
        for (uint32_t i = 0; i < c->n_fitting; i++)
                c->scores[i] = left_out[i] ? 0 : most == 0 ? 100 : 100 * (most + least - c->scores[i]) / most;
}

/* A pod of its kind came or went, or domains did. */
static bool helps(const struct sched_pod *pod, const struct sched_change *change) {
        if (!change->pod)
                return true;
        if (strcmp(change->pod->namespace, pod->namespace) != 0)
                return false;
        for (uint32_t i = 0; i < pod->n_spreads; i++)
                if (pod->spreads[i].hard && (change->event == SCHED_POD_LABELS ||
                                             sched_selector_matches(&pod->spreads[i].pods, &change->pod->labels)))
                        return true;
        return false;
}

const struct sched_plugin sched_topology_spread = {
        .name = "PodTopologySpread",
        .weight = 2,
        .prepare = prepare,
        .filter = filter,
        .weigh = weigh,
        .score = score,
        .normalize = normalize,
        .events = SCHED_NODE_ADDED | SCHED_NODE_LABELS | SCHED_NODE_TAINTS | SCHED_POD_PLACED | SCHED_POD_LABELS |
                  SCHED_POD_GONE,
        .helps = helps,
};

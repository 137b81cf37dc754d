#include "api/scheduler/cycle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"

int sched_cycle_prepare(struct sched_cycle *c) {
        c->filters = 0;
        for (unsigned i = 0; i < sched_plugins_count; i++) {
                const struct sched_plugin *p = sched_plugins[i];
                int r = p->prepare ? p->prepare(c) : SCHED_FITS;

                if (r < 0)
                        return r;
                if (r == SCHED_UNSCHEDULABLE || r == SCHED_UNRESOLVABLE) {
                        c->failed |= 1U << i;
                        return -EACCES;
                }
                if (r == SCHED_FITS && p->filter)
                        c->filters |= 1U << i;
        }
        return 0;
}

/* --- filters --- */

static enum sched_verdict run_filters(struct sched_cycle *c, const struct sched_node *node) {
        for (uint32_t left = c->filters; left != 0; left &= left - 1) {
                unsigned i = (unsigned)__builtin_ctz(left);
                enum sched_verdict verdict = sched_plugins[i]->filter(c, node);

                if (verdict != SCHED_FITS) {
                        c->failed |= 1U << i;
                        return verdict;
                }
        }
        return SCHED_FITS;
}

static bool is_before(const struct sched_cycle *c, const struct sched_pod *other) {
        return other != c->pod && !other->node && other->priority >= c->pod->priority;
}

static bool has_nominated(const struct sched_cycle *c, const struct sched_node *node) {
        LIST_EACH (sched_nominated, other, &node->nominated)
                if (is_before(c, other))
                        return true;
        return false;
}

static void lift_nominated(struct sched_cycle *c, struct sched_node *node) {
        LIST_EACH (sched_nominated, other, &node->nominated)
                if (other->node == node)
                        sched_cluster_lift(c->cluster, other);
}

/* With them there, and, since its affinity must not rest on them, without. */
static int place_nominated(struct sched_cycle *c, struct sched_node *node) {
        LIST_EACH (sched_nominated, other, &node->nominated) {
                int r = is_before(c, other) ? sched_cluster_place(c->cluster, other, node) : 0;

                if (r < 0)
                        return r;
        }
        return sched_cycle_prepare(c);
}

static enum sched_verdict check_beside(struct sched_cycle *c, struct sched_node *node) {
        enum sched_verdict verdict = place_nominated(c, node) < 0 ? SCHED_UNKNOWN : run_filters(c, node);

        lift_nominated(c, node);
        if (sched_cycle_prepare(c) < 0)
                return SCHED_UNKNOWN;
        return verdict == SCHED_FITS ? run_filters(c, node) : verdict;
}

enum sched_verdict sched_cycle_check(struct sched_cycle *c, struct sched_node *node) {
        return has_nominated(c, node) ? check_beside(c, node) : run_filters(c, node);
}

/* --- which nodes --- */

static uint32_t enough(uint32_t n) {
        uint32_t percent = SCHED_COMPARED_PERCENT, less = n / 125;

        if (n < SCHED_COMPARED_MIN)
                return n;
        percent = percent > less + SCHED_COMPARED_PERCENT_MIN ? percent - less : SCHED_COMPARED_PERCENT_MIN;
        n = (uint32_t)((uint64_t)n * percent / 100);
        return n < SCHED_COMPARED_MIN ? SCHED_COMPARED_MIN : n;
}

static void look_at(struct sched_cycle *c, struct sched_node *node) {
        enum sched_verdict verdict = sched_cycle_check(c, node);

        c->verdicts[node->at] = (uint8_t)verdict;
        c->n_looked_at++;
        if (verdict == SCHED_FITS)
                c->fitting[c->n_fitting++] = node;
}

static void look_at_named(struct sched_cycle *c) {
        for (uint32_t i = 0; i < c->n_only; i++) {
                struct sched_node *node = sched_cluster_node(c->cluster, c->only[i]);

                if (node && node->known && c->verdicts[node->at] == SCHED_UNKNOWN)
                        look_at(c, node);
        }
        if (c->n_fitting == 0 && c->n_looked_at < c->cluster->n_order) {
                sched_reasons_add(&c->reasons, "node(s) didn't satisfy plugin(s) [NodeAffinity]",
                                  c->cluster->n_order - c->n_looked_at);
                for (unsigned i = 0; i < sched_plugins_count; i++)
                        if (sched_plugins[i] == &sched_node_affinity)
                                c->failed |= 1U << i;
        }
}

void sched_cycle_find(struct sched_cycle *c, uint32_t start) {
        struct sched_node *nominated = c->pod->nominated;
        uint32_t n = c->cluster->n_order, wanted = enough(n);

        memset(c->verdicts, SCHED_UNKNOWN, n);
        if (nominated && nominated->known && sched_cycle_check(c, nominated) == SCHED_FITS) {
                c->fitting[c->n_fitting++] = nominated;
                return;
        }
        c->reasons.n = 0;
        c->failed = 0;
        if (c->only)
                look_at_named(c);
        for (uint32_t i = 0; !c->only && i < n && c->n_fitting < wanted; i++)
                look_at(c, c->cluster->order[(start + i) % n]);
}

/* --- the best --- */

static int add_scores(struct sched_cycle *c, const struct sched_plugin *p) {
        int r = p->weigh ? p->weigh(c) : SCHED_FITS;

        if (r != SCHED_FITS)
                return r < 0 ? r : 0;
        for (uint32_t i = 0; i < c->n_fitting; i++)
                c->scores[i] = p->score(c, c->fitting[i]);
        if (p->normalize)
                p->normalize(c);
        for (uint32_t i = 0; i < c->n_fitting; i++)
                c->totals[i] += p->weight * c->scores[i];
        return 0;
}

/* xorshift64: who is taken of equals need not be a secret. */
static uint64_t draw(uint64_t *random) {
        uint64_t x = *random ?: 1;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        return *random = x;
}

static struct sched_node *choose(const struct sched_cycle *c, uint64_t *random) {
        uint32_t best = 0, equals = 1;

        for (uint32_t i = 1; i < c->n_fitting; i++) {
                if (c->totals[i] < c->totals[best])
                        continue;
                equals = c->totals[i] > c->totals[best] ? 1 : equals + 1;
                if (equals == 1 || draw(random) % equals == 0)
                        best = i;
        }
        return c->fitting[best];
}

struct sched_node *sched_cycle_best(struct sched_cycle *c, uint64_t *random) {
        int r = 0;

        if (c->n_fitting == 1)
                return c->fitting[0];
        memset(c->totals, 0, c->n_fitting * sizeof(*c->totals));
        for (unsigned i = 0; r == 0 && i < sched_plugins_count; i++)
                if (sched_plugins[i]->score)
                        r = add_scores(c, sched_plugins[i]);
        return r < 0 ? NULL : choose(c, random);
}

/* --- words --- */

static int order(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *sched_reasons_format(struct arena *arena, const struct sched_reasons *reasons, uint32_t n_nodes) {
        const char *each[SCHED_REASONS_MAX], *text = arena_printf(arena, "0/%u nodes are available:", n_nodes);

        for (uint32_t i = 0; i < reasons->n; i++) {
                each[i] = arena_printf(arena, "%u %s", reasons->all[i].n, reasons->all[i].text);
                if (!each[i])
                        return NULL;
        }
        qsort(each, reasons->n, sizeof(*each), order);
        for (uint32_t i = 0; text && i < reasons->n; i++)
                text = arena_printf(arena, "%s%s %s", text, i > 0 ? "," : "", each[i]);
        return text && reasons->n > 0 ? arena_printf(arena, "%s.", text) : text;
}

const char *sched_cycle_words(const struct sched_cycle *c) {
        if (c->cluster->n_order == 0)
                return "no nodes available to schedule pods";
        if (c->refused)
                return arena_printf(c->arena, "0/%u nodes are available: %s.", c->cluster->n_order, c->refused);
        return sched_reasons_format(c->arena, &c->reasons, c->cluster->n_order);
}

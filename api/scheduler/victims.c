#include "api/scheduler/victims.h"

#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"

/* Who has not started yet starts now. */
static int64_t start_of(const struct sched_pod *pod) {
        return pod->started.set ? pod->started.seconds : INT64_MAX;
}

static int by_importance(const void *a, const void *b) {
        const struct sched_pod *x = *(struct sched_pod *const *)a, *y = *(struct sched_pod *const *)b;
        int64_t first = start_of(x), second = start_of(y);

        if (x->priority != y->priority)
                return x->priority > y->priority ? -1 : 1;
        return first < second ? -1 : first > second;
}

/* --- budgets --- */

static bool is_disrupted(const struct sched_budget *budget, const struct sched_pod *pod) {
        for (uint32_t i = 0; i < budget->disrupted->count; i++)
                if (strcmp(budget->disrupted->items[i], pod->name) == 0)
                        return true;
        return false;
}

/* Takes it off the budgets that it is of. */
static bool violates(struct sched_budget *budgets, uint32_t n, const struct sched_pod *pod) {
        bool violated = false;

        for (uint32_t i = 0; i < n; i++) {
                struct sched_budget *b = &budgets[i];

                if (strcmp(b->namespace, pod->namespace) != 0 || sched_selector_is_empty(&b->pods) ||
                    !sched_selector_matches(&b->pods, &pod->labels) || is_disrupted(b, pod))
                        continue;
                violated |= --b->allowed < 0;
        }
        return violated;
}

/* --- who could go --- */

struct search {
        struct sched_cycle *c;
        struct sched_node *node;
        struct sched_pod **all; /* of less priority, the most important first */
        bool *violating, *goes;
        uint32_t n;
};

static bool collect(struct search *s) {
        uint32_t room = s->node->n_pods + 1;

        s->all = arena_alloc_array(s->c->arena, room, sizeof(*s->all));
        s->violating = arena_alloc_array(s->c->arena, room, 1);
        s->goes = arena_alloc_array(s->c->arena, room, 1);
        if (!s->all || !s->violating || !s->goes)
                return false;
        LIST_EACH (sched_node_pods, pod, &s->node->pods)
                if (pod->priority < s->c->pod->priority)
                        s->all[s->n++] = pod;
        qsort(s->all, s->n, sizeof(*s->all), by_importance);
        return true;
}

static bool judge(struct search *s, const struct sched_budgets *budgets) {
        struct sched_budget *copy = arena_alloc_array(s->c->arena, (size_t)budgets->n + 1, sizeof(*copy));

        if (!copy)
                return false;
        if (budgets->n > 0)
                memcpy(copy, budgets->all, budgets->n * sizeof(*copy));
        for (uint32_t i = 0; i < s->n; i++)
                s->violating[i] = violates(copy, budgets->n, s->all[i]);
        return true;
}

/* --- whether it fits without them --- */

/* What plugins prepare for it goes with the next time: there are hundreds. */
static bool fits(struct search *s) {
        struct arena *arena = s->c->arena;
        bool fits;

        arena_reset(s->c->scratch);
        s->c->arena = s->c->scratch;
        s->c->reasons.n = 0;
        fits = sched_cycle_prepare(s->c) == 0 && sched_cycle_check(s->c, s->node) == SCHED_FITS;
        s->c->arena = arena;
        return fits;
}

static void lift(struct search *s, uint32_t i) {
        sched_cluster_lift(s->c->cluster, s->all[i]);
        s->goes[i] = true;
}

static bool put_back(struct search *s, uint32_t i) {
        bool done = sched_cluster_place(s->c->cluster, s->all[i], s->node) == 0;

        s->goes[i] = !done;
        return done;
}

/* Those whose going would break a budget stay first, where they can. */
static void reprieve(struct search *s, bool violating) {
        for (uint32_t i = 0; i < s->n; i++)
                if (s->violating[i] == violating && put_back(s, i) && !fits(s))
                        lift(s, i);
}

static void take(struct search *s, struct sched_victims *to) {
        *to = (struct sched_victims){ .node = s->node, .all = s->all };
        for (uint32_t i = 0; i < s->n; i++)
                if (s->goes[i]) {
                        put_back(s, i);
                        to->all[to->n++] = s->all[i];
                        to->n_violating += s->violating[i];
                }
}

bool sched_victims_find(struct sched_cycle *c, struct sched_node *node, const struct sched_budgets *budgets,
                        struct sched_victims *ret_victims) {
        struct search s = { .c = c, .node = node };
        uint32_t failed = c->failed;
        bool found = collect(&s) && judge(&s, budgets);

        c->reasons.n = 0;
        if (found && s.n == 0)
                sched_reasons_add(&c->reasons, "No preemption victims found for incoming pod", 1);
        found = found && s.n > 0;
        for (uint32_t i = 0; found && i < s.n; i++)
                lift(&s, i);
        if (found && !fits(&s)) {
                for (uint32_t i = 0; i < s.n; i++)
                        put_back(&s, i);
                found = false;
        }
        if (found) {
                reprieve(&s, true);
                reprieve(&s, false);
                take(&s, ret_victims);
        }
        c->failed = failed;
        return found && ret_victims->n > 0;
}

/* --- which is best --- */

static int64_t sum_of(const struct sched_victims *v) {
        int64_t sum = 0;

        for (uint32_t i = 0; i < v->n; i++)
                sum += (int64_t)v->all[i]->priority + INT32_MAX + 1;
        return sum;
}

/* When the first of the most important ones began. */
static int64_t earliest_of(const struct sched_victims *v) {
        int64_t first = INT64_MAX;

        for (uint32_t i = 0; i < v->n && v->all[i]->priority == v->all[0]->priority; i++)
                first = start_of(v->all[i]) < first ? start_of(v->all[i]) : first;
        return first;
}

bool sched_victims_are_better(const struct sched_victims *a, const struct sched_victims *b) {
        if (a->n_violating != b->n_violating)
                return a->n_violating < b->n_violating;
        if (a->all[0]->priority != b->all[0]->priority)
                return a->all[0]->priority < b->all[0]->priority;
        if (sum_of(a) != sum_of(b))
                return sum_of(a) < sum_of(b);
        if (a->n != b->n)
                return a->n < b->n;
        return earliest_of(a) > earliest_of(b);
}

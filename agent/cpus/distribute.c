/* CPUs of a container that one NUMA node has not enough of: as evenly from several as can be, and so that what stays
 * free is even, too (KEP-2902; cpumanager/cpu_assignment.go, takeByTopologyNUMADistributed()). */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cpus/internal.h"
#include "lib/cleanup.h"

#define NODES_MAX CPUS_DISTRIBUTED_NODES_MAX

/* Some of the nodes, by their places in the list of all. */
struct nodes {
        int at[NODES_MAX];
        int n;
};

struct search {
        struct taking *t;
        int wanted, group;
        int ids[NODES_MAX], free[NODES_MAX], n; /* all that have free CPUs */
        struct nodes combo, rest;               /* the best so far, and where what is left over is taken from */
        double balance;
        int tries; /* left */
};

/* The next choice of @c->n of @n, in the order of the lists; begins with the first when @c->at is not ascending. */
static bool next_choice(struct nodes *c, int n) {
        int i = c->n - 1;

        while (i >= 0 && c->at[i] == n - c->n + i)
                i--;
        if (i < 0)
                return false;
        c->at[i]++;
        for (int k = i + 1; k < c->n; k++)
                c->at[k] = c->at[k - 1] + 1;
        return true;
}

static struct nodes first_choice(int k) {
        struct nodes c = { .n = k };

        for (int i = 0; i < k; i++)
                c.at[i] = i;
        return c;
}

/* Go's standardDeviation(): both steps rounded to thousandths. */
static double deviation(const int *values, int n) {
        double sum = 0, mean, squares = 0;

        for (int i = 0; i < n; i++)
                sum += values[i];
        mean = round(sum / n * 1000) / 1000;
        for (int i = 0; i < n; i++)
                squares += (values[i] - mean) * (values[i] - mean);
        return round(sqrt(squares / n) * 1000) / 1000;
}

static int share(const struct search *s, int n) {
        return s->wanted / n / s->group * s->group;
}

static bool is_enough(const struct search *s, const struct nodes *combo) {
        int all = 0, groups = 0;

        for (int i = 0; i < combo->n; i++) {
                int free = s->free[combo->at[i]];

                all += free;
                groups += free / s->group;
                if (free < share(s, combo->n))
                        return false;
        }
        return all >= s->wanted && groups * s->group >= s->wanted;
}

/* Takes what is left over from @rest's nodes, a group each, again and again. False: they have not enough. */
static bool take_rest(const struct search *s, const struct nodes *rest, int left, int *free) {
        int all = 0;

        for (int i = 0; i < rest->n; i++)
                all += free[rest->at[i]];
        if (all < left)
                return false;
        while (left > 0) {
                int before = left;

                for (int i = 0; i < rest->n && left > 0; i++) {
                        if (free[rest->at[i]] < s->group)
                                continue;
                        free[rest->at[i]] -= s->group;
                        left -= s->group;
                }
                if (left == before)
                        return false;
        }
        return true;
}

struct best {
        double balance;
        struct nodes rest;
};

static void try_rests(struct search *s, const struct nodes *can, int left, const int *free, struct best *best) {
        for (int k = can->n; k >= 1; k--) {
                struct nodes choice = first_choice(k);

                do {
                        struct nodes rest = { .n = k };
                        int after[NODES_MAX];
                        double balance;

                        for (int i = 0; i < k; i++)
                                rest.at[i] = can->at[choice.at[i]];
                        memcpy(after, free, sizeof(after));
                        if (!take_rest(s, &rest, left, after))
                                continue;
                        balance = deviation(after, s->n);
                        if (balance < best->balance)
                                *best = (struct best){ balance, rest };
                } while (s->tries-- > 0 && next_choice(&choice, can->n));
        }
}

static void try_combo(struct search *s, const struct nodes *combo) {
        int free[NODES_MAX], each = share(s, combo->n), left = s->wanted - each * combo->n;
        struct best best = { .balance = DBL_MAX };
        struct nodes can = { .n = 0 };

        memcpy(free, s->free, sizeof(free));
        for (int i = 0; i < combo->n; i++)
                free[combo->at[i]] -= each;
        for (int i = 0; i < combo->n; i++)
                if (free[combo->at[i]] >= s->group)
                        can.at[can.n++] = combo->at[i];
        if (left == 0)
                best.balance = deviation(free, s->n);
        else
                try_rests(s, &can, left, free, &best);
        if (best.balance < s->balance) {
                s->balance = best.balance;
                s->combo = *combo;
                s->rest = best.rest;
        }
}

/* The best of @k nodes. */
static bool find(struct search *s, int k) {
        struct nodes combo = first_choice(k);

        s->balance = DBL_MAX;
        do
                if (is_enough(s, &combo))
                        try_combo(s, &combo);
        while (s->balance > 0 && s->tries-- > 0 && next_choice(&combo, s->n));
        return s->tries > 0 && s->balance < DBL_MAX;
}

static int take_from(struct search *s, int at, int n, struct err **err) {
        static const struct cpus_taking packed = { .group = 1 };
        struct cpus_set node = cpus_topology_in(s->t->topology, &s->t->free, CPUS_NUMA, s->ids[at]), taken;
        int r = cpus_take(s->t->topology, &packed, &node, n, &taken, err);

        if (r == 0)
                taking_take(s->t, &taken);
        return r;
}

static int take_found(struct search *s, struct err **err) {
        int each = share(s, s->combo.n), left = s->wanted - each * s->combo.n, r;

        for (int i = 0; i < s->combo.n; i++)
                if ((r = take_from(s, s->combo.at[i], each, err)) < 0)
                        return r;
        while (left > 0)
                for (int i = 0; i < s->rest.n && left > 0; i++) {
                        if (taking_count(s->t, &s->t->free, CPUS_NUMA, s->ids[s->rest.at[i]]) < s->group)
                                continue;
                        if ((r = take_from(s, s->rest.at[i], s->group, err)) < 0)
                                return r;
                        left -= s->group;
                }
        return 1;
}

static int ceiling(int a, int b) {
        return (a - 1) / b + 1;
}

int taking_distribute(struct taking *t, int group, struct err **err) {
        const struct cpus_topology *all = t->topology;
        const struct places *nodes = taking_list(t, CPUS_NUMA);
        struct search s = { .t = t, .wanted = t->needed, .group = group, .tries = CPUS_DISTRIBUTED_TRIES_MAX };
        int per_node = ceiling(ceiling(all->n_cpus, group), all->n[CPUS_NUMA]), groups = ceiling(t->needed, group),
            least, most;

        for (; s.n < (int)nodes->n && s.n < NODES_MAX; s.n++) {
                s.ids[s.n] = nodes->ids[s.n];
                s.free[s.n] = taking_count(t, &t->free, CPUS_NUMA, nodes->ids[s.n]);
        }
        least = ceiling(groups, per_node);
        most = groups < s.n ? groups : s.n;
        for (int k = least; k <= most && s.tries > 0; k++)
                if (find(&s, k))
                        return take_found(&s, err);
        return 0;
}

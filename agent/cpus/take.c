#include "agent/cpus/take.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cpus/internal.h"
#include "lib/cleanup.h"

static int make(const struct cpus_topology *topology, const struct cpus_set *available, int n, struct taking **ret) {
        struct taking *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->topology = topology;
        t->free = cpus_set_both(available, &topology->all);
        t->needed = n;
        *ret = t;
        return 0;
}

/* -- lists ------------------------------------------------------------------------------------------------- */

int taking_count(const struct taking *t, const struct cpus_set *from, enum cpus_level level, int id) {
        int n = 0;

        for (int c = -1; (c = cpus_set_next(from, c + 1)) >= 0;)
                n += t->topology->of[c][level] == id;
        return n;
}

struct place {
        int id, free; /* how many of its CPUs are free */
};

static int by_free(const void *a, const void *b) {
        const struct place *one = a, *other = b;

        return one->free != other->free ? (one->free > other->free) - (one->free < other->free) :
                                          (one->id > other->id) - (one->id < other->id);
}

/* Appends what of @level has free CPUs in @scope: those with the fewest first. */
static void list_in(struct taking *t, enum cpus_level level, const struct cpus_set *scope) {
        struct places *list = &t->lists[level];
        struct cpus_set left = *scope;
        struct place found[CPUS_MAX];
        size_t n = 0;

        for (int c; (c = cpus_set_next(&left, 0)) >= 0; n++) {
                int id = t->topology->of[c][level];
                struct cpus_set same = cpus_topology_in(t->topology, &left, level, id);

                left = cpus_set_without(&left, &same);
                found[n] = (struct place){ id, taking_count(t, &t->free, level, id) };
        }
        qsort(found, n, sizeof(*found), by_free);
        for (size_t i = 0; i < n && list->n < CPUS_MAX; i++)
                list->ids[list->n++] = found[i].id;
}

static bool numa_is_first(const struct taking *t) {
        return t->topology->n[CPUS_SOCKET] >= t->topology->n[CPUS_NUMA];
}

/* What lies around @level in the order of lists; @level itself: nothing does. */
static enum cpus_level around(const struct taking *t, enum cpus_level level) {
        enum cpus_level first = numa_is_first(t) ? CPUS_NUMA : CPUS_SOCKET,
                        second = numa_is_first(t) ? CPUS_SOCKET : CPUS_NUMA;

        if (level == first)
                return level;
        if (level == second)
                return first;
        return level == CPUS_UNCORE ? CPUS_NUMA : second;
}

const struct places *taking_list(struct taking *t, enum cpus_level level) {
        enum cpus_level outer = around(t, level);
        const struct places *above = outer == level ? NULL : taking_list(t, outer);

        t->lists[level].n = 0;
        if (!above)
                list_in(t, level, &t->free);
        for (size_t i = 0; above && i < above->n; i++) {
                struct cpus_set scope = cpus_topology_in(t->topology, &t->free, outer, above->ids[i]);

                list_in(t, level, &scope);
        }
        return &t->lists[level];
}

/* -- whole places, then single CPUs ------------------------------------------------------------------------ */

void taking_take(struct taking *t, const struct cpus_set *cpus) {
        t->taken = cpus_set_union(&t->taken, cpus);
        t->free = cpus_set_without(&t->free, cpus);
        t->needed -= (int)cpus_set_count(cpus);
}

/* How many CPUs a place has when all of it is free: sockets and cores are taken to be all alike. */
static int whole(const struct taking *t, enum cpus_level level, int id) {
        const struct cpus_topology *all = t->topology;

        return level == CPUS_SOCKET || level == CPUS_CORE ? all->n_cpus / all->n[level] :
                                                            taking_count(t, &all->all, level, id);
}

static void take_whole(struct taking *t, enum cpus_level level) {
        struct places list = *taking_list(t, level);
        size_t n = 0;

        for (size_t i = 0; i < list.n; i++)
                if (taking_count(t, &t->free, level, list.ids[i]) == whole(t, level, list.ids[i]))
                        list.ids[n++] = list.ids[i];
        for (size_t i = 0; i < n; i++) {
                struct cpus_set cpus = cpus_topology_in(t->topology, &t->topology->all, level, list.ids[i]);

                if (t->needed >= (int)cpus_set_count(&cpus))
                        taking_take(t, &cpus);
        }
}

static void take_single(struct taking *t) {
        const struct places list = *taking_list(t, CPUS_CORE);

        for (size_t i = 0; i < list.n; i++) {
                struct cpus_set cpus = cpus_topology_in(t->topology, &t->free, CPUS_CORE, list.ids[i]);

                for (int c = -1; t->needed > 0 && (c = cpus_set_next(&cpus, c + 1)) >= 0;) {
                        struct cpus_set one = { 0 };

                        cpus_set_add(&one, c);
                        taking_take(t, &one);
                }
        }
}

/* -- by caches --------------------------------------------------------------------------------------------- */

/* The core of @cpus with the lowest number. */
static int lowest_core(const struct taking *t, const struct cpus_set *cpus) {
        int lowest = CPUS_MAX;

        for (int c = -1; (c = cpus_set_next(cpus, c + 1)) >= 0;)
                if (t->topology->of[c][CPUS_CORE] < lowest)
                        lowest = t->topology->of[c][CPUS_CORE];
        return lowest;
}

static void drop_last(struct cpus_set *set) {
        int last = 0;

        for (int c = -1; (c = cpus_set_next(set, c + 1)) >= 0;)
                last = c;
        set->words[last / 64] &= ~((uint64_t)1 << (last % 64));
}

/* The free CPUs of as many of the cache's cores as are needed; of an odd number one CPU less. */
static struct cpus_set part_of(const struct taking *t, int uncore) {
        struct cpus_set left = cpus_topology_in(t->topology, &t->free, CPUS_UNCORE, uncore), part = { 0 };
        int threads = t->topology->n_cpus / t->topology->n[CPUS_CORE];

        for (int cores = (t->needed + threads - 1) / threads; cores > 0 && !cpus_set_is_empty(&left); cores--) {
                struct cpus_set same = cpus_topology_in(t->topology, &t->free, CPUS_CORE, lowest_core(t, &left));

                part = cpus_set_union(&part, &same);
                left = cpus_set_without(&left, &same);
        }
        if (t->needed % 2 != 0 && threads > 1 && (int)cpus_set_count(&part) > t->needed)
                drop_last(&part);
        return part;
}

static void take_by_uncore(struct taking *t) {
        const struct places list = *taking_list(t, CPUS_UNCORE);
        int each = t->topology->n_cpus / t->topology->n[CPUS_UNCORE];

        for (size_t i = 0; i < list.n && t->needed > 0; i++) {
                struct cpus_set part;

                if (t->needed >= each)
                        take_whole(t, CPUS_UNCORE);
                if (t->needed < 1)
                        return;
                part = part_of(t, list.ids[i]);
                if (t->needed == (int)cpus_set_count(&part))
                        taking_take(t, &part);
        }
}

/* -- all --------------------------------------------------------------------------------------------------- */

static void pack(struct taking *t, bool by_uncore) {
        take_whole(t, numa_is_first(t) ? CPUS_NUMA : CPUS_SOCKET);
        if (t->needed > 0)
                take_whole(t, numa_is_first(t) ? CPUS_SOCKET : CPUS_NUMA);
        if (t->needed > 0 && by_uncore)
                take_by_uncore(t);
        if (t->needed > 0)
                take_whole(t, CPUS_CORE);
        if (t->needed > 0)
                take_single(t);
}

static bool distributes(const struct cpus_topology *topology, const struct cpus_taking *how, int n) {
        return how->distribute && n % how->group == 0 && topology->n[CPUS_NUMA] <= CPUS_DISTRIBUTED_NODES_MAX;
}

int cpus_take(const struct cpus_topology *topology, const struct cpus_taking *how, const struct cpus_set *available,
              int n, struct cpus_set *ret_taken, struct err **err) {
        _cleanup_free_ struct taking *t = NULL;
        int r = make(topology, available, n, &t), there;

        if (r < 0)
                return err_set(err, ENOMEM, "out of memory");
        there = (int)cpus_set_count(&t->free);
        if (n > there)
                return err_set(err, EBUSY, "not enough cpus available to satisfy request: requested=%d, available=%d",
                               n, there);
        if (n > 0 && distributes(topology, how, n) && (r = taking_distribute(t, how->group, err)) < 0)
                return r;
        if (r == 0 && n > 0)
                pack(t, how->by_uncore && !how->distribute);
        *ret_taken = t->taken;
        return 0;
}

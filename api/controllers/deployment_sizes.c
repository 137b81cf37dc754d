/* Which set has how many pods: while one takes over from others, and when all grow or shrink together. */
#include <stdlib.h>
#include <string.h>

#include "api/controllers/deployment.h"
#include "lib/arena.h"

static int64_t smaller(int64_t a, int64_t b) {
        return a < b ? a : b;
}

static void resize(struct deployment_plan *plan, struct deployment_set *set, int64_t size) {
        set->changed |= deployment_annotate_size(plan, &set->set) || deployment_replicas(set) != size;
        set->set.spec.replicas = (struct opt_int){ size, true };
}

static bool is_old(const struct deployment_plan *plan, const struct deployment_set *set) {
        return set != plan->current;
}

/* Those that have been resized already are known by their size now. Sums of sizes have no room in an int32_t. */
static int64_t total(const struct deployment_plan *plan) {
        int64_t n = 0;

        for (unsigned i = 0; i < plan->n_sets; i++)
                n += deployment_replicas(&plan->sets[i]);
        return n;
}

static int64_t available(const struct deployment_plan *plan) {
        int64_t n = 0;

        for (unsigned i = 0; i < plan->n_sets; i++)
                n += plan->sets[i].set.status.available_replicas;
        return n;
}

/* --- one takes over from others, step by step --- */

/* True: that is all for now. */
static bool grow_current(struct deployment_plan *plan) {
        int64_t wanted = deployment_wanted(&plan->d), size = deployment_replicas(plan->current),
                room = deployment_most(&plan->d) - total(plan);

        if (size == wanted || (size < wanted && room <= 0))
                return false;
        resize(plan, plan->current, size > wanted ? wanted : size + smaller(room, wanted - size));
        return true;
}

/* Takes up to @most away from the old sets, the oldest first; @broken: only what does not work anyway. */
static int64_t shrink_old(struct deployment_plan *plan, int64_t most, bool broken) {
        int64_t done = 0;

        for (unsigned i = 0; i < plan->n_sets && done < most; i++) {
                struct deployment_set *set = &plan->sets[i];
                int64_t size = deployment_replicas(set), n = broken ? size - set->set.status.available_replicas : size;

                n = smaller(n, most - done);
                if (!is_old(plan, set) || size == 0 || n <= 0)
                        continue;
                resize(plan, set, size - n);
                done += n;
        }
        return done;
}

/* What is not available goes first, so that it holds nothing up; of the rest so much as can be missed. */
static bool shrink(struct deployment_plan *plan) {
        int64_t least = deployment_wanted(&plan->d) - deployment_unavailable(&plan->d),
                missing = (int64_t)deployment_replicas(plan->current) - plan->current->set.status.available_replicas,
                most = total(plan) - least - missing, done;

        if (total(plan) == deployment_replicas(plan->current) || most <= 0)
                return false;
        done = shrink_old(plan, most, true);
        return done + shrink_old(plan, available(plan) - least, false) > 0;
}

void deployment_roll(struct deployment_plan *plan) {
        deployment_find_current(plan, true);
        if (plan->no_memory || grow_current(plan) || shrink(plan))
                return;
        if (deployment_is_complete(&plan->d, &plan->d.status))
                deployment_clean(plan);
}

/* --- all go before one comes --- */

static bool old_ones_run(const struct deployment_plan *plan) {
        for (unsigned i = 0; i < plan->n_sets; i++)
                if (is_old(plan, &plan->sets[i]) && (plan->sets[i].set.status.replicas > 0 || plan->sets[i].runs))
                        return true;
        return false;
}

void deployment_recreate(struct deployment_plan *plan) {
        bool waits = false;

        deployment_find_current(plan, false);
        for (unsigned i = 0; i < plan->n_sets; i++)
                if (is_old(plan, &plan->sets[i]) && deployment_replicas(&plan->sets[i]) > 0) {
                        resize(plan, &plan->sets[i], 0);
                        waits = true;
                }
        if (waits || old_ones_run(plan))
                return;
        if (!plan->current)
                deployment_find_current(plan, true);
        if (plan->no_memory)
                return;
        if (deployment_replicas(plan->current) != deployment_wanted(&plan->d))
                resize(plan, plan->current, deployment_wanted(&plan->d));
        if (deployment_is_complete(&plan->d, &plan->d.status))
                deployment_clean(plan);
}

/* --- all grow or shrink together --- */

static bool annotated(const struct deployment_set *set, const char *key, int32_t *ret_number) {
        const char *text = deployment_annotation(&set->set.metadata, key);
        char *end;
        long n = text ? strtol(text, &end, 10) : 0;

        if (!text || end == text || *end || n < 0 || n > INT32_MAX)
                return false;
        *ret_number = (int32_t)n;
        return true;
}

bool deployment_scales(const struct deployment_plan *plan) {
        int32_t desired;

        for (unsigned i = 0; i < plan->n_sets; i++)
                if (deployment_replicas(&plan->sets[i]) > 0 &&
                    annotated(&plan->sets[i], DEPLOYMENT_DESIRED, &desired) && desired != deployment_wanted(&plan->d))
                        return true;
        return false;
}

/* Whole numbers, halves away from zero: of sizes, whose products are below 2^62. */
static int64_t rounded(double number) {
        return (int64_t)(number < 0 ? number - 0.5 : number + 0.5);
}

/* What @set grows by, of @left that is to be shared out: as its part of all is. */
static int64_t part_of(const struct deployment_plan *plan, const struct deployment_set *set, int64_t left) {
        int32_t wanted = deployment_wanted(&plan->d), most;
        int64_t size = deployment_replicas(set), part;

        if (wanted == 0)
                part = -size;
        else {
                if (!annotated(set, DEPLOYMENT_MAX, &most) || most == 0)
                        most = plan->d.status.replicas;
                part = most == 0 ? 0 : rounded((double)size * deployment_most(&plan->d) / most) - size;
        }
        return left > 0 ? smaller(part, left) : part < left ? left : part;
}

struct by_size {
        struct deployment_set *set;
        bool newer; /* of the same size the newer ones stand first */
};

static int compare(const void *a, const void *b) {
        const struct by_size *x = a, *y = b;
        int32_t nx = deployment_replicas(x->set), ny = deployment_replicas(y->set);

        if (nx != ny)
                return nx < ny ? 1 : -1;
        return (x->set > y->set ? 1 : -1) * (x->newer ? -1 : 1); /* they stand by creation */
}

static void share_out(struct deployment_plan *plan, struct by_size *active, unsigned n) {
        int64_t more, added = 0, *sizes = arena_alloc_array(plan->arena, n, sizeof(*sizes));

        plan->no_memory |= !sizes;
        if (!sizes)
                return;
        more = (deployment_wanted(&plan->d) > 0 ? deployment_most(&plan->d) : 0) - total(plan);
        for (unsigned i = 0; i < n; i++)
                active[i].newer = more > 0;
        qsort(active, n, sizeof(*active), compare);
        for (unsigned i = 0; i < n; i++) {
                int64_t part = more == 0 || more == added ? 0 : part_of(plan, active[i].set, more - added);

                sizes[i] = deployment_replicas(active[i].set) + part;
                added += part;
        }
        sizes[0] += more - added; /* what rounding has left over */
        for (unsigned i = 0; i < n; i++)
                resize(plan, active[i].set, sizes[i] < 0 ? 0 : sizes[i]);
}

static bool is_saturated(const struct deployment_plan *plan) {
        int32_t desired, wanted = deployment_wanted(&plan->d);

        return plan->current && annotated(plan->current, DEPLOYMENT_DESIRED, &desired) && desired == wanted &&
               deployment_replicas(plan->current) == wanted && plan->current->set.status.available_replicas == wanted;
}

void deployment_scale(struct deployment_plan *plan) {
        struct by_size *active = arena_alloc_array(plan->arena, plan->n_sets + 1, sizeof(*active));
        struct deployment_set *only = plan->current;
        unsigned n = 0;

        plan->no_memory |= !active;
        if (!active || plan->n_sets == 0)
                return;
        for (unsigned i = 0; i < plan->n_sets; i++)
                if (deployment_replicas(&plan->sets[i]) > 0)
                        active[n++].set = &plan->sets[i];
        if (n == 1)
                only = active[0].set;
        if (n == 0 && !only)
                only = &plan->sets[plan->n_sets - 1];
        if (n <= 1 && deployment_replicas(only) != deployment_wanted(&plan->d))
                resize(plan, only, deployment_wanted(&plan->d));
        if (n <= 1)
                return;
        if (is_saturated(plan)) {
                for (unsigned i = 0; i < n; i++)
                        if (is_old(plan, active[i].set))
                                resize(plan, active[i].set, 0);
        } else if (deployment_rolls(&plan->d))
                share_out(plan, active, n);
}

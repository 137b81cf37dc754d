#include "api/quota/recount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"

/* An amount that the quota bounds. */
struct quota_tally {
        const char *name;
        struct quantity bound, used;
        const struct quantity *before; /* as the status had it; NULL: it did not */
        bool counted;                  /* some kind has such amounts */
};

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct quota_tally *)a)->name, ((const struct quota_tally *)b)->name);
}

static struct quota_tally *find(const struct quota_recount *recount, const char *name) {
        const struct quota_tally key = { .name = name };

        return bsearch(&key, recount->tallies, recount->n, sizeof(key), by_name);
}

static bool is_bound(const struct quota_recount *recount, const struct resource_amount *hard) {
        const struct quota_tally *tally = find(recount, hard->name);

        return tally && quantity_compare(tally->bound, hard->amount) == 0;
}

int quota_recount_begin(struct quota_recount *recount, struct arena *arena, struct kube_resource_quota *quota) {
        struct quota_tally *tallies = arena_alloc_array(arena, quota->spec.hard.count, sizeof(*tallies));

        if (!tallies)
                return -ENOMEM;
        *recount = (struct quota_recount){ .arena = arena, .quota = quota, .tallies = tallies };
        list_for_each (hard, &quota->spec.hard)
                tallies[recount->n++] = (struct quota_tally){ .name = hard->name, .bound = hard->amount };
        qsort(tallies, recount->n, sizeof(*tallies), by_name);
        recount->differs = quota->status.hard.count != quota->spec.hard.count;
        list_for_each (hard, &quota->status.hard)
                recount->differs |= !is_bound(recount, hard);
        list_for_each (used, &quota->status.used) {
                struct quota_tally *tally = find(recount, used->name);

                if (tally)
                        tally->before = &used->amount;
        }
        recount->n_before = quota->status.used.count;
        quota->status.hard = quota->spec.hard;
        return 0;
}

bool quota_recount_takes(struct quota_recount *recount, const struct quota_item *item) {
        bool takes = false;

        for (size_t i = 0; i < recount->n; i++)
                if (quota_measures(item, recount->tallies[i].name))
                        takes = recount->tallies[i].counted = true;
        return takes;
}

bool quota_recount_is_due(const struct quota_recount *recount) {
        for (size_t i = 0; i < recount->n; i++)
                if (recount->tallies[i].counted && !recount->tallies[i].before)
                        return true;
        return recount->differs;
}

int quota_recount_add(struct quota_recount *recount, struct arena *scratch, const struct quota_item *item) {
        resource_list usage;
        int r;

        if (!quota_in_scopes(recount->quota, item))
                return 0;
        r = quota_usage(scratch, item, &usage);
        if (r < 0)
                return r;
        list_for_each (amount, &usage) {
                struct quota_tally *tally = find(recount, amount->name);

                if (tally)
                        tally->used = quantity_add(tally->used, amount->amount);
        }
        return 0;
}

int quota_recount_end(struct quota_recount *recount, bool *ret_changed) {
        struct resource_amount *used = arena_alloc_array(recount->arena, recount->n, sizeof(*used));
        bool changed = recount->differs;
        uint32_t n = 0;

        if (!used)
                return -ENOMEM;
        for (size_t i = 0; i < recount->n; i++) {
                const struct quota_tally *tally = &recount->tallies[i];

                if (!tally->counted && !tally->before)
                        continue;
                used[n++] = (struct resource_amount){ tally->name, tally->counted ? tally->used : *tally->before };
                changed |= !tally->before || quantity_compare(used[n - 1].amount, *tally->before) != 0;
        }
        recount->quota->status.used.items = used;
        recount->quota->status.used.count = n;
        *ret_changed = changed || n != recount->n_before;
        return 0;
}

#include "api/admission/quota_check.h"

#include <errno.h>
#include <string.h>

#include "kube/pod/resource_list.h"
#include "lib/arena.h"

/* --- usage --- */

int charge_measure(struct arena *arena, struct quota_change *change) {
        int r = quota_usage(arena, &change->item, &change->usage);

        if (r < 0)
                return r;
        return change->old.object ? quota_usage(arena, &change->old, &change->old_usage) : 0;
}

static struct quantity negated(struct quantity amount) {
        amount.value = -amount.value;
        return amount;
}

/* What a quota that counts the object has to give more; one that has counted it already, the difference, never less
 * than nothing. Zeros are left out. */
static int find_delta(struct arena *arena, const struct quota_change *change, bool counted, resource_list *ret_delta) {
        resource_list delta = { 0 };

        list_for_each (amount, &change->usage) {
                const struct quantity *before = counted ? resource_get(&change->old_usage, amount->name) : NULL;
                struct quantity more = before ? quantity_add(amount->amount, negated(*before)) : amount->amount;

                if (quantity_sign(more) > 0 && !resource_list_add(arena, &delta, amount->name, more))
                        return -ENOMEM;
        }
        *ret_delta = delta;
        return 0;
}

/* --- words --- */

/* `a=1,b=2` of the names in @only. NULL without memory. */
static const char *list_text(struct arena *arena, const resource_list *list, const resource_list *only) {
        struct arena_text text = { .arena = arena };
        char amount[QUANTITY_TEXT_MAX];

        list_for_each (one, list)
                if (resource_get(only, one->name))
                        arena_text_add(&text, "%s%s=%s", text.length > 0 ? "," : "", one->name,
                                       quantity_format(one->amount, amount));
        return arena_text_of(&text);
}

static const char *exceeded_text(struct arena *arena, const struct quota_state *state, const resource_list *delta,
                                 const resource_list *exceeded) {
        const char *requested = list_text(arena, delta, exceeded), *used = list_text(arena, &state->used, exceeded),
                   *hard = list_text(arena, &state->quota->status.hard, exceeded);

        if (!requested || !used || !hard)
                return NULL;
        return arena_printf(arena, "exceeded quota: %s, requested: %s, used: %s, limited: %s",
                            state->quota->metadata.name, requested, used, hard);
}

/* --- what a quota needs to know --- */

/* Amounts that it bounds and whose use nobody has counted yet. NULL without memory; "": none. */
static const char *find_unknown(struct arena *arena, const struct quota_state *state, const struct quota_item *item) {
        struct arena_text names = { .arena = arena };
        bool unknown = false;

        list_for_each (hard, &state->quota->status.hard) {
                if (!quota_measures(item, hard->name))
                        continue;
                unknown |= !resource_get(&state->quota->status.used, hard->name);
                arena_text_add(&names, "%s%s", names.length > 0 ? "," : "", hard->name);
        }
        return names.failed || unknown ? arena_text_of(&names) : "";
}

static int check_known(struct arena *arena, const struct quota_change *change, const struct quota_state *state,
                       const char **ret_text) {
        const char *missing = NULL, *unknown;
        int r = charge_missing(arena, state->quota, &change->item, &missing);

        if (r < 0)
                return r;
        if (missing) {
                *ret_text = arena_printf(arena, "failed quota: %s: %s", state->quota->metadata.name, missing);
                return *ret_text ? 0 : -ENOMEM;
        }
        unknown = find_unknown(arena, state, &change->item);
        if (!unknown)
                return -ENOMEM;
        if (*unknown) {
                *ret_text = arena_printf(arena, "status unknown for quota: %s, resources: %s",
                                         state->quota->metadata.name, unknown);
                return *ret_text ? 0 : -ENOMEM;
        }
        *ret_text = NULL;
        return 0;
}

/* --- one quota --- */

/* The first change of @next, which has what @state has, is made in a copy. */
static int set_used(struct arena *arena, const struct quota_state *state, struct quota_state *next, const char *name,
                    struct quantity amount) {
        struct resource_amount *copy;

        if (next->used.count > 0 && next->used.items == state->used.items) {
                copy = arena_alloc_array(arena, next->used.count, sizeof(*copy));
                if (!copy)
                        return -ENOMEM;
                memcpy(copy, next->used.items, next->used.count * sizeof(*copy));
                next->used.items = copy;
        }
        next->changed = true;
        return resource_list_add(arena, &next->used, name, amount) ? 0 : -ENOMEM;
}

/* Its use with the change, or why it does not have that. */
static int charge_one(struct arena *arena, const struct quota_change *change, const struct quota_state *state,
                      struct quota_state *ret_state, const char **ret_text) {
        bool counted = change->old.object && quota_matches(state->quota, &change->old);
        resource_list delta, exceeded = { 0 };
        struct quota_state next = *state;
        int r = find_delta(arena, change, counted, &delta);

        if (r < 0)
                return r;
        list_for_each (more, &delta) {
                const struct quantity *hard = resource_get(&state->quota->status.hard, more->name),
                                      *used = resource_get(&state->used, more->name);
                struct quantity sum = used ? quantity_add(*used, more->amount) : more->amount;

                if (!hard)
                        continue;
                if (!change->reports && quantity_compare(sum, *hard) > 0 &&
                    !resource_list_add(arena, &exceeded, more->name, sum))
                        return -ENOMEM;
                if (set_used(arena, state, &next, more->name, sum) < 0)
                        return -ENOMEM;
        }
        *ret_text = exceeded.count > 0 ? exceeded_text(arena, state, &delta, &exceeded) : NULL;
        if (exceeded.count > 0 && !*ret_text)
                return -ENOMEM;
        *ret_state = next;
        return 0;
}

int charge_quotas(struct arena *arena, const struct quota_change *change, struct quota_state *quotas, size_t n,
                  bool dry, const char **ret_text) {
        struct quota_state *next = arena_alloc_array(arena, n, sizeof(*next));
        const char *text = NULL;
        int r = next ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && !text && i < n; i++)
                if (quota_matches(quotas[i].quota, &change->item))
                        r = check_known(arena, change, &quotas[i], &text);
        for (size_t i = 0; r == 0 && !text && i < n; i++) {
                next[i] = quotas[i];
                if (quota_matches(quotas[i].quota, &change->item))
                        r = charge_one(arena, change, &quotas[i], &next[i], &text);
        }
        if (r < 0)
                return r;
        if (!text && !dry)
                memcpy(quotas, next, n * sizeof(*next));
        *ret_text = text;
        return 0;
}

/* What is to be: which end point is in which slice. */
#include <errno.h>
#include <string.h>

#include "api/controllers/slices.h"
#include "lib/arena.h"

/* The member that @e is of; NULL: none. */
static struct slices_member *member_of(const struct slices_plan *plan, const struct slices_wanted *w,
                                       const struct kube_discovery_v1_endpoint *e) {
        const struct known_object *pod =
                e->target_ref ? known_find(plan->pods, plan->service->namespace, e->target_ref->name ?: "") : NULL;
        struct slices_member *m;

        if (!pod || !kube_is(e->target_ref->uid, pod->uid) || pod->mark >= plan->n_members)
                return NULL;
        m = &plan->members[pod->mark];
        return m->pod == pod && m->group == w->group ? m : NULL;
}

static struct slices_member *free_member_of(const struct slices_plan *plan, const struct slices_wanted *w,
                                            const struct kube_discovery_v1_endpoint *e) {
        struct slices_member *m = member_of(plan, w, e);

        return m && !m->placed ? m : NULL;
}

static void place(struct slices_plan *plan, struct slices_wanted *w, struct slices_member *m) {
        m->placed = true;
        plan->groups[w->group].n_placed++;
        w->n++;
}

static int add(struct slices_plan *plan, struct slices_wanted *w, struct slices_member *m) {
        struct slices_endpoint *made = arena_alloc_uncleared(plan->arena, sizeof(*made));

        if (!made)
                return -ENOMEM;
        slices_make(plan, m, made);
        w->endpoints[w->n] = made->endpoint;
        place(plan, w, m);
        return 0;
}

static int open_slice(struct slices_plan *plan, struct slices_wanted *w) {
        w->changed = true;
        w->n = 0;
        w->endpoints = arena_alloc_array(plan->arena, SLICES_ENDPOINTS_MAX, sizeof(*w->endpoints));
        return w->endpoints ? 0 : -ENOMEM;
}

/* --- those that are there --- */

/* Whether it stays as it is: each end point is of a member, and says what is to be said of that. Then all are placed.
 */
static bool stays(struct slices_plan *plan, struct slices_wanted *w) {
        struct slices_endpoint now;
        struct slices_member *m;

        if (w->before->endpoints.count == 0 || w->before->endpoints.count > SLICES_ENDPOINTS_MAX)
                return false;
        list_for_each (e, &w->before->endpoints) {
                m = free_member_of(plan, w, e);
                if (!m)
                        return false;
                slices_make(plan, m, &now);
                if (!slices_same(e, &now.endpoint))
                        return false;
        }
        w->n = 0;
        list_for_each (e, &w->before->endpoints)
                if ((m = free_member_of(plan, w, e)))
                        place(plan, w, m);
        if (w->n == w->before->endpoints.count)
                return true;
        list_for_each (e, &w->before->endpoints) /* one is there twice */
                if ((m = member_of(plan, w, e)) && m->placed) {
                        m->placed = false;
                        plan->groups[w->group].n_placed--;
                }
        return false;
}

/* What is still wanted keeps its place. */
static int rewrite(struct slices_plan *plan, struct slices_wanted *w) {
        int r = open_slice(plan, w);

        list_for_each (e, &w->before->endpoints) {
                struct slices_member *m = r == 0 && w->n < SLICES_ENDPOINTS_MAX ? free_member_of(plan, w, e) : NULL;

                if (m)
                        r = add(plan, w, m);
        }
        return r;
}

/* One that stays, to be added to. */
static int reopen(struct slices_plan *plan, struct slices_wanted *w) {
        int r = open_slice(plan, w);

        if (r < 0)
                return r;
        w->n = w->before->endpoints.count;
        memcpy(w->endpoints, w->before->endpoints.items, w->n * sizeof(*w->endpoints));
        return 0;
}

static int keep(struct slices_plan *plan) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < plan->n_wanted; i++) {
                struct slices_wanted *w = &plan->wanted[i];

                if (w->group == plan->n_groups)
                        w->removed = true;
                else if (!stays(plan, w))
                        r = rewrite(plan, w);
        }
        for (uint32_t i = 0; i < plan->n_wanted; i++)
                plan->wanted[i].removed |= plan->wanted[i].n == 0 && plan->wanted[i].changed;
        return r;
}

/* --- those that have no place yet --- */

static struct slices_member *next_of(struct slices_plan *plan, uint32_t group, uint32_t *at) {
        for (; *at < plan->n_members; (*at)++)
                if (plan->members[*at].group == group && !plan->members[*at].placed)
                        return &plan->members[*at];
        return NULL;
}

static int fill(struct slices_plan *plan, struct slices_wanted *w, uint32_t *at) {
        struct slices_member *m;
        int r = 0;

        while (r == 0 && w->n < SLICES_ENDPOINTS_MAX && (m = next_of(plan, w->group, at)))
                r = add(plan, w, m);
        return r;
}

static uint32_t left(const struct slices_plan *plan, uint32_t group) {
        return plan->groups[group].n - plan->groups[group].n_placed;
}

/* The fullest of those that stay as they are in which all that is left has room. */
static struct slices_wanted *fullest(struct slices_plan *plan, uint32_t group) {
        struct slices_wanted *best = NULL;

        for (uint32_t i = 0; i < plan->n_wanted; i++) {
                struct slices_wanted *w = &plan->wanted[i];

                if (w->there && !w->changed && !w->removed && w->group == group &&
                    w->n + left(plan, group) <= SLICES_ENDPOINTS_MAX && (!best || w->n > best->n))
                        best = w;
        }
        return best;
}

static struct slices_wanted *new_slice(struct slices_plan *plan, uint32_t group,
                                       const kube_discovery_v1_endpoint_port_items *ports) {
        struct slices_wanted *w = &plan->wanted[plan->n_wanted];

        *w = (struct slices_wanted){ .group = group };
        if (ports)
                w->ports = *ports;
        if (open_slice(plan, w) < 0)
                return NULL;
        plan->n_wanted++;
        return w;
}

/* What is open gets as many as there is room for. */
static int spread(struct slices_plan *plan, uint32_t group) {
        uint32_t at = 0, there = plan->n_wanted;
        struct slices_wanted *w;
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < there; i++)
                if (plan->wanted[i].changed && !plan->wanted[i].removed && plan->wanted[i].group == group)
                        r = fill(plan, &plan->wanted[i], &at);
        while (r == 0 && left(plan, group) > 0) {
                w = fullest(plan, group);
                if (w)
                        r = reopen(plan, w);
                else if (!(w = new_slice(plan, group, &plan->groups[group].ports)))
                        r = -ENOMEM;
                r = r ?: fill(plan, w, &at);
        }
        return r;
}

/* --- what is made takes over what is to go --- */

static struct slices_wanted *spare(struct slices_plan *plan) {
        for (uint32_t i = 0; i < plan->n_wanted; i++)
                if (plan->wanted[i].removed && plan->wanted[i].there)
                        return &plan->wanted[i];
        return NULL;
}

static void recycle(struct slices_plan *plan) {
        struct slices_wanted *old;

        for (uint32_t i = 0; i < plan->n_wanted; i++) {
                struct slices_wanted *w = &plan->wanted[i];

                if (w->there || !(old = spare(plan)))
                        continue;
                w->there = old->there;
                w->before = old->before;
                old->there = NULL; /* nothing is done with it any more */
        }
}

static bool is_placeholder(const struct slices_wanted *w) {
        return w->there && w->before->endpoints.count == 0 && w->before->ports.count == 0;
}

/* A Service has one slice at least. */
static int keep_one(struct slices_plan *plan) {
        struct slices_wanted *placeholder = NULL;

        for (uint32_t i = 0; i < plan->n_wanted; i++) {
                if (!plan->wanted[i].removed)
                        return 0;
                if (is_placeholder(&plan->wanted[i]))
                        placeholder = &plan->wanted[i];
        }
        if (!placeholder)
                return new_slice(plan, plan->n_groups, NULL) ? 0 : -ENOMEM;
        placeholder->removed = placeholder->changed = false;
        placeholder->n = 0;
        return 0;
}

int slices_place(struct slices_plan *plan) {
        int r = keep(plan);

        if (r < 0)
                return r;
        for (uint32_t i = 0; i < plan->n_groups; i++)
                if ((r = spread(plan, i)) < 0)
                        return r;
        if ((r = keep_one(plan)) < 0)
                return r;
        recycle(plan);
        return 0;
}

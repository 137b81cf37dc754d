/* Resources of a pod as a whole, and how they go with those of its containers (KEP-2837). */
#include <stdlib.h>
#include <string.h>

#include "kube/validate/pod_rules.h"

/* What the containers ask for of one resource that the pod asks for as a whole. */
struct total {
        struct quantity amount, sidecars, init;
        bool given, in_init;
};

static int by_name(const void *key, const void *row) {
        return strcmp(key, ((const struct resource_amount *)row)->name);
}

static struct total *find(const resource_list *whole, struct total *totals, const char *name) {
        const struct resource_amount *row =
                whole->count > 0 ? bsearch(name, whole->items, whole->count, sizeof(*whole->items), by_name) : NULL;

        return row ? &totals[row - whole->items] : NULL;
}

static void add(struct quantity *sum, bool given, struct quantity amount) {
        *sum = given ? quantity_add(*sum, amount) : amount;
}

static const resource_list *list_of(const struct kube_container *container, bool limits) {
        return limits ? &container->resources.limits : &container->resources.requests;
}

/* An init container has what the sidecars before it have taken beside its own; a sidecar goes on. */
static void add_init(const resource_list *whole, struct total *totals, const struct kube_container *container,
                     bool limits) {
        bool sidecar = kube_is(container->restart_policy, "Always");

        list_for_each (r, list_of(container, limits)) {
                struct total *t = find(whole, totals, r->name);
                struct quantity own;

                if (!t)
                        continue;
                if (sidecar) {
                        add(&t->amount, t->given, r->amount);
                        t->given = true;
                        t->sidecars = quantity_sign(t->sidecars) ? quantity_add(t->sidecars, r->amount) : r->amount;
                }
                own = sidecar                    ? t->sidecars :
                      quantity_sign(t->sidecars) ? quantity_add(r->amount, t->sidecars) :
                                                   r->amount;
                if (!t->in_init || quantity_compare(own, t->init) > 0)
                        t->init = own;
                t->in_init = true;
        }
}

static struct total *totals_of(struct validation *v, const struct kube_pod_spec *spec, const resource_list *whole,
                               bool limits) {
        struct total *totals = whole->count > 0 ? validate_alloc(v, whole->count, sizeof(*totals)) : NULL;

        if (!totals)
                return NULL;
        list_for_each (container, &spec->containers)
                list_for_each (r, list_of(container, limits)) {
                        struct total *t = find(whole, totals, r->name);

                        if (t)
                                add(&t->amount, t->given, r->amount);
                        if (t)
                                t->given = true;
                }
        list_for_each (container, &spec->init_containers)
                add_init(whole, totals, container, limits);
        for (uint32_t i = 0; i < whole->count; i++)
                if (totals[i].in_init && (!totals[i].given || quantity_compare(totals[i].init, totals[i].amount) > 0))
                        totals[i].amount = totals[i].init;
        return totals;
}

/* None of the totals is more than the pod's. */
static void check_totals(struct validation *v, const struct place *at, const struct kube_pod_spec *spec, bool limits) {
        const resource_list *whole = limits ? &spec->resources->limits : &spec->resources->requests;
        struct total *totals = totals_of(v, spec, whole, limits);

        for (uint32_t i = 0; totals && i < whole->count; i++) {
                const struct resource_amount *r = &whole->items[i];

                if ((totals[i].given || totals[i].in_init) && quantity_compare(totals[i].amount, r->amount) > 0 &&
                    (!limits || validate_is_huge_page(r->name)))
                        validate_invalid_quantity(
                                v, ENTRY(FIELD(at, limits ? "limits" : "requests"), r->name), r->amount,
                                validate_text(v, "must be greater than or equal to aggregate container %s of %s",
                                              limits ? "limits" : "requests",
                                              validate_amount_text(v, totals[i].amount)));
        }
}

static void check_container_limits(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        for (uint32_t i = 0; i < spec->containers.count; i++) {
                const struct place *here = ITEM(FIELD(at, "containers"), i);

                list_for_each (limit, &spec->containers.items[i].resources.limits) {
                        const struct quantity *whole = resource_get(&spec->resources->limits, limit->name);

                        if (whole && quantity_compare(limit->amount, *whole) > 0)
                                validate_invalid_quantity(v, FIELD(ENTRY(here, limit->name), "limits"), limit->amount,
                                                          validate_text(v,
                                                                        "must be less than or equal to pod limits of "
                                                                        "%s",
                                                                        validate_amount_text(v, *whole)));
                }
        }
}

void validate_pod_resources(struct validation *v, const struct place *at, const struct pod_case *c) {
        const struct validate_requirements rules = { validate_pod_resource, &c->claims, c->options.indivisible_pages };
        const struct place *here = FIELD(at, "resources");

        if (!c->spec->resources)
                return;
        if (c->spec->os && kube_is(c->spec->os->name, "windows")) {
                validate_forbidden(v, here, "may not be set for a windows pod");
                return;
        }
        if (c->spec->resources->claims.items)
                validate_forbidden(v, FIELD(here, "claims"), "claims may not be set for Resources at pod-level");
        validate_requirements(v, here, c->spec->resources, &rules);
        check_totals(v, here, c->spec, false);
        check_totals(v, here, c->spec, true);
        check_container_limits(v, here, c->spec);
}

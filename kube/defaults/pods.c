/* Pods: what containers ask for where they say what they may have at most, and what the pod as a whole does. */
#include <errno.h>
#include <string.h>

#include "kube/core_v1.h"
#include "kube/defaults/rules.h"
#include "kube/quantity.h"
#include "lib/arena.h"

#define HUGE_PAGES "hugepages-"

/* ---- sums over containers ---- */

struct sums {
        struct arena *arena;
        bool limits;
        resource_list total;
};

static const resource_list *amounts(const struct sums *s, const struct kube_container *container) {
        return s->limits ? &container->resources.limits : &container->resources.requests;
}

/* For each name of @from: what @map has, and @from's, are added, or the larger counts. */
static int join(struct arena *arena, resource_list *map, const resource_list *from, bool add) {
        const resource_list before = *map;

        if (defaults_add_amounts(arena, map, from) < 0)
                return -ENOMEM;
        list_for_each (amount, map) {
                const struct quantity *a = resource_get(&before, amount->name), *b = resource_get(from, amount->name);

                if (!a || !b)
                        continue;
                if (add)
                        amount->amount = quantity_add(*a, *b);
                else if (quantity_compare(*a, *b) < 0)
                        amount->amount = *b;
        }
        return 0;
}

static bool is_restartable(const struct kube_container *container) {
        return container->restart_policy && strcmp(container->restart_policy, "Always") == 0;
}

/* As component-helpers' AggregateContainerRequests and -Limits: init containers run one after the other, those that
 * are restarted go on beside all that come later. */
static int sum(struct sums *s, const struct kube_pod_spec *spec) {
        resource_list going_on = { 0 }, highest = { 0 };

        list_for_each (container, &spec->containers)
                if (join(s->arena, &s->total, amounts(s, container), true) < 0)
                        return -ENOMEM;
        list_for_each (container, &spec->init_containers) {
                resource_list at_once = { 0 };

                if (is_restartable(container)) {
                        if (join(s->arena, &s->total, amounts(s, container), true) < 0 ||
                            join(s->arena, &going_on, amounts(s, container), true) < 0)
                                return -ENOMEM;
                        at_once = going_on;
                } else if (join(s->arena, &at_once, amounts(s, container), true) < 0 ||
                           join(s->arena, &at_once, &going_on, true) < 0) {
                        return -ENOMEM;
                }
                if (join(s->arena, &highest, &at_once, false) < 0)
                        return -ENOMEM;
        }
        return join(s->arena, &s->total, &highest, false);
}

/* ---- the pod as a whole ---- */

static bool is_huge_pages(const char *name) {
        return strncmp(name, HUGE_PAGES, strlen(HUGE_PAGES)) == 0;
}

static bool is_of_pods(const char *name) {
        return strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0 || is_huge_pages(name);
}

/* Those of @from that @wanted takes. */
static int pick(struct arena *arena, const resource_list *from, bool (*wanted)(const char *name),
                resource_list *ret_picked) {
        struct resource_amount *items = arena_alloc_array(arena, (size_t)from->count + 1, sizeof(*items));
        uint32_t n = 0;

        if (!items)
                return -ENOMEM;
        list_for_each (amount, from)
                if (wanted(amount->name))
                        items[n++] = *amount;
        ret_picked->items = items;
        ret_picked->count = n;
        return 0;
}

/* More than there is of it may be promised: it is not set aside. */
static bool is_overcommitted(const char *name) {
        return is_of_pods(name) && !is_huge_pages(name);
}

static int fill_huge_pages(struct defaults_work *w, struct kube_pod_spec *spec) {
        struct kube_resource_requirements *own = spec->resources;
        struct sums s = { .arena = w->arena, .limits = true };
        resource_list huge;
        uint32_t n = 0;

        if (own->limits.count == 0 && own->requests.count == 0)
                return 0;
        if (sum(&s, spec) < 0 || pick(w->arena, &s.total, is_huge_pages, &huge) < 0)
                return -ENOMEM;
        for (uint32_t i = 0; i < huge.count; i++)
                if (!resource_get(&own->requests, huge.items[i].name))
                        huge.items[n++] = huge.items[i];
        huge.count = n;
        return n > 0 ? defaults_add_amounts(w->arena, &own->limits, &huge) : 0;
}

static int fill_requests(struct defaults_work *w, struct kube_pod_spec *spec) {
        struct kube_resource_requirements *own = spec->resources;
        struct sums s = { .arena = w->arena };
        resource_list asked, allowed;

        if (own->limits.count == 0)
                return 0;
        if (sum(&s, spec) < 0 || pick(w->arena, &s.total, is_overcommitted, &asked) < 0 ||
            pick(w->arena, &own->limits, is_of_pods, &allowed) < 0)
                return -ENOMEM;
        if (asked.count + allowed.count == 0)
                return 0;
        if (defaults_add_amounts(w->arena, &own->requests, &asked) < 0)
                return -ENOMEM;
        return defaults_add_amounts(w->arena, &own->requests, &allowed);
}

/* ---- its containers ---- */

static int fill_containers(struct defaults_work *w, struct kube_container *containers, uint32_t count,
                           bool host_ports) {
        for (uint32_t i = 0; i < count; i++) {
                struct kube_resource_requirements *resources = &containers[i].resources;

                if (resources->limits.items &&
                    defaults_add_amounts(w->arena, &resources->requests, &resources->limits) < 0)
                        return -ENOMEM;
                list_for_each (port, &containers[i].ports)
                        if (host_ports && port->host_port == 0)
                                port->host_port = port->container_port;
        }
        return 0;
}

/* Of pods alone: templates keep what was written. */
static int fill_pod(struct defaults_work *w, void *object) {
        struct kube_pod_spec *spec = &((struct kube_pod *)object)->spec;

        if (spec->termination_grace_period_seconds.set && spec->termination_grace_period_seconds.value < 0)
                spec->termination_grace_period_seconds.value = 1;
        if (fill_containers(w, spec->containers.items, spec->containers.count, spec->host_network) < 0 ||
            fill_containers(w, spec->init_containers.items, spec->init_containers.count, spec->host_network) < 0)
                return -ENOMEM;
        if (!spec->resources)
                return 0;
        return fill_huge_pages(w, spec) < 0 ? -ENOMEM : fill_requests(w, spec);
}

const struct defaults_rule defaults_pod_rules[] = {
        { &kube_pod_type, fill_pod },
        { .type = NULL },
};

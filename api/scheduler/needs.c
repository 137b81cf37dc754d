/* What a pod needs of a node, in numbers. */
#include <errno.h>
#include <string.h>

#include "api/scheduler/pod.h"
#include "kube/pod/resource_list.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static const char *const fixed[SCHED_AMOUNTS] = { "cpu", "memory", "ephemeral-storage" };

static int64_t amount_of(const struct resource_amount *a, enum sched_amount which) {
        return sched_bounded(which == SCHED_CPU ? quantity_milli(a->amount) : quantity_units(a->amount));
}

static int fixed_of(const char *name) {
        for (int i = 0; i < SCHED_AMOUNTS; i++)
                if (strcmp(fixed[i], name) == 0)
                        return i;
        return -1;
}

static int read_scalar(struct arena *arena, const struct resource_amount *a, struct sched_needs *needs) {
        struct sched_scalar *scalar = &needs->scalars[needs->n_scalars++];

        scalar->lacking = arena_printf(arena, "Insufficient %s", a->name);
        scalar->name = scalar->lacking ? scalar->lacking + strlen("Insufficient ") : NULL;
        scalar->amount = sched_bounded(quantity_units(a->amount));
        return scalar->lacking ? 0 : -ENOMEM;
}

static int read_amounts(struct arena *arena, const resource_list *list, struct sched_needs *needs) {
        int r = 0;

        needs->scalars = list->count > 0 ? arena_alloc_array(arena, list->count, sizeof(*needs->scalars)) : NULL;
        if (list->count > 0 && !needs->scalars)
                return -ENOMEM;
        list_for_each (a, list) {
                int which = fixed_of(a->name);

                if (which >= 0)
                        needs->amounts[which] = amount_of(a, (enum sched_amount)which);
                else if (quantity_sign(a->amount) > 0)
                        r = r ?: read_scalar(arena, a, needs);
        }
        return r;
}

/* --- what scores count --- */

static bool says(const struct kube_container *c, const char *name) {
        return resource_get(&c->resources.requests, name);
}

static bool all_say(const kube_container_items *all) {
        list_for_each (c, all)
                if (!says(c, "cpu") || !says(c, "memory"))
                        return false;
        return true;
}

static bool fill_in(struct arena *scratch, kube_container_items *all) {
        struct kube_container *copy = arena_alloc_array(scratch, (size_t)all->count + 1, sizeof(*copy));

        if (!copy)
                return false;
        for (uint32_t i = 0; i < all->count; i++) {
                resource_list *requests = &copy[i].resources.requests;

                copy[i] = all->items[i];
                if (!says(&copy[i], "cpu") &&
                    !resource_list_add(scratch, requests, "cpu", quantity_from_milli(SCHED_DEFAULT_CPU)))
                        return false;
                if (!says(&copy[i], "memory") &&
                    !resource_list_add(scratch, requests, "memory",
                                       quantity_from_units(SCHED_DEFAULT_MEMORY, QUANTITY_BINARY)))
                        return false;
        }
        all->items = copy;
        return true;
}

static bool total(struct arena *scratch, const struct pod *pod, resource_list *list) {
        return pod_requests(scratch, pod, list) && pod_add_overhead(scratch, pod, false, list);
}

static int read_scored(struct arena *scratch, struct pod *pod, struct sched_needs *needs) {
        resource_list list = { 0 };

        memcpy(needs->scored, needs->amounts, sizeof(needs->scored));
        if (all_say(&pod->spec.containers) && all_say(&pod->spec.init_containers))
                return 0;
        if (!fill_in(scratch, &pod->spec.containers) || !fill_in(scratch, &pod->spec.init_containers) ||
            !total(scratch, pod, &list))
                return -ENOMEM;
        list_for_each (a, &list) {
                int which = fixed_of(a->name);

                if (which >= 0 && which < SCHED_SCORED)
                        needs->scored[which] = amount_of(a, (enum sched_amount)which);
        }
        return 0;
}

/* --- while a container is resized, the larger of what it is to have and what it has --- */

static bool raise_one(struct arena *scratch, resource_list *requests, const resource_list *list) {
        list_for_each (a, list) {
                const struct quantity *own = resource_get(requests, a->name);

                if (own && quantity_compare(a->amount, *own) > 0 &&
                    !resource_list_add(scratch, requests, a->name, a->amount))
                        return false;
        }
        return true;
}

/* The list is the pod's: a copy is changed. */
static bool raise_container(struct arena *scratch, struct kube_container *c, const struct kube_container_status *s) {
        resource_list own = { 0 };

        list_for_each (a, &c->resources.requests)
                if (!resource_list_add(scratch, &own, a->name, a->amount))
                        return false;
        c->resources.requests = own;
        return raise_one(scratch, &c->resources.requests, &s->resources->requests) &&
               raise_one(scratch, &c->resources.requests, &s->allocated_resources);
}

static bool raise_all(struct arena *scratch, kube_container_items *all, const kube_container_status_items *statuses) {
        struct kube_container *copy = arena_alloc_array(scratch, (size_t)all->count + 1, sizeof(*copy));

        if (!copy)
                return false;
        if (all->count > 0)
                memcpy(copy, all->items, all->count * sizeof(*copy));
        all->items = copy;
        list_for_each (c, all)
                list_for_each (s, statuses)
                        if (s->resources && kube_is(s->name, c->name ?: "") && !raise_container(scratch, c, s))
                                return false;
        return true;
}

/* --- ports --- */

static uint32_t count_ports(const kube_container_items *all) {
        uint32_t n = 0;

        list_for_each (c, all)
                n += c->ports.count;
        return n;
}

static int add_ports(struct arena *arena, const struct kube_container *c, struct sched_needs *needs) {
        list_for_each (p, &c->ports) {
                struct sched_port *port = &needs->ports[needs->n_ports];

                if (p->host_port <= 0)
                        continue;
                port->port = p->host_port;
                port->ip = arena_strdup(arena, p->host_ip && *p->host_ip ? p->host_ip : "0.0.0.0");
                port->protocol = arena_strdup(arena, p->protocol ?: "TCP");
                if (!port->ip || !port->protocol)
                        return -ENOMEM;
                needs->n_ports++;
        }
        return 0;
}

/* Init containers' hold a port only where they stay. */
static int read_ports(struct arena *arena, const struct kube_pod_spec *spec, struct sched_needs *needs) {
        uint32_t n = count_ports(&spec->containers) + count_ports(&spec->init_containers);
        int r;

        if (n == 0)
                return 0;
        needs->ports = arena_alloc_array(arena, n, sizeof(*needs->ports));
        if (!needs->ports)
                return -ENOMEM;
        list_for_each (c, &spec->containers)
                if ((r = add_ports(arena, c, needs)) < 0)
                        return r;
        list_for_each (c, &spec->init_containers)
                if (pod_container_is_sidecar(c) && (r = add_ports(arena, c, needs)) < 0)
                        return r;
        return 0;
}

int sched_needs_read(struct arena *arena, const struct kube_pod *pod, struct sched_needs *ret_needs) {
        _cleanup_arena_ struct arena *scratch = arena_new();
        struct pod view = { .metadata = pod->metadata, .spec = pod->spec };
        resource_list list = { 0 };
        int r;

        *ret_needs = (struct sched_needs){ 0 };
        if (!scratch)
                return -ENOMEM;
        if (!pod_can_total(&pod->spec))
                return -EINVAL;
        if (!raise_all(scratch, &view.spec.containers, &pod->status.container_statuses) ||
            !raise_all(scratch, &view.spec.init_containers, &pod->status.init_container_statuses) ||
            !total(scratch, &view, &list))
                return -ENOMEM;
        if ((r = read_amounts(arena, &list, ret_needs)) < 0 || (r = read_ports(arena, &pod->spec, ret_needs)) < 0)
                return r;
        ret_needs->says_nothing = ret_needs->amounts[SCHED_CPU] == 0 && ret_needs->amounts[SCHED_MEMORY] == 0;
        return read_scored(scratch, &view, ret_needs);
}
